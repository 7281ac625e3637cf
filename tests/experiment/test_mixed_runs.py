"""Mixtures in whole runs: a network of two parts learns what neither part tells, and each part's contribution shows."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from mtl.config import Config, parse_config
from mtl.data.build import read_source
from mtl.data.loading.store import write_prepared
from mtl.errors import ConfigError, DataError, UserError
from mtl.experiment import run_baseline, run_finetune
from mtl.experiment.importance import write_importance
from mtl.experiment.objects import load_tasks
from mtl.experiment.recipe import joint, single_task
from mtl.experiment.saved import load_network
from mtl.experiment.simple import run_simple
from mtl.models.fusion import part_features
from mtl.models.simple.features import build_features, count_features
from mtl.paths import IMPORTANCE, PREPARED
from mtl.results.importance import Arm, Importance
from mtl.results.reading import RUN
from mtl.results.record import Run
from mtl.serving.app import answer as answered
from mtl.serving.app import example_request
from mtl.serving.export.check import expected
from mtl.serving.export.graph import graph_of
from mtl.serving.model import LoadedModel
from mtl.serving.predict import Request, predictions
from mtl.serving.request import samples_of
from mtl.serving.service import Service
from mtl.simple.networks import joined_features
from tests.helpers.mixtures import SOURCE, goods_table

TEXT = {"kind": "text", "width": 8, "layers": 0, "heads": 1, "d_ff": 8, "dropout": 0.0}
PARTS = {"rows": {"kind": "mlp", "sizes": [8]}, "image": {"kind": "cnn", "widths": [4]}, "text": TEXT}


def setting(**changes: Any) -> Config:
    raw: dict[str, Any] = {
        "base": {"seeds": [0], "device": "cpu"},
        "prepare": {"sources": {"goods": SOURCE}},
        "tasks": {
            "odd": {"kind": "binary", "source": "goods", "label": "odd"},
            "price": {"kind": "regression", "source": "goods", "target": "price"},
        },
        "simple": {"models": []},
        "encoder": {"kind": "fusion", "parts": PARTS, "sizes": [16]},
        "train": {"epochs": 20, "batch_size": 16, "lr": 0.02, "gradient_probes": 0, "stopping": {"patience": None}},
        "finetune": {"methods": {"joint": {"kind": "equal"}}},
    }
    return parse_config(raw | changes)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a project whose runs are finished."""
    root, config = tmp_path_factory.mktemp("mixtures"), setting()
    goods_table(root, 200)
    write_prepared(read_source("goods", config.prepare.sources["goods"], root), root / PREPARED / "goods", {})
    for seed in config.base.seeds:
        for task in config.tasks:
            run_baseline(config, task, config.baseline.starts[0], seed, root)
        run_finetune(config, "joint", seed, root)
    write_importance(config, root)
    return root


def parts(root: Path) -> dict[tuple[str, str], Arm]:
    return {(arm.task, arm.method): arm for arm in Importance.read(root / IMPORTANCE).parts}


def test_what_two_parts_tell_together_is_learnt_and_what_each_gives_is_told(project: Path) -> None:
    told = parts(project)
    assert list(told) == [(task, method) for method in ("stl", "joint") for task in ("odd", "price")]
    for (task, method), arm in told.items():
        lost = {entry.input: entry.lost.mean for entry in arm.inputs}
        assert list(lost) == ["rows", "image", "text"]
        if task == "odd":
            assert min(arm.usual) > 0.9, "no single part tells more than chance"
            assert min(lost["rows"] or 0.0, lost["image"] or 0.0) > 0.25
        else:
            assert max(arm.usual) < 0.1
            assert (lost["rows"] or 0.0) > 0.5 and abs(lost["image"] or 0.0) < 0.1
        assert abs(lost["text"] or 0.0) < 0.1, method
        runs = project / ("outputs/baseline" if method == "stl" else "outputs/finetune")
        where = runs / (f"{task}/random" if method == "stl" else "joint") / "seed-0"
        assert arm.usual == [Run.read(where / RUN).test[task][arm.metric]]


