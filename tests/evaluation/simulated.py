"""Runs with planted test metrics: the truth is known, so verdicts can be checked."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from mtl.config import Config, parse_config
from mtl.paths import RunPath, run_paths
from mtl.results.record import Run
from tests.helpers.records import run_json

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
        "simple": {"models": []},
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
    """Runs of networks."""
    networks = [path for path in run_paths(config) if path.stage not in ("simple", "pretrain")]
    return [make_run(config, path, value, optimum or {}) for path in networks]


def make_run(config: Config, path: RunPath, value: Value, optimum: dict[str, float]) -> Run:
    assert path.name is not None
    alone = path.stage == "baseline"
    method = None if alone else config.finetune.methods[path.name]
    tasks = [path.name] if alone else config.judged_tasks(path.name)
    starts = {start.label: start for start in config.baseline.starts}
    start = starts[str(path.start)] if method is None else method
    trained = tasks if method is None else config.method_tasks(path.name)
    size = round(PARAMETERS[path.stage] * start.width)
    metrics: dict[str, Any] = {}
    detail: dict[str, Any] = {}
    for task in tasks:
        if config.tasks[task].kind == "forecast":
            metrics[task] = {"mse": 0.5, "mae": 0.5} | {config.tasks[task].primary_metric: value(path, task)}
            detail[task] = {"mse_by_horizon": [0.25, 0.5], "mae_by_channel": {"a": 0.125}}
        else:
            metrics[task] = {"accuracy": 0.5, "loss": 0.5, "balanced_accuracy": 0.5, "macro_f1": 0.25}
            metrics[task][config.tasks[task].primary_metric] = value(path, task)
            detail[task] = {"confusion": [[1, 0], [0, 1]], "classes": ["no", "yes"]}
    primary = {task: config.tasks[task].primary_metric for task in tasks}
    content = run_json(
        path.stage, path.name, path.seed, tuple(tasks), start=start.label, init=start.init, freeze=start.freeze,
        width=start.width, method_kind="stl" if method is None else method.kind, epochs_run=3, best_epoch=2, steps=30,
        train_size=dict.fromkeys(tasks, 100), val=metrics, train=metrics, test=metrics, detail=detail,
        parameters={"total": size, "shared": size, "trunk": size, "trainable": size,
                    "heads": dict.fromkeys(trained, 10)},
        optimum={task: {primary[task]: optimum[task]} for task in tasks if task in optimum},
    )  # fmt: skip
    return Run.parse(content, str(path))


def simple_runs(config: Config, values: dict[str, float], model: str = "ridge") -> list[Run]:
    """Simple models of the tasks named, the same for every seed: task → test value of its primary metric."""
    runs = []
    for task, value in values.items():
        metric = config.tasks[task].primary_metric
        choice = {"model": model, "candidates": {"naive": 2 * value, model: value}}
        for seed in config.base.seeds:
            parts = {part: {task: {metric: value}} for part in ("train", "val", "test")}
            none: dict[str, Any] = {"epochs_run": 0, "best_epoch": 0, "steps": 0, "detail": {task: {}}}
            content = run_json("simple", task, seed, (task,), simple=choice, **none, **parts)
            runs.append(Run.parse(content, f"simple/{task}"))
    return runs


def write_runs(runs: Iterable[Run], root: Path) -> None:
    for run in runs:
        run.write(root / run.path.folder / "run.json")
