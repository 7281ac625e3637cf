"""Image files from training to service: a model reads new files as it read those of training."""

import base64
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import mtl
from mtl.api.deployment.deploy import Wish
from mtl.cli.deploy import deploy
from mtl.config import Config
from mtl.data.loading.store import load_prepared
from mtl.errors import DataError, UserError
from mtl.paths import PREPARED, RunPath
from mtl.results.record import Run
from mtl.serving.app import answer
from mtl.serving.export.write import write_file
from mtl.serving.predict import Done, Request, origins_of, predict_file
from mtl.serving.request import JSON
from mtl.serving.service import Service
from mtl.tasks.answers import Classes
from mtl.types import ImageSet
from tests.helpers.deployable import colour_settings, train


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Config]:
    root = tmp_path_factory.mktemp("colours")
    return root, train(colour_settings(), root)


@pytest.fixture(scope="module")
def folder(project: tuple[Path, Config]) -> Path:
    return deploy(Wish(method="joint", seeds=0), project[0])


@pytest.fixture
def raw(project: tuple[Path, Config], tmp_path: Path) -> Path:
    """labels.csv and the images that it names in a folder of the test's own: names start from the table's folder."""
    shutil.copytree(project[0] / "data/raw/photos", tmp_path / "new")
    shutil.copy(project[0] / "data/raw/labels.csv", tmp_path / "new")
    return tmp_path / "new"


def predict(folder: Path, data: Path, out: Path, **more: Any) -> tuple[Done, pd.DataFrame]:
    model = mtl.load_model(folder)
    done = predict_file(model, Request(data, out, **more), origins_of(model))
    return done, pd.read_csv(out)


def test_colours_are_learnt_by_network_and_simple_model(project: tuple[Path, Config]) -> None:
    places = [RunPath("simple", "colour", None, 0)]
    places += [RunPath("finetune", method, None, 0) for method in ("joint", "stitched")]
    for place in places:
        run = Run.read(project[0] / place.folder / "run.json")
        assert run.test["colour"]["accuracy"] > 0.9, place


def test_a_table_of_new_files_is_predicted_as_the_prepared_pixels_are(
    project: tuple[Path, Config], folder: Path, raw: Path, tmp_path: Path
) -> None:
    prepared = load_prepared("photos", project[0] / PREPARED)
    assert isinstance(prepared, ImageSet)
    said = mtl.load_model(folder).predict(prepared.images.numpy())["colour"]
    assert isinstance(said, Classes)
    done, read = predict(folder, raw / "labels.csv", tmp_path / "out.csv", keep=("site",))
    assert done.samples == len(read) == len(prepared.images) and done.notes == []
    assert read["colour"].tolist() == list(said.predicted)
    assert list(read)[:2] == ["photo", "site"] and read["photo"][0] == "000.png"
    assert done.drift is not None


def test_files_may_lie_elsewhere_or_be_a_folder(folder: Path, raw: Path, tmp_path: Path) -> None:
    _, first = predict(folder, raw / "labels.csv", tmp_path / "a.csv")
    (tmp_path / "elsewhere").mkdir()
    for file in sorted(raw.glob("*.png")):
        file.rename(tmp_path / "elsewhere" / file.name)
    with pytest.raises(DataError, match=r"line 2, column `photo`: .*000\.png is missing; names start .*folder=DIR"):
        predict(folder, raw / "labels.csv", tmp_path / "b.csv")
    changes = {"folder": str(tmp_path / "elsewhere")}
    _, again = predict(folder, raw / "labels.csv", tmp_path / "c.csv", changes=changes)
    _, listed = predict(folder, tmp_path / "elsewhere", tmp_path / "d.csv")
    pd.testing.assert_frame_equal(first, again)
    (tmp_path / "elsewhere").rename(raw / "photos")  # beside the table, by the name that it has in training
    _, beside = predict(folder, raw / "labels.csv", tmp_path / "e.csv")
    pd.testing.assert_frame_equal(first, beside)
    assert listed["image"].tolist() == first["photo"].tolist() and listed["colour"].tolist() == first["colour"].tolist()


def test_a_name_that_leaves_the_folder_and_a_broken_file_are_named(folder: Path, raw: Path, tmp_path: Path) -> None:
    (raw / "003.png").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"line 5, column `photo`: .*003\.png is no JPEG"):
        predict(folder, raw / "labels.csv", tmp_path / "out.csv")
    table = raw / "labels.csv"
    table.write_text(table.read_text().replace("004.png", "../004.png"))
    with pytest.raises(DataError, match=r"line 6, column `photo`.*leaves the folder"):
        predict(folder, table, tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


def ask(service: Service, content: Any) -> Any:
    return json.loads(answer(service, json.dumps(content).encode(), JSON))


def test_a_service_answers_image_files_in_base64_and_pixels(folder: Path, raw: Path, tmp_path: Path) -> None:
    service = Service(mtl.load_model(folder))
    names = ["000.png", "001.png", "002.png"]
    texts = [base64.b64encode((raw / name).read_bytes()).decode() for name in names]
    told = ask(service, {"inputs": texts})["predictions"]
    _, read = predict(folder, raw / "labels.csv", tmp_path / "out.csv")
    assert [record["colour"] for record in told] == read["colour"][:3].tolist()
    pixels = np.zeros((1, 3, 8, 8), dtype=int)
    assert len(ask(service, {"inputs": pixels.tolist()})["predictions"]) == 1
    with pytest.raises(UserError, match=r"sample 1 .*an image file in base64"):
        ask(service, {"inputs": [texts[0], "not base64!"]})
    with pytest.raises(UserError, match=r"sample 0 .*the image is no JPEG"):
        ask(service, {"inputs": [base64.b64encode(b"hello").decode()]})


@pytest.mark.thorough
def test_an_exported_file_takes_pixels(folder: Path, tmp_path: Path) -> None:
    write_file(mtl.load_model(folder), "torch", tmp_path / "m.pt2", None)
    program = torch.export.load(tmp_path / "m.pt2").module()
    assert program(torch.zeros(2, 3, 8, 8, dtype=torch.uint8)) is not None
