"""Long tables hold every number once, and their files the same bytes every time."""

from pathlib import Path

import pandas as pd
import pytest

from mtl.errors import UserError
from mtl.evaluation.runs import read_histories, read_pretraining, read_runs
from mtl.evaluation.tables import (
    learning_curves,
    metrics_summary,
    runs_table,
    write_csv,
    write_parquet,
)
from mtl.files import write_json
from mtl.paths import RunPath
from tests.helpers.records import epoch_json, history, pretraining_json

from .simulated import make_config, make_runs, simple_runs, write_runs
from .test_compare import planted

STARTS = {"starts": [{"init": "random"}, {"init": "random", "freeze": "encoder"}]}
EPOCH = epoch_json(
    weights={"short": 0.9, "fault": 0.1}, score=0.3, train={"short": {"loss": 0.7}}, grad_norm=2.0,
    val={"short": {"mse": 0.6, "mae": 0.5}},
) | {"lambda": 0.1}  # fmt: skip


def test_runs_table_has_every_metric_of_every_split() -> None:
    config = make_config(range(2))
    runs = make_runs(config, planted({}, 0.01))
    table = runs_table(runs)
    one = table.query("method == 'joint' and task == 'short' and seed == 1 and split == 'test' and metric == 'mse'")
    run = next(run for run in runs if run.path == RunPath("finetune", "joint", None, 1))
    assert one["value"].tolist() == [run.value("short", "mse")]
    assert set(table["method"]) == {"stl", "joint", "learned"} and set(table["split"]) == {"train", "val", "test"}
    detailed = table.query("method == 'joint' and task == 'short' and seed == 1 and at != ''")
    assert list(zip(detailed["metric"], detailed["at"], detailed["value"], strict=True)) == [
        ("mae_by_channel", "a", 0.125), ("mse_by_horizon", "1", 0.25), ("mse_by_horizon", "2", 0.5),
    ]  # fmt: skip
    keys = ["stage", "method", "task", "seed", "start", "split", "metric", "at"]
    assert not table.duplicated(keys).any()
    # 2 metrics of a forecast and 4 of a label × 3 splits for each run, and 3 detailed numbers for each forecast.
    assert len(table) == 2 * 6 * (2 + 4) * 3 + 2 * 6 * 3


def test_metrics_are_means_over_seeds_by_start_and_method() -> None:
    config = make_config(range(3), baseline=STARTS)
    runs = make_runs(config, lambda path, task: path.seed + (10 if path.start == "random-frozen" else 1))
    summary = metrics_summary(config, runs).by_method
    assert list(summary) == ["stl", "stl_random-frozen", "joint", "learned"]
    assert summary["stl"]["short"] == {"mse": 2.0, "mae": 0.5}
    assert summary["stl_random-frozen"]["fault"] == {
        "accuracy": 11.0, "loss": 0.5, "balanced_accuracy": 0.5, "macro_f1": 0.25,
    }  # fmt: skip
    assert set(summary["joint"]) == {"short", "long", "fault", "coin"}


def test_simple_models_are_listed_beside_the_networks() -> None:
    config = make_config(range(2), simple={"models": None})
    values = {"short": 0.5, "long": 0.6, "fault": 0.7, "coin": 0.5}
    runs = [*make_runs(config, planted({}, 0.01)), *simple_runs(config, values)]
    summary = metrics_summary(config, runs).by_method
    assert list(summary) == ["simple", "stl", "joint", "learned"]
    assert summary["simple"]["short"] == {"mse": 0.5} and summary["simple"]["fault"] == {"accuracy": 0.7}
    rows = runs_table(runs).query("stage == 'simple' and task == 'short'")
    assert set(rows["method"]) == {"ridge"} and set(rows["split"]) == {"train", "val", "test"}
    assert set(rows["epochs_run"]) == set(rows["steps"]) == {0}