def test_the_contribution_is_that_by_hand(project: Path) -> None:
    config, seed = setting(), 0
    data, _ = load_tasks(config, seed, project)
    model = load_network(joint(config, "joint", seed), project).model.eval()
    (stage,) = part_features(model)
    (train,), (test,) = data.select(["odd", "price"], "train"), data.select(["odd", "price"], "test")
    every = torch.arange(len(train))
    with torch.no_grad():
        mean = stage.of_parts(train.batch(every).x)["image"].mean(dim=0)
        batch = test.batch(torch.arange(len(test)))
        with stage.instead({"image": mean}):
            predicted = model(batch.x, ["odd", "price"])["odd"] > 0
    accuracy = float((predicted.long() == batch.target("odd")).double().mean())
    arm = parts(project)["odd", "joint"]
    (image,) = [entry for entry in arm.inputs if entry.input == "image"]
    assert arm.usual[0] - accuracy == pytest.approx(image.values[0], abs=1e-9)


@pytest.mark.parametrize("sharing", ["cross_stitch", "branched", "separate"])
def test_every_form_of_sharing_trains_and_loads_again(project: Path, tmp_path: Path, sharing: str) -> None:
    own = {"kind": sharing} | ({"groups": [["odd"], ["price"]], "shared_stages": 1} if sharing == "branched" else {})
    train = {"epochs": 1, "batch_size": 64, "gradient_probes": 0}
    config = setting(train=train, finetune={"methods": {"joint": {"kind": "equal", "sharing": own}}})
    run_finetune(config, "joint", 0, project, out=tmp_path)
    model = load_network(joint(config, "joint", 0), tmp_path).model
    assert len(part_features(model)) == (1 if sharing == "branched" else 2)


def test_the_same_bytes_twice_and_augmented_images_leave_other_parts_alone(project: Path, tmp_path: Path) -> None:
    encoder = {"kind": "fusion", "parts": {**PARTS, "rows": {"kind": "tabular", "width": 8}}, "part_dropout": 0.2}
    train = {"epochs": 2, "batch_size": 32, "gradient_probes": 0, "augment": {"flip": True, "cutout": 4},
             "sampler": {"bucket_steps": 2}}  # fmt: skip
    config = setting(encoder=encoder, train=train)
    start = config.baseline.starts[0]
    for folder in ("first", "second"):
        run_baseline(config, "odd", start, 0, project, out=tmp_path / folder)
    where = single_task(config, "odd", start, 0).where.folder
    for file in ("run.json", "weights.safetensors", "model.json"):
        assert (tmp_path / "first" / where / file).read_bytes() == (tmp_path / "second" / where / file).read_bytes()


def test_new_rows_with_image_files_and_texts_are_predicted(project: Path) -> None:
    config = setting()
    folder = project / joint(config, "joint", 0).where.folder
    model, table = LoadedModel.of_folder(folder), pd.read_csv(project / "goods.csv")
    request = Request(project / "goods.csv", None, keep=("odd",), changes={"folder": str(project / "photos")})
    told, done = predictions(model, request, {})
    assert done.samples == len(table) and done.notes == []
    assert list(told.columns)[:1] == ["odd_data"]
    assert (told["odd"] == table["odd"]).mean() > 0.9
    assert np.abs(told["price"] - table["price"]).mean() < 0.5
    with pytest.raises(DataError, match=r"line 2, column `photo`: .*0.png is missing.*--set folder=DIR"):
        predictions(model, replace(request, changes={}), {})


def test_a_service_takes_image_files_in_base64_beside_other_cells(project: Path) -> None:
    folder = project / joint(setting(), "joint", 0).where.folder
    service = Service(LoadedModel.of_folder(folder))
    kinds = {column.name: column.kind for column in service.columns}
    assert kinds == {"weight": "number", "shop": "text", "photo": "image", "note": "words"}
    asked = json.loads(example_request(service))
    answer = json.loads(answered(service, json.dumps(asked).encode(), None))
    assert set(answer["predictions"][0]) >= {"odd", "price"}
    asked["dataframe_records"][0]["photo"] = "none"
    with pytest.raises(UserError, match=r"sample 0 .counted from 0., column .photo."):
        samples_of(json.dumps(asked).encode(), None, service)
    with pytest.raises(UserError, match="texts are cut into tokens by the vocabulary"):
        graph_of(service.model, None)


def test_rows_and_images_are_one_graph_of_tensors(project: Path, tmp_path: Path) -> None:
    own = SOURCE | {"inputs": {"weight": "number", "shop": "category", "photo": "image"}}
    train = {"epochs": 1, "batch_size": 64, "gradient_probes": 0}
    encoder = {"kind": "fusion", "parts": {name: PARTS[name] for name in ("rows", "image")}}
    config = setting(prepare={"sources": {"goods": own}}, train=train, encoder=encoder)
    write_prepared(read_source("goods", config.prepare.sources["goods"], project), tmp_path / PREPARED / "goods", {})
    model = LoadedModel.of_folder(run_finetune(config, "joint", 0, tmp_path))
    graph = graph_of(model, None)
    samples = graph.first.draw(5, torch.Generator().manual_seed(0))
    assert list(samples) == ["numbers", "categories", "images"]
    for ours, right in zip(graph(*samples.values()), expected(model, graph, samples), strict=True):
        assert np.allclose(ours.numpy(), right, atol=1e-5)


