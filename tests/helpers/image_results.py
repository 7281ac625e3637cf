"""Result files with invented numbers for any configuration of label tasks, and the verdicts that follow from them."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from mtl.config import Config, parse_config
from mtl.evaluation.compare import compare
from mtl.evaluation.runs import read_histories, read_runs
from mtl.paths import RunPath, run_paths
from mtl.results.verdicts import Verdicts
from tests.helpers.records import timing_json

Json = dict[str, Any]
EPOCHS = 6
SHARINGS: dict[str, Json] = {
    "hard": {"kind": "equal"},
    "cross_stitch": {"kind": "equal", "sharing": {"kind": "cross_stitch"}},
    "soft": {"kind": "equal", "sharing": {"kind": "soft"}},
    "learned": {"kind": "uncertainty", "sharing": {"kind": "branched", "groups": [["even"], ["multiple_of_3"]]}},
}
PARITY: Json = {
    "even": {"kind": "binary", "source": "digits", "label": "even"},
    "multiple_of_3": {"kind": "binary", "source": "digits", "label": {"multiple_of": 3}},
}


def image_config(tasks: Json | None = None, methods: Json | None = None, seeds: int = 5, **sections: Any) -> Config:
    """Label tasks on one set of images; the two of the parity comparison unless others are given."""
    raw: Json = {
        "base": {"seeds": list(range(seeds))},
        "prepare": {"sources": {"digits": {"kind": "digits"}}},
        "tasks": PARITY if tasks is None else tasks,
        "simple": {"models": []},
        "encoder": {"kind": "mlp", "sizes": [64, 32]},
        "finetune": {"methods": SHARINGS if methods is None else methods},
    }
    return parse_config(raw | sections)


def hundred_config(seeds: int = 5, alone: int | None = None) -> Config:
    """A hundred classes, each against the rest; `alone` of them, or all, have single-task models."""
    label: Json = {"kind": "binary", "source": "digits"}
    tasks = {f"class_{n:02}": label | {"label": {"one_vs_rest": n % 10}} for n in range(100)}
    methods: Json = {"joint": {"kind": "equal"}, "learned": {"kind": "uncertainty"}}
    few = {} if alone is None else {"baseline": {"tasks": list(tasks)[:alone]}}
    return image_config(tasks, methods, seeds, **few)


def write_image_results(root: Path, config: Config) -> Verdicts:
    """Writes outputs/ and timings/ of every run of `config` under `root`; returns the verdicts."""
    for path in run_paths(config):
        if path.stage != "pretrain":
            _run(root, config, path)
    runs = read_runs(config, root)
    return compare(config, runs, read_histories(runs, root))


def _run(root: Path, config: Config, path: RunPath) -> None:
    name = str(path.name)
    method = None if path.stage == "baseline" else config.finetune.methods[name]
    judged = [name] if method is None else config.judged_tasks(name)
    trained = [name] if method is None else config.method_tasks(name)
    begin = next(start for start in config.baseline.starts if start.label == path.start) if method is None else method
    draw = np.random.default_rng([path.seed, *str(path).encode()])
    scores = {task: _accuracy(config, path, task, begin.width, draw) for task in judged}
    kind = "hard" if method is None else method.sharing.kind
    trunks = 1 if kind in ("hard", "branched") else len(trained)
    trunk, heads = round(52_320 * begin.width) * trunks, dict.fromkeys(trained, 33)
    size = {task: round(1437 * config.tasks[task].train_fraction) for task in judged}
    two = 2 if method is not None and method.target is not None else 1
    folder = root / path.folder
    _write(
        folder / "run.json",
        {
            "stage": path.stage, "name": name, "start": begin.label, "init": begin.init, "freeze": begin.freeze,
            "width": begin.width, "seed": path.seed, "fold": {"digits": 0},
            "method_kind": "stl" if method is None else method.kind, "tasks": judged, "device": "cpu", "threads": 1,
            "epochs_run": EPOCHS * two, "best_epoch": EPOCHS - 1, "stopped": "end", "steps": 45 * EPOCHS * two,
            "samples": size, "train_size": size,
            "parameters": {"total": trunk + sum(heads.values()), "shared": trunk, "trunk": trunk, "heads": heads,
                           "trainable": trunk + sum(heads.values())},
            "sharing": {"kind": kind}, "stitches": _stitches(trained, draw) if kind == "cross_stitch" else None,
            "transfer": None, "phases": None, "optimum": {}, "identity": {"config": "c", "data": "d"},
            **{part: {t: _metrics(v + more) for t, v in scores.items()}
               for part, more in (("train", 0.01), ("val", 0.002), ("test", 0.0))},
            "detail": {task: _detail(value, draw) for task, value in scores.items()},
        },
    )  # fmt: skip
    phases = [trained, judged][2 - two :]
    rows = [
        _epoch(config, epoch, number if two == 2 else None, tasks, scores, draw)
        for number, tasks in enumerate(phases, start=1)
        for epoch in range(1, EPOCHS + 1)
    ]
    _write(folder / "history.json", {"epochs": rows, "best_epoch": EPOCHS - 1, "stopped": "end"})
    _write(folder / "examples.json", {})
    seconds = 0.4 * EPOCHS * trunks**0.8
    _write(root / "timings" / path.folder.relative_to("outputs").with_suffix(".json"),
           timing_json(seconds, EPOCHS * two, 45 * EPOCHS * two))  # fmt: skip


def _accuracy(config: Config, path: RunPath, task: str, width: float, draw: np.random.Generator) -> float:
    place = list(config.tasks).index(task)
    level = 0.975 - 0.012 * (place % 7) - 0.15 * (1 - config.tasks[task].train_fraction) ** 4
    level -= 0.02 / width
    if path.stage == "finetune":
        few = 1 - config.tasks[task].train_fraction
        level += 0.006 * float(np.sin(2.4 * place + len(str(path.name)))) + 0.05 * few**4
    return float(np.clip(level + 0.002 * draw.standard_normal(), 0.5, 0.999))


def _metrics(accuracy: float) -> Json:
    return {"loss": 1.1 - accuracy, "accuracy": accuracy, "balanced_accuracy": accuracy - 0.01,
            "macro_f1": accuracy - 0.015}  # fmt: skip


def _detail(accuracy: float, draw: np.random.Generator) -> Json:
    wrong = int(360 * (1 - accuracy))
    split = int(draw.integers(0, wrong + 1))
    return {"confusion": [[200 - split, split], [wrong - split, 160 - wrong + split]], "classes": ["no", "yes"]}


def _epoch(
    config: Config, epoch: int, phase: int | None, tasks: list[str], scores: dict[str, float], draw: np.random.Generator
) -> Json:
    decay = float(np.exp(-0.9 * epoch))
    now = {task: scores.get(task, 0.95) - 0.3 * decay + 0.003 * float(draw.standard_normal()) for task in tasks}
    pairs = [(a, b) for number, a in enumerate(tasks) for b in tasks[number + 1 :]]
    row: Json = {
        "epoch": epoch, **({} if phase is None else {"phase": phase}), "steps": 45, "lr": 1e-3, "lambda": None,
        "score": decay, "grad_norm": 1.0 + decay,
        "weights": {task: 1 + 0.02 * epoch * (n % 9) for n, task in enumerate(tasks)},
        "train": {task: {"loss": 0.2 + decay} for task in tasks},
        "val": {task: _metrics(value) for task, value in now.items()},
        "gradients": {
            "norms": {task: 1 + 0.1 * (n % 5) + decay for n, task in enumerate(tasks)},
            "cosines": {f"{a}|{b}": float(np.tanh(0.3 * draw.standard_normal())) for a, b in pairs},
        },
    }  # fmt: skip
    if config.train.watch_test:
        row["test"] = {task: _metrics(value + 0.001) for task, value in now.items()}
    return row


def _stitches(tasks: list[str], draw: np.random.Generator) -> Json:
    count = len(tasks)
    stages = [np.eye(count) * (0.95 - 0.1 * n) + 0.08 * draw.standard_normal((count, count)) for n in range(2)]
    return {"tasks": tasks, "stages": [stage.tolist() for stage in stages]}


def _write(path: Path, content: Json) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, sort_keys=True), encoding="utf-8")
