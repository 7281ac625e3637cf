"""Tasks on rows of a table that start at ridge or logistic regression: the untrained network predicts as the simple
model does."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mtl.config import Config
from mtl.config.inputs import WINDOWS
from mtl.config.simple import SimpleConfig
from mtl.data.inputs.every import input_of
from mtl.data.loading.store import write_prepared
from mtl.data.loading.tasks import TaskSet
from mtl.errors import SettingError
from mtl.experiment import run_finetune
from mtl.experiment.linear_start import solving_once
from mtl.experiment.objects import load_tasks
from mtl.experiment.recipe import joint, single_task
from mtl.experiment.saved import build_network, load_network
from mtl.models.linear_map import RowMap
from mtl.models.multitask import MultiTaskModel
from mtl.paths import PREPARED
from mtl.results.record import Run
from mtl.simple.fit import fit_simple
from mtl.simple.samples import SampleModels
from mtl.training.measure import predict
from tests.experiment.conftest import configure
from tests.helpers.problems import same
from tests.helpers.tables import mixed, tasks

START: dict[str, Any] = {"linear": {}}


def config(**changes: Any) -> Config:
    """A number, its quantiles and labels that start at a linear map, and a number that does not."""
    own = {"source": "table"}
    sections = {
        "y": {"kind": "regression", "target": "y"} | START,
        "spread": {"kind": "regression", "target": "y", "loss": {"quantiles": [0.1, 0.5, 0.9]}} | START,
        "good": {"kind": "binary", "label": "good"} | START,
        "level": {"kind": "classification", "label": "level"} | START,
        "plain": {"kind": "regression", "target": "y"},
    }
    return configure(**{
        "prepare": {"sources": {"table": {"kind": "python", "target": "own:data"}}},
        "tasks": {name: section | own for name, section in sections.items()},
        "encoder": {"kind": "tabular", "width": 8, "members": 2, "layers": 1},
        "finetune": {"methods": {"joint": {"kind": "equal"}}},
    } | changes)  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rows")
    data = mixed(400)
    level = torch.bucketize(data.numbers["y"], torch.tensor([9.0, 12.0], dtype=torch.float64))
    data = replace(data, labels=data.labels | {"level": level}, classes=data.classes | {"level": ["a", "b", "c"]})
    write_prepared(data, folder / PREPARED / "table", {})
    return folder


def built(settings: Config, root: Path) -> tuple[MultiTaskModel, TaskSet]:
    data, _ = load_tasks(settings, 3, root)
    return build_network(joint(settings, "joint", 3), data).eval(), data


@pytest.mark.parametrize("encoder", [None, {"kind": "mlp", "sizes": [8]}], ids=["tabular", "mlp"])
def test_before_the_first_step_a_task_is_its_simple_model(root: Path, encoder: dict[str, Any] | None) -> None:
    model, data = built(config(**({} if encoder is None else {"encoder": encoder})), root)
    simple = {
        name: chosen.network
        for models in (["ridge"], ["logistic"])
        for name, chosen in fit_simple(SimpleConfig.model_validate({"models": models}), data, 1)
        if chosen.saved.model in models
    }
    for name in ("y", "good", "level"):
        found = predict(model, data.select([name], "val"))[name][0]
        wanted = predict(simple[name], data.select([name], "val"))[name][0]
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
    quantiles = predict(model, data.select(["spread"], "val"))["spread"][0]
    numbers = predict(model, data.select(["y"], "val"))["y"][0]
    torch.testing.assert_close(quantiles, numbers[:, None].expand(-1, 3), atol=1e-6, rtol=1e-5)


def test_the_map_is_kept_as_it_is_and_counted(root: Path) -> None:
    settings = config()
    before, data = built(settings, root)
    run = Run.read(run_finetune(settings, "joint", 3, root) / "run.json", "")
    model = load_network(joint(settings, "joint", 3), root).model
    assert isinstance(model, MultiTaskModel)
    for name in ("y", "good", "level"):
        start, kept = before.linear_maps[name], model.linear_maps[name]
        assert isinstance(start, RowMap)
        assert all(torch.equal(kept.state_dict()[key], value) for key, value in start.state_dict().items())
        prediction, target = predict(model, data.select([name], "test"))[name]
        assert data.specs[name].score(prediction, target, detailed=True)[0] == run.test[name]
    columns = 3 + 1 + 4 + 3  # numbers, a flag, a column for missing ones and for each colour and shape
    assert run.parameters.heads["y"] == (8 + 1) + (columns + 1)


def test_windows_and_kernels_are_told_apart() -> None:
    """A start at a row is for rows, and kernels are for windows."""
    settings = tasks(k={"kind": "classification", "label": "colour", "linear": {"kernels": 5}}, y2={
        "kind": "regression", "target": "y", "linear": {}})  # fmt: skip
    held = input_of(mixed()).for_tasks(list(settings.values())).held
    with pytest.raises(SettingError, match=r"tasks.k.linear.kernels.*is for windows.*`linear: \{\}`"):
        settings["k"].learns("k", held)
    assert settings["y2"].learns("y2", held) == "y"
    with pytest.raises(SettingError, match=r"tasks.y2.linear.*is for rows of a table"):
        settings["y2"].check_input("y2", "line", WINDOWS)


def test_maps_of_a_seed_are_solved_once_for_all_its_runs(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = config()
    alone, _ = built(settings, root)

    def never(*_: object) -> None:
        raise AssertionError("solved again")

    with solving_once():
        first, data = built(settings, root)
        monkeypatch.setattr(SampleModels, "on_rows", never)
        again = build_network(joint(settings, "joint", 3), data)
        single = build_network(single_task(settings, "good", settings.baseline.starts[0], 3), data)
        with pytest.raises(AssertionError, match="solved again"):
            build_network(joint(settings, "joint", 4), load_tasks(settings, 4, root)[0])
    with pytest.raises(AssertionError, match="solved again"):
        built(settings, root)
    for name, start in alone.linear_maps.items():
        others = [first.linear_maps[name], again.linear_maps[name]]
        others += [single.linear_maps[name]] if name == "good" else []
        assert all(same(start, other) for other in others)