def test_the_simple_model_reads_all_parts(project: Path, tmp_path: Path) -> None:
    run_simple(setting(simple={"models": ["ridge", "logistic", "boosting"]}), [0], project, out=tmp_path)
    folder = tmp_path / "outputs/simple/price/seed-0"
    record = Run.read(folder / RUN)
    assert record.simple is not None and record.simple.model == "ridge"
    assert record.simple.about.startswith("on the features of all parts")
    assert record.test["price"]["mse"] < 0.1, "the weight tells the price"
    request = Request(project / "goods.csv", None, changes={"folder": str(project / "photos")})
    told, _ = predictions(LoadedModel.of_folder(folder), request, {})
    assert np.abs(told["price"] - pd.read_csv(project / "goods.csv")["price"]).mean() < 0.3


def test_joined_features_are_those_of_each_part(project: Path) -> None:
    data, _ = load_tasks(setting(), 0, project)
    spec, (pool,) = data.specs["odd"], data.select(["odd"], "test")
    features = joined_features(spec.parts or ())
    x = pool.batch(torch.arange(len(pool))).x
    made = build_features(features, spec.shape)(x)
    assert made.shape == (len(pool), count_features(features, spec.shape)) and features.pixels == 64
    wide = features.layout.expanded
    assert torch.equal(made[:, 0], x[:, 0]) and torch.equal(made[:, wide : wide + 64], x[:, 2:66])
    codes = x[0, 66:].long()
    counts = torch.bincount(codes[codes > 0], minlength=features.tokens).float()
    weights = torch.where(counts > 0, 1 + counts.clamp(min=1).log(), 0.0)
    assert torch.allclose(made[0, wide + 64 :], weights / weights.norm())
    alone = build_features(features, spec.shape)(pool.batch(torch.tensor([0])).x)
    assert torch.equal(alone[0], made[0]), "what stands behind the end of a text counts nothing"


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "another encoder": (
        {"encoder": {"kind": "resnet"}},
        r"`encoder.kind` should be fusion for tasks.odd \(mixtures of inputs\), found 'resnet'",
    ),
    "one part": (
        {"prepare": {"sources": {"goods": SOURCE | {"inputs": {"weight": "number"}, "images": None}}}},
        r"`encoder.kind` should be mlp, tabular or python for tasks.odd \(rows\), found 'fusion'",
    ),
    "a part that is not there": (
        {"prepare": {"sources": {"goods": SOURCE | {"inputs": {"weight": "number", "photo": "image"}}}}},
        "`encoder.parts.text` should be left out for tasks.odd, whose inputs are rows and image, found 'text'",
    ),
    "an unknown part": (
        {"encoder": {"kind": "fusion", "parts": {"sound": {"kind": "mlp"}}}},
        "`encoder.*parts.sound` is not a known key; allowed here: image, rows, text",
    ),
    "an encoder of another kind": (
        {"encoder": {"kind": "fusion", "parts": {"image": {"kind": "text"}}}},
        "`encoder.*parts.image.*mlp.*cnn.*resnet",
    ),
    "too many stages": (
        {"encoder": {"kind": "fusion", "parts": {"image": {"kind": "cnn", "widths": [4, 4, 4, 4]}}}},
        "`encoder.parts.image.widths` should be 3 at most for tasks.odd",
    ),
    "mixed images": (
        {"train": {"augment": {"mixup": 0.2}}},
        "`train.augment.mixup` should be 0 for goods, whose images come with other inputs that cannot be mixed",
    ),
    "a linear start": (
        {"tasks": {"odd": {"kind": "binary", "source": "goods", "label": "odd", "linear": {}}}},
        "`tasks.odd.linear`",
    ),
}


@pytest.mark.parametrize("wrong", sorted(WRONG))
def test_settings_that_do_not_fit_are_told_with_their_path(wrong: str) -> None:
    changes, told = WRONG[wrong]
    with pytest.raises(ConfigError, match=told):
        setting(**changes)
