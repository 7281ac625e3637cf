"""Importance by permutation: what matters by construction does, noise does not, and the figures are those by hand."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from mtl.config import Config, parse_config
from mtl.config.inputs import IMAGES, MIXED, ROWS, WINDOWS, RowLayout
from mtl.data.build import read_source
from mtl.data.inputs.permuted import Permuted, input_places
from mtl.data.loading.store import write_prepared
from mtl.errors import ConfigError
from mtl.experiment import importance as room
from mtl.experiment import run_baseline, run_finetune
from mtl.experiment.importance import samples_passed, write_importance
from mtl.experiment.objects import load_tasks
from mtl.experiment.recipe import joint
from mtl.experiment.saved import load_network
from mtl.experiment.simple import run_simple, same_samples
from mtl.paths import IMPORTANCE, PREPARED
from mtl.results.importance import Arm, Importance
from mtl.seeding import generator
from tests.experiment.conftest import configure
from tests.helpers.problems import waves

SEEDS = [0, 1, 2]


def table() -> pd.DataFrame:
    """`y` and `up` come from `strong`, a little from `town`; `noise` and the day tell nothing."""
    draw = np.random.default_rng(0)
    strong, noise = draw.normal(size=(2, 600))
    town = draw.choice(["Bonn", "Trier"], 600)
    day = pd.Timestamp("2021-01-01") + pd.to_timedelta(draw.integers(0, 700, 600), unit="D")
    y = 2 * strong + 0.8 * (town == "Trier") + draw.normal(0, 0.1, 600)
    noise[::7] = np.nan
    return pd.DataFrame({
        "strong": strong, "noise": noise, "town": town, "day": day.strftime("%Y-%m-%d"), "y": y,
        "up": np.where(y > 0, "yes", "no"),
    })  # fmt: skip


def setting(permutations: int = 2, **changes: Any) -> Config:
    source = {"kind": "table", "path": "data/raw/own.csv", "folds": 3, "split": {"kind": "random", "test": 0.4}}
    raw: dict[str, Any] = {
        "base": {"seeds": SEEDS, "device": "cpu"},
        "prepare": {"sources": {"own": source}},
        "tasks": {
            "y": {"kind": "regression", "source": "own", "target": "y"},
            "up": {"kind": "binary", "source": "own", "label": "up"},
        },
        "simple": {"models": ["ridge", "logistic"]},
        "encoder": {"kind": "mlp", "sizes": [16]},
        "train": {"epochs": 12, "batch_size": 32, "lr": 0.01, "gradient_probes": 0, "stopping": {"patience": None}},
        "finetune": {"methods": {"joint": {"kind": "equal"}}},
        "evaluate": {"importance": permutations},
    }
    return parse_config(raw | changes)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a project whose runs are finished."""
    root, config = tmp_path_factory.mktemp("importance"), setting()
    (root / "data/raw").mkdir(parents=True)
    table().to_csv(root / "data/raw/own.csv", index=False)
    write_prepared(read_source("own", config.prepare.sources["own"], root), root / PREPARED / "own", {})
    for seeds in same_samples(config, root):
        run_simple(config, seeds, root)
    for seed in SEEDS:
        for task in config.tasks:
            run_baseline(config, task, config.baseline.starts[0], seed, root)
        run_finetune(config, "joint", seed, root)
    write_importance(config, root)
    return root


def arms(root: Path) -> dict[tuple[str, str], Arm]:
    return {(arm.task, arm.method): arm for arm in Importance.read(root / IMPORTANCE).arms}


def test_what_matters_by_construction_does_and_noise_does_not(project: Path) -> None:
    found = arms(project)
    assert list(found) == [(task, method) for method in ("simple", "stl", "joint") for task in ("y", "up")]
    for (task, _), arm in found.items():
        lost = {entry.input: entry.lost for entry in arm.inputs}
        assert list(lost) == ["strong", "noise", "day", "town"], "the parts of a day are one input, its mark is noise's"
        assert all(entry.mean is not None and entry.n == len(SEEDS) for entry in lost.values())
        means = {name: float(entry.mean or 0.0) for name, entry in lost.items()}
        least = 1.0 if task == "y" else 0.2
        assert means["strong"] > least and lost["strong"].sign == 1
        assert means["strong"] > means["town"] > max(means["noise"], means["day"])
        assert max(abs(means["noise"]), abs(means["day"])) < 0.1 * means["strong"]


