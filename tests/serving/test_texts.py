"""Texts from training to service: a model reads new texts as it read those of training."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mtl
from mtl.api.deployment.deploy import Wish
from mtl.cli.deploy import deploy
from mtl.cli.score import score
from mtl.config import Config
from mtl.errors import UserError
from mtl.experiment.importance import write_importance
from mtl.experiment.objects import load_tasks
from mtl.paths import RunPath
from mtl.results.record import Run
from mtl.serving.app import answer, example_request
from mtl.serving.export.mlflow_folder import write_mlflow
from mtl.serving.export.write import write_file
from mtl.serving.predict import Request, origins_of, predict_file
from mtl.serving.request import JSON
from mtl.serving.score import Labelled
from mtl.serving.service import Service
from mtl.types import SPLITS
from tests.helpers.deployable import reviews, text_settings, train

SCORE = {"good": 1.0, "bad": -1.0}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Config]:
    root = tmp_path_factory.mktemp("reviews")
    return root, train(text_settings(), root)


@pytest.fixture(scope="module")
def folder(project: tuple[Path, Config]) -> Path:
    return deploy(Wish(method="joint", seeds="ensemble"), project[0])


def test_words_that_are_planted_are_learnt(project: tuple[Path, Config]) -> None:
    root, _ = project
    for stage, name in (("simple", "mood"), ("finetune", "joint"), ("finetune", "stitched")):
        run = Run.read(root / RunPath(stage, name, None, 0).folder / "run.json")
        assert run.test["mood"]["accuracy"] > 0.9, (stage, name)
    simple = Run.read(root / RunPath("simple", "mood", None, 0).folder / "run.json").simple
    assert simple is not None and set(simple.candidates) == {"majority", "ngrams"} and simple.model == "ngrams"
    number = Run.read(root / RunPath("simple", "stars", None, 0).folder / "run.json")
    assert number.simple is not None and number.simple.model == "ngrams" and number.test["stars"]["r2"] > 0.8


def test_texts_that_were_learnt_from_are_counted_however_they_are_padded(
    project: tuple[Path, Config], folder: Path, tmp_path: Path
) -> None:
    root, config = project
    data, _ = load_tasks(config, 0, root)
    parts = {split: data.select(["mood"], split)[0].samples.numbers.numpy() for split in SPLITS}
    frame = reviews()
    learnt = {*frame["note"].iloc[[*parts["train"], *parts["val"]]]}
    new = frame.iloc[parts["test"]]
    new = new[~new["note"].isin(learnt)]
    known = pd.concat([frame.iloc[parts["train"][:5]], frame.iloc[parts["val"][:4]]])
    for rows, copied in ((new, 0), (pd.concat([new, known]), len(known)), (known[:1], 1)):
        rows.to_csv(tmp_path / "some.csv", index=False)
        told = score(Labelled(tmp_path / "some.csv"), folder).copies
        assert told is not None and (told.copies, told.asked) == (copied, len(rows))


def test_a_loaded_model_gives_the_figures_of_its_run(project: tuple[Path, Config]) -> None:
    root, config = project
    data, _ = load_tasks(config, 0, root)
    (pool,) = data.select(["mood"], "test")
    frame = reviews().iloc[pool.samples.numbers.numpy()]
    for place in (RunPath("simple", "mood", None, 0), RunPath("finetune", "joint", None, 0)):
        model = mtl.load_model(root / place.folder)
        said = np.array(model.predict(frame[["note"]], tasks=["mood"])["mood"].predicted)
        accuracy = Run.read(root / place.folder / "run.json").test["mood"]["accuracy"]
        assert np.mean(said == frame["mood"].to_numpy()) == pytest.approx(accuracy, abs=1e-12)


def test_a_file_of_new_texts_is_predicted(folder: Path, tmp_path: Path) -> None:
    texts = ["all of it good good", "bad and \n bad", "", "жук 🦔 never seen", "word " * 400 + "bad"]
    pd.DataFrame({"note": texts, "id": range(5)}).to_csv(tmp_path / "new.csv", index=False)
    model = mtl.load_model(folder)
    done = predict_file(model, Request(tmp_path / "new.csv", tmp_path / "out.csv", keep=("id",)), origins_of(model))
    read = pd.read_csv(tmp_path / "out.csv")
    assert done.samples == 5 and read["id"].tolist() == list(range(5))
    assert read["mood"].tolist()[:2] == ["good", "bad"] and read.notna().all().all()
    assert done.drift is not None and done.drift.inputs == 1
    pd.DataFrame({"notes": texts}).to_csv(tmp_path / "other.csv", index=False)
    with pytest.raises(UserError, match="missing: `note`"):
        predict_file(model, Request(tmp_path / "other.csv", tmp_path / "out2.csv"), origins_of(model))


def ask(service: Service, content: Any) -> Any:
    return json.loads(answer(service, json.dumps(content).encode(), JSON))


def test_a_service_answers_texts(folder: Path) -> None:
    service = Service(mtl.load_model(folder))
    assert [(column.name, column.kind) for column in service.columns] == [("note", "words")]
    told = ask(service, {"dataframe_records": [{"note": "so good good 😀"}, {"note": "bad bad"}, {"note": None}]})
    assert [record["mood"] for record in told["predictions"]][:2] == ["good", "bad"] and told["notes"] == []
    assert ask(service, json.loads(example_request(service)))["predictions"]
    with pytest.raises(UserError, match="should be a text, or null where it is missing, found 3"):
        ask(service, {"dataframe_records": [{"note": 3}]})


def test_formats_that_hold_no_vocabulary_are_refused(folder: Path, tmp_path: Path) -> None:
    for form, ending in (("onnx", ".onnx"), ("torch", ".pt2")):
        with pytest.raises(UserError, match=r"neither ONNX nor torch\.export holds.*--to mlflow"):
            write_file(mtl.load_model(folder), form, tmp_path / f"m{ending}", None)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.thorough
def test_a_folder_of_mlflow_holds_the_vocabulary(folder: Path, tmp_path: Path) -> None:
    write_mlflow(mtl.load_model(folder), folder, tmp_path / "made", None)
    needs = next((tmp_path / "made").rglob("requirements.txt")).read_text()
    assert "tokenizers==" in needs and "scikit-learn==" in needs


def test_a_text_is_one_input_that_is_not_permuted(project: tuple[Path, Config]) -> None:
    root, config = project
    changed = config.model_copy(update={"evaluate": config.evaluate.model_copy(update={"importance": 1})})
    write_importance(changed, root)
    assert json.loads((root / "results/importance.json").read_text())["arms"] == []
