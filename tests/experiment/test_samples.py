"""Losses, predictions and slices of every test sample against the metrics that the runs themselves measured."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from mtl.config import Config, Start
from mtl.data.loading.store import write_prepared
from mtl.evaluation.compare import compare
from mtl.experiment import run_baseline, run_finetune, samples
from mtl.experiment.samples import write_samples
from mtl.paths import LOSSES, PREDICTIONS, PREPARED, SLICES
from mtl.results.record import Run
from mtl.results.samples import BlockErrors, ErrorsOf, in_blocks, read_block_errors
from mtl.results.slices import Slices
from tests.experiment.conftest import configure
from tests.helpers.problems import waves

WINDOW = {"source": "line", "input_len": 8}
TASKS = {
    "next": {"kind": "forecast", "horizon": 4, "loss": "mae", "metric": "mae", **WINDOW},
    "phase": {"kind": "classification", "label": "phase", "metric": "log_loss", **WINDOW},
    "up": {"kind": "binary", "label": "up", **WINDOW},
    "bands": {"kind": "forecast", "horizon": 2, "loss": {"quantiles": [0.1, 0.5, 0.9]}, **WINDOW},
}
SEEDS = [3, 4]


def setting(**evaluate: Any) -> Config:
    return configure(tasks=TASKS, baseline={"tasks": ["next", "up"]}, evaluate=evaluate)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[tuple[str, str, int], Run]]]:
    """(project folder with all results, (method, task, seed) → its run)."""
    root = tmp_path_factory.mktemp("samples")
    write_prepared(waves(), root / PREPARED / "line", {})
    config, runs = setting(), {}
    for seed in SEEDS:
        for task in config.baseline_tasks:
            folder = run_baseline(config, task, Start(), seed, root)
            runs["stl", task, seed] = Run.read(folder / "run.json")
        joint = Run.read(run_finetune(config, "joint", seed, root) / "run.json")
        runs |= {("joint", task, seed): joint for task in joint.tasks}
    write_samples(setting(slices=["up", "class"]), root)
    yield root, runs


Trained = tuple[Path, dict[tuple[str, str, int], Run]]
PRIMARY = {"next": "mae", "phase": "log_loss", "up": "accuracy", "bands": "crps"}
LOSS = {"next": "mae", "phase": "loss", "up": "loss", "bands": "crps"}


def test_means_of_errors_are_the_metrics_of_the_runs(trained: Trained) -> None:
    root, runs = trained
    table = pd.read_parquet(root / LOSSES)
    groups = dict(iter(table.groupby(["method", "task", "seed"])))
    assert groups.keys() == runs.keys()
    for (method, task, seed), part in groups.items():
        metrics = runs[method, task, seed].test[task]
        expected = metrics[PRIMARY[task]]
        assert part["error"].mean() == pytest.approx(1 - expected if task == "up" else expected, rel=1e-12)
        assert part["loss"].mean() == pytest.approx(metrics[LOSS[task]], rel=1e-6)
        assert part["sample"].is_monotonic_increasing and part["sample"].is_unique


def test_errors_are_added_up_over_stretches_of_the_series(trained: Trained) -> None:
    root, runs = trained
    table = pd.read_parquet(root / LOSSES)
    sums = read_block_errors(root / LOSSES)
    assert {(of.method, of.task, of.seed) for of in sums} == runs.keys()
    for of, part in sums.items():
        rows = table[(table["method"] == of.method) & (table["task"] == of.task) & (table["seed"] == of.seed)]
        by_block = rows.groupby("block")
        assert part.blocks.tolist() == list(range(len(by_block)))
        assert part.sums == pytest.approx(by_block["error"].sum().to_numpy(), rel=1e-12)
        assert part.samples.tolist() == by_block["sample"].count().tolist()
        span = by_block["sample"].agg(["min", "max"])
        assert (span["min"].iloc[1:].to_numpy() > span["max"].iloc[:-1].to_numpy()).all()
        assert len(by_block) == min(16, len(rows) // 8)


def test_changes_of_the_runs_have_intervals_for_new_data(trained: Trained) -> None:
    """Metrics of run.json and errors of losses.parquet give the same mean change, seed by seed on the same samples."""
    root, runs = trained
    table = pd.read_parquet(root / LOSSES)

    def single(task: str) -> dict[ErrorsOf, BlockErrors]:
        """Errors of a task where each sample counts as independent."""
        by_run = table[table["task"] == task].groupby(["stage", "method", "start", "task", "seed"])
        return {ErrorsOf(*key): in_blocks(part["error"].to_numpy(), part["sample"].to_numpy()) for key, part in by_run}

    verdicts = compare(setting(), runs.values(), errors=single)
    assert {(row.method, row.task) for row in verdicts.rows} == {("joint", "next"), ("joint", "up")}
    for row in verdicts.rows:
        assert row.new_data is not None, row.no_new_data
        assert row.new_data.mean == pytest.approx(row.change.mean, rel=1e-6)
        assert row.change.low is not None and row.change.high is not None
        assert row.new_data.low <= row.change.low + 1e-9 and row.change.high - 1e-9 <= row.new_data.high
        assert row.new_data.blocks == table[table["task"] == row.task]["sample"].nunique()
        assert (row.verdict.covers, row.verdict.text) == ("new data", "not known: too few seeds")
    few = compare(setting(), runs.values(), errors=partial(read_block_errors, root / LOSSES))
    (short,) = [row for row in few.rows if row.task == "next"]
    assert short.no_new_data == "the test part has 4 independent blocks, and fewer than 5 tell no spread"
    assert short.new_data is None and short.verdict.covers == "training"


def test_errors_of_a_task_are_read_alone(trained: Trained) -> None:
    root, _ = trained
    every = read_block_errors(root / LOSSES)
    for task in {of.task for of in every}:
        alone = read_block_errors(root / LOSSES, task)
        assert list(alone) == [of for of in every if of.task == task]
        assert all((alone[of].sums == every[of].sums).all() for of in alone)
    assert read_block_errors(root / LOSSES, "nobody") == {}


def test_predictions_have_the_metrics_of_the_runs(trained: Trained) -> None:
    root, runs = trained
    table = pd.read_parquet(root / PREDICTIONS)
    truth = table[table["stage"] == "truth"]
    assert truth.index.max() < len(truth) and truth["seed"].isna().all()
    assert not truth.duplicated(["task", "sample"]).any()
    for (method, task, seed), run in runs.items():
        said = table[(table["method"] == method) & (table["task"] == task) & (table["seed"] == seed)]
        true = truth[truth["task"] == task]
        assert said["sample"].tolist() == true["sample"].tolist()
        if task == "next":
            error = np.stack(said["values"].tolist()) - np.stack(true["values"].tolist())
            by_channel = np.square(error.astype(float)).reshape(len(error), -1, 4).mean(axis=(0, 2))
            expected = run.detail["next"].by_name("mse_original_by_channel")
            np.testing.assert_allclose(by_channel, list(expected.values()), rtol=1e-4)
            assert said["label"].isna().all()
        elif task == "bands":
            assert {len(values) for values in said["values"]} == {3 * 2 * 2} and said["label"].isna().all()
        else:
            right = said["label"].to_numpy() == true["label"].to_numpy()
            assert right.mean() == pytest.approx(run.test[task]["accuracy"], rel=1e-12)
            chances = np.stack(said["values"].tolist())
            np.testing.assert_allclose(chances.sum(axis=1), 1, rtol=1e-5)


def test_slices_add_up_to_the_whole(trained: Trained) -> None:
    root, runs = trained
    slices = Slices.read(root / SLICES)
    for (method, task, seed), run in runs.items():
        for by, metric in (("up", PRIMARY[task]), ("class", "accuracy")):
            chosen = [part for part in slices.slices if (part.by, part.task, part.method) == (by, task, method)]
            if by == "class" and task not in ("up", "phase"):
                assert not chosen
                continue
            total = sum(part.samples for part in chosen)
            mean = sum(part.samples * part.metrics[metric][SEEDS.index(seed)] for part in chosen) / total
            assert mean == pytest.approx(run.test[task][metric], rel=1e-9)


def test_worst_samples_have_the_largest_losses(trained: Trained) -> None:
    root, runs = trained
    losses = pd.read_parquet(root / LOSSES).query("seed == 3")
    truth = pd.read_parquet(root / PREDICTIONS).query("stage == 'truth' and task == 'up'").set_index("sample")
    worst = Slices.read(root / SLICES).worst
    for method, task in {(method, task) for method, task, _ in runs}:
        listed = [one for one in worst if (one.method, one.task) == (method, task)]
        largest = losses[(losses["method"] == method) & (losses["task"] == task)]["loss"].nlargest(5)
        assert [one.loss for one in listed] == pytest.approx(largest.tolist())
        if task == "up":
            assert [one.truth for one in listed] == truth["label"].loc[[one.sample for one in listed]].tolist()


def test_the_same_runs_give_the_same_bytes_in_rows_of_bounded_size(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, _ = trained
    files = (LOSSES, PREDICTIONS, SLICES)
    before = [(root / file).read_bytes() for file in files]
    whole = pd.read_parquet(root / PREDICTIONS)
    write_samples(setting(slices=["up", "class"]), root)
    assert [(root / file).read_bytes() for file in files] == before
    monkeypatch.setattr(samples, "NUMBERS", 80)
    write_samples(setting(slices=["up", "class"]), root)
    rows = pq.ParquetFile(root / PREDICTIONS).metadata
    assert max(rows.row_group(number).num_rows for number in range(rows.num_row_groups)) <= 40
    pd.testing.assert_frame_equal(pd.read_parquet(root / PREDICTIONS), whole)
    monkeypatch.undo()
    write_samples(setting(slices=["up", "class"]), root)


def test_predictions_are_left_out_and_losses_are_not(trained: Trained) -> None:
    root, _ = trained
    before = (root / LOSSES).read_bytes()
    write_samples(setting(predictions=False), root)
    assert (root / LOSSES).read_bytes() == before
    assert len(pd.read_parquet(root / PREDICTIONS)) == 0
    assert Slices.read(root / SLICES) == Slices(by=[])
    write_samples(setting(slices=["up", "class"]), root)
