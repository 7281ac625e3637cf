"""Runs with planted test metrics: the truth is known, so verdicts can be checked."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from mtl.config import Config, parse_config
from mtl.evaluation.comparison import primary_metric
from mtl.evaluation.runs import Run
from mtl.evaluation.tables import write_json
from mtl.paths import RunPath, run_paths

PARAMETERS = {"baseline": 1000, "finetune": 1500}
Value = Callable[[RunPath, str], float]
"""(run, task) → its primary test metric."""


def make_config(seeds: Iterable[int] = range(5), **sections: Any) -> Config:
    """Two forecasts, a label, an auxiliary label; two methods; whole sections can be replaced."""
    raw: dict[str, Any] = {
        "base": {"seeds": list(seeds)},
        "prepare": {"sources": {"plant": {"kind": "sensors"}}},
        "tasks": {
            "short": {"kind": "forecast", "source": "plant", "input_len": 48, "horizon": 6},
            "long": {"kind": "forecast", "source": "plant", "input_len": 48, "horizon": 24},
            "fault": {"kind": "binary", "source": "plant", "input_len": 48, "label": "fault"},
            "coin": {"kind": "binary", "source": "plant", "input_len": 48, "label": "coin", "role": "auxiliary"},
        },
        "encoder": {"kind": "timedart"},
        "finetune": {
            "methods": {
                "joint": {"kind": "weighted", "lambda": 0.2, "schedule": "warmup"},
                "learned": {"kind": "uncertainty"},
            }
        },
    }
    return parse_config(raw | sections)


def make_runs(config: Config, value: Value, optimum: dict[str, float] | None = None) -> list[Run]:
    return [make_run(config, path, value, optimum or {}) for path in run_paths(config) if path.stage != "pretrain"]


def make_run(config: Config, path: RunPath, value: Value, optimum: dict[str, float]) -> Run:
    assert path.name is not None
    alone = path.stage == "baseline"
    method = None if alone else config.finetune.methods[path.name]
    tasks = [path.name] if alone else config.judged_tasks(path.name)
    starts = {start.label: start for start in config.baseline.starts}
    start = starts[str(path.start)] if method is None else method
    trained = tasks if method is None else config.method_tasks(path.name)
    size = round(PARAMETERS[path.stage] * start.width)
    metrics, detail = {}, {}
    for task in tasks:
        if config.tasks[task].kind == "forecast":
            metrics[task] = {"mse": value(path, task), "mae": 0.5}
            detail[task] = {"mse_by_horizon": [0.25, 0.5], "mae_by_channel": {"a": 0.125}}
        else:
            metrics[task] = {"accuracy": 0.5, "loss": 0.5, "balanced_accuracy": 0.5, "macro_f1": 0.25}
            metrics[task][primary_metric(config.tasks[task])] = value(path, task)
            detail[task] = {"confusion": [[1, 0], [0, 1]], "classes": ["no", "yes"]}
    primary = {task: primary_metric(config.tasks[task]) for task in tasks}
    record = {
        "stage": path.stage, "name": path.name, "start": start.label, "seed": path.seed, "fold": 0, "tasks": tasks,
        "init": start.init, "freeze": start.freeze, "width": start.width,
        "method_kind": "stl" if method is None else method.kind, "epochs_run": 3, "best_epoch": 2, "steps": 30,
        "train_size": dict.fromkeys(tasks, 100), "parameters": {"total": size, "heads": dict.fromkeys(trained, 10)},
        "val": metrics, "train": metrics, "test": metrics, "detail": detail, "phases": None,
        "optimum": {task: {primary[task]: optimum[task]} for task in tasks if task in optimum},
    }  # fmt: skip
    return Run(path, record)


def write_runs(runs: Iterable[Run], root: Path) -> None:
    for run in runs:
        write_json(run.record, root / run.path.folder / "run.json")