def test_a_metric_that_some_seed_cannot_give_has_no_mean() -> None:
    config = make_config(range(3))
    runs = make_runs(config, planted({}, 0.01))
    for run in runs:
        if run.seed != 2:
            run.test.get("fault", {})["auc"] = 0.75
    summary = metrics_summary(config, runs).by_method
    assert all("auc" not in values for by_task in summary.values() for values in by_task.values())
    next(run for run in runs if run.seed == 2 and run.name == "joint").test["fault"]["auc"] = 0.9
    assert metrics_summary(config, runs).by_method["joint"]["fault"]["auc"] == pytest.approx(0.8)


def test_learning_curves_are_long() -> None:
    run = make_runs(make_config([3]), planted({}, 0.01))[-2]
    later = EPOCH | {"epoch": 1, "phase": 2, "lambda": None, "train": {"short": {"loss": None}}}
    table = learning_curves([(run, history(EPOCH, later))])
    assert list(table.columns) == ["stage", "method", "task", "seed", "start", "epoch", "split", "metric", "value"]
    first, second = table[table["epoch"] == 1], table[table["epoch"] == 2]
    found = {(r.task, r.split, r.metric): r.value for r in first.itertuples()}
    assert found == {
        ("", "train", "lr"): 0.001, ("", "train", "lambda"): 0.1, ("", "train", "score"): 0.3,
        ("", "train", "grad_norm"): 2.0, ("short", "train", "weight"): 0.9, ("fault", "train", "weight"): 0.1,
        ("short", "train", "loss"): 0.7, ("short", "val", "mse"): 0.6, ("short", "val", "mae"): 0.5,
    }  # fmt: skip
    assert len(second) == len(first) - 2
    assert set(table["seed"]) == {3} and set(table["start"]) == {"random"}


@pytest.mark.parametrize(("shared", "count"), [(False, 2), (True, 1)])
def test_curves_of_pretraining(tmp_path: Path, shared: bool, count: int) -> None:
    objective = {"objective": {"kind": "denoise"}, "input_len": 48, "shared": shared}
    config = make_config([4, 2], pretrain=objective)
    losses = {"epochs": [{"epoch": 1, "lr": 0.1, "train": {"loss": 2.0}, "val": {"loss": 3.0}}]}
    for seed in (4, 2)[:count]:
        folder = tmp_path / RunPath("pretrain", None, None, seed).folder
        write_json(folder / "run.json", pretraining_json(seed))
        write_json(folder / "history.json", losses)
    table = learning_curves([], read_pretraining(config, tmp_path))
    assert len(table) == 3 * count
    assert set(zip(table["task"], table["split"], table["metric"], table["value"], strict=True)) == {
        ("", "train", "lr", 0.1), ("", "train", "loss", 2.0), ("", "val", "loss", 3.0),
    }  # fmt: skip
    assert read_pretraining(make_config(), tmp_path) == []


def test_a_missing_history_names_the_stage(tmp_path: Path) -> None:
    config = make_config([0])
    write_runs(make_runs(config, planted({}, 0.01)), tmp_path)
    with pytest.raises(UserError, match=r"history.json is missing; run `mtl repro baseline@short`"):
        read_histories(read_runs(config, tmp_path), tmp_path)


def test_files_are_the_same_bytes_twice_and_read_back(tmp_path: Path) -> None:
    config = make_config([0, 1])
    runs = make_runs(config, planted({}, 0.01))
    curves = learning_curves([(run, history(EPOCH)) for run in runs])
    for folder in ("a", "b"):
        write_parquet(runs_table(runs), tmp_path / folder / "runs.parquet")
        write_csv(curves, tmp_path / folder / "learning_curves.csv")
        metrics_summary(config, runs).write(tmp_path / folder / "metrics.json")
    for name in ("runs.parquet", "learning_curves.csv", "metrics.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "a" / "runs.parquet"), runs_table(runs))
    text = (tmp_path / "a" / "metrics.json").read_text()
    assert text.endswith("}\n") and text.index('"joint"') < text.index('"stl"')
