"""The long tables and files that `evaluate` writes; the same runs always give the same bytes."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import pandas as pd

from mtl.config import Config
from mtl.paths import RunPath
from mtl.results.history import Epoch, History, PretrainingEpoch, PretrainingHistory
from mtl.results.means import Means
from mtl.results.numbers import SPLITS
from mtl.results.record import Detail, Pretraining, Run

SIMPLE: Final = "simple"
"""Name of the simple models there."""
STL = "stl"
"""Name of the single-task baselines wherever methods are listed."""
RUN_COLUMNS = ["stage", "method", "task", "seed", "start", "init", "freeze", "fold"]
CURVE_COLUMNS = ["stage", "method", "task", "seed", "start", "epoch", "split", "metric", "value"]


def method_of(run: Run) -> str:
    """Name of the arm that a run belongs to, wherever runs are listed: `stl`, a method, or a simple model."""
    if run.simple is not None:
        return run.simple.model
    return STL if run.stage == "baseline" else run.name


def runs_table(runs: Iterable[Run]) -> pd.DataFrame:
    """Every metric of every run, one a row.

    Columns: `RUN_COLUMNS`, `split`, `metric`, `at` (the horizon step or the channel of a detailed test metric, else
    empty), `value`, `epochs_run`, `best_epoch`, `steps`.
    """
    rows = []
    for run in runs:
        method = method_of(run)
        begin = [run.start if run.simple is None else "", run.init, run.freeze, run.fold]
        for task in run.tasks:
            key = [run.path.stage, method, task, run.path.seed, *begin]
            end = [run.epochs_run, run.best_epoch, run.steps]
            for split in SPLITS:
                for metric, value in sorted(run.metrics(split).get(task, {}).items()):
                    rows.append([*key, split, metric, "", value, *end])
            for metric, at, value in _detailed(run.detail.get(task, Detail())):
                rows.append([*key, "test", metric, at, value, *end])
    columns = [*RUN_COLUMNS, "split", "metric", "at", "value", "epochs_run", "best_epoch", "steps"]
    return pd.DataFrame(rows, columns=columns)


def learning_curves(
    histories: Iterable[tuple[Run, History]], pretrainings: Iterable[tuple[Pretraining, PretrainingHistory]] = ()
) -> pd.DataFrame:
    """Every number of every epoch, one a row (`CURVE_COLUMNS`); `epoch` counts on through a sequential run's phases.

    What belongs to no task (`lr`, `lambda`, `score`, `grad_norm`) has an empty task; a task's weight is its metric
    `weight` in the split `train`.
    """
    rows = []
    for pretraining, early in pretrainings:
        for number, step in enumerate(early.epochs, start=1):
            for split, metric, value in _pretraining_epoch(step):
                rows.append(["pretrain", "", "", pretraining.seed, "", number, split, metric, value])
    for run, history in histories:
        method = method_of(run)
        for number, epoch in enumerate(history.epochs, start=1):
            for task, split, metric, value in _epoch(epoch):
                rows.append([run.stage, method, task, run.seed, run.start, number, split, metric, value])
    return pd.DataFrame(rows, columns=CURVE_COLUMNS)


def metrics_summary(config: Config, runs: Iterable[Run]) -> Means:
    """Test metrics, means over seeds: method → task → metric; `simple` are the simple models, `stl` is the first start,
    `stl_<start>` another.

    A metric that some seed's samples leave undefined is left out: a mean over the others would be of other data.
    """
    by_path = {run.path: run for run in runs}
    seeds = config.base.seeds

    def means(task: str, runs: Sequence[Run]) -> dict[str, float]:
        names = [name for name in runs[0].test[task] if all(name in run.test[task] for run in runs)]
        return {name: sum(run.value(task, name) for run in runs) / len(runs) for name in names}

    summary: dict[str, dict[str, dict[str, float]]] = {}
    if config.simple.enabled:
        summary[SIMPLE] = {
            task: means(task, [by_path[RunPath(SIMPLE, task, None, seed)] for seed in seeds]) for task in config.tasks
        }
    for number, start in enumerate(config.baseline.starts):
        summary[STL if number == 0 else f"{STL}_{start.label}"] = {
            task: means(task, [by_path[RunPath("baseline", task, start.label, seed)] for seed in seeds])
            for task in config.baseline_tasks
        }
    for method in config.finetune.methods:
        of_method = [by_path[RunPath("finetune", method, None, seed)] for seed in seeds]
        summary[method] = {task: means(task, of_method) for task in config.judged_tasks(method)}
    return Means.model_validate(summary)


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """CSV without an index; floats in their shortest exact form."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False, lineterminator="\n")


def write_parquet(table: pd.DataFrame, path: Path) -> None:
    """Parquet without an index."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_parquet(path, index=False, engine="pyarrow", compression="zstd")


def _detailed(detail: Detail) -> list[tuple[str, str, float]]:
    """(metric, step or channel, value) of the tables of a detail; a confusion matrix stays in run.json."""
    rows: list[tuple[str, str, float]] = []
    for metric in sorted(detail.tables):
        if metric.endswith("_by_horizon"):
            rows += [(metric, str(step), value) for step, value in enumerate(detail.row(metric), start=1)]
        elif metric.endswith("_by_channel"):
            rows += [(metric, name, value) for name, value in detail.by_name(metric).items()]
    return rows


def _epoch(epoch: Epoch) -> list[tuple[str, str, str, float]]:
    """(task, split, metric, value) of one epoch."""
    whole = {"lr": epoch.lr, "lambda": epoch.lam, "score": epoch.score, "grad_norm": epoch.grad_norm}
    rows = [("", "train", name, value) for name, value in whole.items() if value is not None]
    rows += [(task, "train", "weight", value) for task, value in epoch.weights.items()]
    rows += [(task, "train", "loss", part.loss) for task, part in epoch.train.items() if part.loss is not None]
    for split, by_task in (("val", epoch.val), ("test", epoch.test or {})):  # `test` with `train.watch_test` alone
        rows += [(task, split, name, value) for task, metrics in by_task.items() for name, value in metrics.items()]
    return rows


def _pretraining_epoch(epoch: PretrainingEpoch) -> list[tuple[str, str, float]]:
    """(split, metric, value) of one epoch of a pretraining, which has no tasks."""
    return [("train", "lr", epoch.lr), ("train", "loss", epoch.train.loss), ("val", "loss", epoch.val.loss)]