def test_the_figures_are_those_by_hand(project: Path) -> None:
    """One permutation of one column of what the network sees, on the whole test part."""
    config, seed = setting(1), SEEDS[1]
    before = (project / IMPORTANCE).read_bytes()
    write_importance(config, project)
    arm = arms(project)["y", "joint"]
    (project / IMPORTANCE).write_bytes(before)
    data, _ = load_tasks(config, seed, project)
    (pool,) = data.select(["y", "up"], "test")
    x = pool.batch(torch.arange(len(pool))).x.clone()
    truth = pool.batch(torch.arange(len(pool))).target("y")
    model = load_network(joint(config, "joint", seed), project).model

    def mse() -> float:
        with torch.no_grad():
            return float((model(x, ["y", "up"])["y"].double() - truth.double()).square().mean())

    usual = mse()
    order = torch.randperm(len(pool), generator=generator(seed, "importance", pool.name, "strong", 0))
    x[:, 0] = x[order, 0]
    assert arm.usual[1] == pytest.approx(usual, rel=1e-5)
    assert next(entry for entry in arm.inputs if entry.input == "strong").values[1] == pytest.approx(
        mse() - usual, rel=1e-4
    )


def test_a_simple_model_that_knows_the_rule_loses_what_the_input_is_worth(project: Path) -> None:
    """y = 2 · strong + …: without it the squared error is 2 · 4 · var(strong) more, in units of var(y)."""
    y = table()["y"].var()
    (entry,) = (entry for entry in arms(project)["y", "simple"].inputs if entry.input == "strong")
    assert entry.lost.mean == pytest.approx(8 * table()["strong"].var() / y, rel=0.15)


def test_passes_are_counted_before_they_are_made(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, _ = load_tasks(setting(), 0, project)
    (pool,) = data.select(["y"], "test")
    assert samples_passed(joint(setting(), "joint", 0), data) == len(pool) * (1 + 4 * 2)
    assert samples_passed(joint(setting(0), "joint", 0), data) == 0
    monkeypatch.setattr(room, "MOST", 50)
    assert samples_passed(joint(setting(5), "joint", 0), data) == 50 * (1 + 4 * 5)


def test_the_same_bytes_and_nothing_unasked(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (project / IMPORTANCE).read_bytes()
    write_importance(setting(), project)
    assert (project / IMPORTANCE).read_bytes() == before
    monkeypatch.setattr(room, "MOST", 50)
    write_importance(setting(), project)
    few = Importance.read(project / IMPORTANCE)
    assert few.most == 50 and few.arms[0].usual != Importance.loads(before, "before").arms[0].usual
    write_importance(setting(0), project)
    assert Importance.read(project / IMPORTANCE).arms == []
    (project / IMPORTANCE).write_bytes(before)


def test_a_channel_of_a_window_is_that_of_another_and_what_follows_stays(tmp_path: Path) -> None:
    write_prepared(waves(), tmp_path / PREPARED / "line", {})
    data, _ = load_tasks(configure(), 3, tmp_path)
    pool = data.select(["next"], "test")[0]
    order = torch.randperm(len(pool), generator=torch.Generator().manual_seed(0))
    mixed = replace(pool, samples=Permuted(pool.samples, order, torch.tensor([1])))
    index = torch.arange(len(pool))
    before, after = pool.batch(index), mixed.batch(index)
    assert torch.equal(after.x[:, 1], before.x[order, 1])
    others = [channel for channel in range(before.x.shape[1]) if channel != 1]
    assert torch.equal(after.x[:, others], before.x[:, others])
    assert torch.equal(after.ahead["next"], before.ahead["next"]) and torch.equal(
        mixed.samples.numbers, pool.samples.numbers
    )
    some = index[5:9]
    assert torch.equal(mixed.batch(some).x, after.x[some]), "whatever is gathered together"


def test_places_of_inputs() -> None:
    assert input_places(WINDOWS, ["a", "b (hour)"], None) == {"a": [0], "b (hour)": [1]}
    assert input_places(MIXED, ["a", "photo"], None) == {}, "its numbers are those of all parts, one after the other"
    assert input_places(ROWS, ["a", "b"], None) == {"a": [0], "b": [1]}
    layout = RowLayout(4, flags=(1, 3), codes=(3, 3))
    columns = ["a", "b", "when (days)", "when (month)", "c", "d"]
    assert input_places(ROWS, columns, layout) == {"a": [0], "b": [1, 4], "when": [2, 3, 5], "c": [6], "d": [7]}
    assert input_places(IMAGES, ["red", "green", "blue"], None) == {}


@pytest.mark.parametrize("wrong", [-1, 101, 1.5, True, "many", None])
def test_other_numbers_of_permutations_are_refused(wrong: object) -> None:
    with pytest.raises(ConfigError, match=r"`evaluate.importance`"):
        setting(evaluate={"importance": wrong})
