"""Classes of every row of a series from training to service: planted ones are found, and each new row has one."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import mtl
from mtl.api.deployment.deploy import Wish
from mtl.cli.deploy import deploy
from mtl.cli.score import score
from mtl.config import Config
from mtl.errors import UserError
from mtl.experiment.objects import load_tasks
from mtl.paths import RunPath
from mtl.results.record import Run
from mtl.results.simple import SavedSimple
from mtl.serving.app import answer
from mtl.serving.export.graph import graph_of
from mtl.serving.export.program import program_bytes
from mtl.serving.predict import Request, origins_of, predict_file
from mtl.serving.request import JSON
from mtl.serving.score import Labelled
from mtl.serving.service import Service
from mtl.simple.again import Before, fit_again
from mtl.simple.fit import fit_simple
from mtl.tasks.answers import Tags
from mtl.types import NO_LABEL
from tests.helpers.deployable import machine, step_settings, train


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Config]:
    root = tmp_path_factory.mktemp("steps")
    return root, train(step_settings(), root)


@pytest.fixture(scope="module")
def folder(project: tuple[Path, Config]) -> Path:
    return deploy(Wish(method="joint", seeds="ensemble"), project[0])


def test_what_the_last_rows_tell_is_learnt_beside_a_label_of_the_window(project: tuple[Path, Config]) -> None:
    root, _ = project
    joint = Run.read(root / RunPath("finetune", "joint", None, 0).folder / "run.json")
    assert joint.test["state"]["f1"] > 0.95 and joint.test["state"]["average_precision"] > 0.98
    assert joint.test["load"]["macro_f1"] > 0.85 and "f1" not in joint.test["load"]
    assert joint.test["now"]["accuracy"] > 0.9
    alone = Run.read(root / RunPath("baseline", "state", "random", 0).folder / "run.json")
    assert alone.test["state"]["f1"] > 0.95 and alone.guess is not None and alone.guess["state"]["f1"] < 0.7


def test_every_test_row_counts_once(project: tuple[Path, Config]) -> None:
    root, config = project
    data, _ = load_tasks(config, 0, root)
    source = data.sources["machine"]
    for task in ("state", "load"):
        (pool,) = data.select([task], "test")
        rows = source.masks(0)["test"] & (source.data.labels[task] != NO_LABEL)
        assert int((pool.positions[task] != NO_LABEL).sum()) == int(rows.sum())


def test_a_simple_model_reads_each_row_and_those_before_it(project: tuple[Path, Config]) -> None:
    root, config = project
    folder = root / RunPath("simple", "state", None, 0).folder
    run = Run.read(folder / "run.json")
    assert run.simple is not None and set(run.simple.candidates) == {"majority", "logistic"}
    assert run.simple.model == "logistic" and run.test["state"]["f1"] > 0.95
    assert run.simple.about.endswith("of a row and the 6 before it")
    said = mtl.load_model(folder).predict(np.zeros((3, 12, 2)))["state"]
    assert isinstance(said, Tags) and [len(tags) for tags in said.predicted] == [12] * 3
    data, _ = load_tasks(config, 0, root)
    (_, chosen), *_ = fit_simple(config.simple, data, 1)
    before = Before(SavedSimple(model=chosen.saved.model, fit=chosen.saved.fit), chosen.network, lambda: data)
    again, _ = fit_again(config.simple, data, "state", before, 1)
    x = torch.randn(4, 2, 12)
    torch.testing.assert_close(again(x, ["state"])["state"], chosen.network(x, ["state"])["state"])


def test_each_row_of_a_new_file_has_a_class(folder: Path, tmp_path: Path) -> None:
    new = machine(runs=2, count=50, seed=9)
    new.drop(columns=["state", "load"]).to_csv(tmp_path / "new.csv", index=False)
    model = mtl.load_model(folder)
    done = predict_file(model, Request(tmp_path / "new.csv", tmp_path / "out.csv"), origins_of(model))
    assert done.samples == 100 and done.notes == [
        "now: not predicted beside state, load, of which every row of the file has a class: name them by --tasks"
    ]
    read = pd.read_csv(tmp_path / "out.csv")
    assert list(read) == ["run", "time", "state", "state_p:down", "state_p:up", "load", "load_p:high", "load_p:low",
                          "load_p:middle"]  # fmt: skip
    assert read["run"].tolist() == new["run"].tolist() and read["time"].tolist() == new["time"].tolist()
    there = new["state"].notna()
    assert (read["state"] == new["state"])[there].mean() > 0.9 and (read["load"] == new["load"]).mean() > 0.75
    predict_file(model, Request(tmp_path / "new.csv", tmp_path / "now.csv", tasks=["now"]), origins_of(model))
    assert len(pd.read_csv(tmp_path / "now.csv")) == 2


def test_a_row_that_no_window_reads_has_no_class(folder: Path, tmp_path: Path) -> None:
    new = machine(runs=2, count=40, seed=9).drop(columns=["state", "load"])
    new.loc[5, "a"] = np.nan
    new.drop(index=range(50, 80)).to_csv(tmp_path / "new.csv", index=False)
    model = mtl.load_model(folder)
    request = Request(tmp_path / "new.csv", tmp_path / "out.csv", tasks=["state"])
    done = predict_file(model, request, origins_of(model))
    read = pd.read_csv(tmp_path / "out.csv")
    assert read.index[read["state"].isna()].tolist() == [*range(6), *range(40, 50)]
    assert any("16 rows have no class, for fewer than 12 rows with all inputs" in note for note in done.notes)


def test_classes_of_rows_are_scored(project: tuple[Path, Config], folder: Path, tmp_path: Path) -> None:
    new = machine(runs=3, count=60, seed=11)
    new.to_csv(tmp_path / "new.csv", index=False)
    made = score(Labelled(tmp_path / "new.csv"), folder, root=project[0])
    assert list(made.tasks) == ["state", "load", "now"]
    model = mtl.load_model(folder)
    predict_file(model, Request(tmp_path / "new.csv", tmp_path / "out.csv"), origins_of(model))
    read, there = pd.read_csv(tmp_path / "out.csv"), new["state"].notna()
    up, said = new["state"][there] == "up", read["state"][there] == "up"
    f1 = 2 * (up & said).sum() / (up.sum() + said.sum())
    assert made.tasks["state"].metrics["f1"].here == pytest.approx(f1, abs=1e-9)
    assert made.tasks["load"].metrics["accuracy"].here == pytest.approx((read["load"] == new["load"]).mean(), abs=1e-9)


def test_a_service_answers_a_class_for_each_row(folder: Path) -> None:
    service = Service(mtl.load_model(folder))
    content = {"inputs": np.random.default_rng(0).normal(size=(2, 12, 2)).tolist()}
    told = json.loads(answer(service, json.dumps(content).encode(), JSON))["predictions"]
    assert [len(record["state"].split()) for record in told] == [12, 12] and told[0]["now"] in ("up", "down")


@pytest.mark.thorough
def test_classes_of_rows_are_exported(folder: Path) -> None:
    model = mtl.load_model(folder)
    graph = graph_of(model, ["state", "load", "now"])
    assert {given.name: given.shape for given in graph.given}["load:probabilities"] == ("n", 12, 3)
    content, error = program_bytes(model, graph)
    assert content and error < 1e-4


def test_windows_too_short_for_the_model_are_refused(folder: Path, tmp_path: Path) -> None:
    machine(runs=1, count=9).to_csv(tmp_path / "new.csv", index=False)
    model = mtl.load_model(folder)
    request = Request(tmp_path / "new.csv", tmp_path / "out.csv", tasks=["state"])
    with pytest.raises(UserError, match="should have at least 12 rows below each other without a missing input"):
        predict_file(model, request, origins_of(model))
