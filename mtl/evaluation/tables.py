"""The long tables and files that `evaluate` writes; the same runs always give the same bytes."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mtl.config import Config
from mtl.evaluation.runs import Run
from mtl.paths import RunPath
from mtl.types import SPLITS

STL = "stl"
"""Name of the single-task baselines wherever methods are listed."""
RUN_COLUMNS = ["stage", "method", "task", "seed", "start", "init", "freeze", "fold"]
CURVE_COLUMNS = ["stage", "method", "task", "seed", "start", "epoch", "split", "metric", "value"]


def runs_table(runs: Iterable[Run]) -> pd.DataFrame:
    """Every metric of every run, one a row.

    Columns: `RUN_COLUMNS`, `split`, `metric`, `at` (the horizon step or the channel of a detailed test metric, else
    empty), `value`, `epochs_run`, `best_epoch`, `steps`.
    """
    rows = []
    for run in runs:
        record = run.record
        method = STL if run.path.stage == "baseline" else run.path.name
        begin = [run.start, record["init"], record["freeze"], record["fold"]]
        for task in record["tasks"]:
            key = [run.path.stage, method, task, run.path.seed, *begin]
            end = [record["epochs_run"], record["best_epoch"], record["steps"]]
            for split in SPLITS:
                for metric, value in sorted((record[split] or {}).get(task, {}).items()):
                    rows.append([*key, split, metric, "", float(value), *end])
            for metric, at, value in _detailed(record["detail"].get(task, {})):
                rows.append([*key, "test", metric, at, value, *end])
    columns = [*RUN_COLUMNS, "split", "metric", "at", "value", "epochs_run", "best_epoch", "steps"]
    return pd.DataFrame(rows, columns=columns)


def learning_curves(histories: Iterable[tuple[Run, dict[str, Any]]]) -> pd.DataFrame:
    """Every number of every epoch, one a row (`CURVE_COLUMNS`); `epoch` counts on through a sequential run's phases.

    What belongs to no task (`lr`, `lambda`, `score`, `grad_norm`) has an empty task; a task's weight is its metric
    `weight` in the split `train`.
    """
    rows = []
    for run, history in histories:
        method = STL if run.path.stage == "baseline" else run.path.name or ""
        for number, epoch in enumerate(history["epochs"], start=1):
            for task, split, metric, value in _epoch(epoch, run.path.stage):
                key = [run.path.stage, method, task, run.path.seed, run.start, number]
                rows.append([*key, split, metric, value])
    return pd.DataFrame(rows, columns=CURVE_COLUMNS)


def metrics_summary(config: Config, runs: Iterable[Run]) -> dict[str, dict[str, dict[str, float]]]:
    """Test metrics, means over seeds: method → task → metric; `stl` is the first start, `stl_<start>` another."""
    by_path = {run.path: run for run in runs}
    seeds = config.base.seeds

    def means(task: str, found: Sequence[Run]) -> dict[str, float]:
        names = found[0].record["test"][task]
        return {name: sum(run.value(task, name) for run in found) / len(found) for name in names}

    summary: dict[str, dict[str, dict[str, float]]] = {}
    for number, start in enumerate(config.baseline.starts):
        summary[STL if number == 0 else f"{STL}_{start.label}"] = {
            task: means(task, [by_path[RunPath("baseline", task, start.label, seed)] for seed in seeds])
            for task in config.baseline_tasks
        }
    for method in config.finetune.methods:
        found = [by_path[RunPath("finetune", method, None, seed)] for seed in seeds]
        summary[method] = {task: means(task, found) for task in config.judged_tasks(method)}
    return summary


def write_json(content: dict[str, Any], path: Path) -> None:
    """JSON with sorted keys and a final newline; floats as they are, NaN refused."""
    text = json.dumps(content, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """CSV without an index; floats in their shortest exact form."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False, lineterminator="\n")


def write_parquet(table: pd.DataFrame, path: Path) -> None:
    """Parquet without an index."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_parquet(path, index=False, engine="pyarrow", compression="zstd")


def _detailed(detail: dict[str, Any]) -> list[tuple[str, str, float]]:
    """(metric, step or channel, value) of what a forecast's detail holds; a confusion matrix stays in run.json."""
    found: list[tuple[str, str, float]] = []
    for metric, values in sorted(detail.items()):
        if metric.endswith("_by_horizon"):
            found += [(metric, str(step), float(value)) for step, value in enumerate(values, start=1)]
        elif metric.endswith("_by_channel"):
            found += [(metric, name, float(value)) for name, value in values.items()]
    return found


def _epoch(epoch: dict[str, Any], stage: str) -> list[tuple[str, str, str, float]]:
    """(task, split, metric, value) of one epoch."""
    found = [
        ("", "train", name, float(epoch[name]))
        for name in ("lr", "lambda", "score", "grad_norm")
        if epoch.get(name) is not None
    ]
    found += [(task, "train", "weight", float(value)) for task, value in (epoch.get("weights") or {}).items()]
    watched = [split for split in SPLITS if split in epoch]  # `test` with `train.watch_test` alone
    for split in watched:
        # Pretraining has no tasks: its losses stand one level higher.
        by_task = {"": epoch[split]} if stage == "pretrain" else epoch[split]
        for task, metrics in by_task.items():
            found += [(task, split, name, float(value)) for name, value in metrics.items() if value is not None]
    return found
