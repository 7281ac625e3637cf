"""A whole outputs/ tree and its verdicts with invented numbers, in the schema that the stages write.

The curves fall, the rare label gains and a forecast loses, so that a page made of them looks like a real one.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mtl.config import Config, parse_config
from mtl.tasks.label_scores import label_metrics
from tests.helpers.records import run_json, timing_json
from tests.helpers.verdicts import verdict_json

Json = dict[str, Any]

HORIZONS = {"near": 12, "far": 24}
STL = {"near": 0.512, "far": 0.668, "fault": 0.741, "load_state": 0.903, "coin": 0.501}
OPTIMUM = {"near": 0.431, "far": 0.602, "fault": 0.905, "load_state": 0.944, "coin": 0.5}
SIMPLE = {
    "near": ("ridge", 0.47), "far": ("ridge", 0.73), "fault": ("boosting", 0.8), "load_state": ("boosting", 0.905),
    "coin": ("majority", 0.5),
}  # fmt: skip
"""The network loses `near` and `fault` to a simple model, joint training makes up for `fault`."""
CHANGE = {
    "joint": {"near": 1.9, "far": 0.4, "fault": 9.8, "load_state": 0.7, "coin": -0.3},
    "joint_high": {"near": -7.5, "far": -4.1, "fault": 11.2, "load_state": 1.1, "coin": 0.4},
    "uncertainty": {"near": 0.9, "far": -0.5, "fault": 8.1, "load_state": 0.6, "coin": -0.1},
    "forecast_first": {"near": -31.0, "far": -22.0, "fault": 4.5, "load_state": 0.2, "coin": 0.1},
}
"""Percent against STL, positive is better."""
NORMS = {"near": 0.2, "far": 0.24, "fault": 2.2, "load_state": 2.6, "coin": 2.9}
METHODS: dict[str, Json] = {
    "joint": {"kind": "weighted", "lambda": 0.2, "schedule": "warmup"},
    "joint_high": {"kind": "weighted", "lambda": 0.9},
    "uncertainty": {"kind": "uncertainty"},
    "forecast_first": {"kind": "sequential", "first": "forecast"},
}
LABELS = {
    "joint": "joint: λ = 0.2, warmup",
    "joint_high": "joint_high: λ = 0.9, constant",
    "uncertainty": "uncertainty: learned weights (kendall)",
    "forecast_first": "forecast_first: sequential, forecasts before labels",
}


def make_config(methods: list[str], seeds: int = 5) -> Config:
    """The settings that the invented results pretend to come from."""
    label = {"kind": "classification", "source": "sensors", "input_len": 48}
    return parse_config(
        {
            "base": {"seeds": list(range(seeds))},
            "prepare": {"sources": {"sensors": {"kind": "sensors"}}},
            "tasks": {
                **{
                    name: {"kind": "forecast", "source": "sensors", "input_len": 48, "horizon": horizon}
                    for name, horizon in HORIZONS.items()
                },
                "fault": {"kind": "binary", "source": "sensors", "input_len": 48, "label": "fault"},
                "load_state": {**label, "label": "load_state"},
                "coin": {"kind": "binary", "source": "sensors", "input_len": 48, "label": "coin", "role": "auxiliary"},
            },
            "simple": {"models": []},
            "encoder": {"kind": "linear", "input_len": 48},
            "finetune": {"methods": {name: METHODS[name] for name in methods}},
        }
    )


def write_results(
    root: Path,
    methods: tuple[str, ...] = ("joint", "joint_high", "uncertainty"),
    seeds: int = 5,
    classes: tuple[str, ...] = ("idle", "partial", "full"),
    columns: tuple[str, ...] = ("power", "flow"),
    timings: bool = True,
    starts: bool = False,
    simple: bool = False,
) -> tuple[Config, Json]:
    """Writes outputs/, results/verdicts.json and (if asked) timings/ under `root`; returns config and verdicts."""
    config = make_config(list(methods), seeds)
    draw = np.random.default_rng(0)
    values: dict[str, dict[str, list[float]]] = {}
    for task in STL:
        values.setdefault("stl", {})[task] = [STL[task] * (1 + 0.01 * draw.standard_normal()) for _ in range(seeds)]
        for seed, value in enumerate(values["stl"][task]):
            _run(root, f"baseline/{task}/random/seed-{seed}", [task], "stl", None, seed, {task: value}, draw, classes,
                 columns, timings)  # fmt: skip
    for method in methods:
        for task in STL:
            changes = CHANGE[method][task] + 1.1 * draw.standard_normal(seeds)
            sign = -1 if task in HORIZONS else 1
            values.setdefault(method, {})[task] = [
                float(single * (1 + sign * change / 100))
                for single, change in zip(values["stl"][task], changes, strict=True)
            ]
        for seed in range(seeds):
            scores = {task: values[method][task][seed] for task in STL}
            _run(root, f"finetune/{method}/seed-{seed}", list(STL), METHODS[method]["kind"], method, seed, scores, draw,
                 classes, columns, timings)  # fmt: skip
    if timings:
        latency = {"version": 2, "batch": 64, "stl": dict.fromkeys(STL, 0.8), "methods": dict.fromkeys(methods, 1.1)}
        _write(root / "timings" / "latency.json", latency)
    for task, (model, value) in SIMPLE.items() if simple else ():
        for seed in range(seeds):
            _simple_run(root, task, model, value, seed, draw, classes, columns)
    verdicts = _verdicts(config, values, list(methods), seeds, classes, starts)
    if simple:
        _beside(verdicts, values, seeds)
    _write(root / "results" / "verdicts.json", verdicts)
    return config, verdicts


def _run(
    root: Path, place: str, tasks: list[str], kind: str, method: str | None, seed: int, scores: dict[str, float],
    draw: np.random.Generator, classes: tuple[str, ...], columns: tuple[str, ...], timings: bool,
) -> None:  # fmt: skip
    epochs = int(draw.integers(7, 11))
    folder = root / "outputs" / place
    detail = {task: _detail(task, scores[task], draw, classes, columns) for task in tasks}
    shared, heads = 41_216, {task: 4_160 + 65 * HORIZONS.get(task, 3) for task in tasks}
    _write(
        folder / "run.json",
        {
            "stage": "baseline" if method is None else "finetune", "name": method or tasks[0], "start": "random",
            "init": "random", "freeze": "none", "width": 1.0, "seed": seed, "fold": {"sensors": 0}, "method_kind": kind,
            "tasks": tasks,
            "device": "cpu", "threads": 1, "epochs_run": epochs, "best_epoch": epochs - 2, "stopped": "patience",
            "steps": 40 * epochs, "samples": dict.fromkeys(tasks, 900), "train_size": dict.fromkeys(tasks, 900),
            "parameters": {"total": shared + sum(heads.values()), "shared": shared, "trunk": shared, "heads": heads,
                           "trainable": shared + sum(heads.values())},
            "sharing": {"kind": "hard"}, "stitches": None,
            "transfer": None, "val": {t: _metrics(t, scores[t] * 1.01) for t in tasks},
            "train": {t: _metrics(t, _better(t, scores[t], 0.06)) for t in tasks},
            "test": {t: _metrics(t, scores[t]) for t in tasks}, "detail": detail,
            "optimum": {t: _metrics(t, OPTIMUM[t]) for t in tasks}, "phases": None,
            "identity": {"config": "c", "data": "d"},
        },
    )  # fmt: skip
    _write(folder / "history.json", _history(tasks, kind, method, scores, epochs, draw))
    _write(folder / "examples.json", {t: _examples(HORIZONS[t], method, columns, draw) for t in tasks if t in HORIZONS})
    if timings:
        seconds = 0.9 * epochs * len(tasks) ** 0.7
        _write(root / "timings" / f"{place}.json", timing_json(seconds, epochs, 40 * epochs))


def _simple_run(
    root: Path, task: str, model: str, value: float, seed: int, draw: np.random.Generator, classes: tuple[str, ...],
    columns: tuple[str, ...],
) -> None:  # fmt: skip
    """run.json of a simple model; there is no history of it."""
    worse = {"mean" if task in HORIZONS else "majority": 1.0 if task in HORIZONS else 0.5}
    parts = {part: {task: _metrics(task, value)} for part in ("train", "val", "test")}
    content = run_json(
        "simple", task, seed, (task,), simple={"model": model, "candidates": worse | {model: value},
                                                  "about": "λ 1", "skipped": {"kernels": "too few rows"}},
        detail={task: _detail(task, value, draw, classes, columns)}, fold={"sensors": 0}, **parts,
    )  # fmt: skip
    _write(root / "outputs" / "simple" / task / f"seed-{seed}" / "run.json", content)


def _beside(verdicts: Json, values: dict[str, dict[str, list[float]]], seeds: int) -> None:
    """Puts the simple models beside tasks and rows."""

    def over(task: str, network: list[float]) -> Json:
        sign, value = -1 if task in HORIZONS else 1, SIMPLE[task][1]
        return _interval(sign * 100 * (np.array(network) - value) / value)

    for task in verdicts["tasks"]:
        model, value = SIMPLE[task["name"]]
        single = np.array(values["stl"][task["name"]])
        gap = (value - single) / (task["optimum"] - single)
        task["simple"] = {"model": model, "by_seed": [model] * seeds, "summary": _summary([value] * seeds),
                          "gap": None if task["name"] == "coin" else _estimate(gap)}  # fmt: skip
    for row in verdicts["rows"]:
        task = row["task"]
        sides = {"stl": over(task, values["stl"][task]), "joint": over(task, values[row["method"]][task])}
        names = {"stl": "STL", "joint": "joint"}
        lost = [names[side] for side, change in sides.items() if change["mean"] < -1 and (change["high"] or -1) < 0]
        row["simple"] = sides | {"loses": lost}


def _better(task: str, value: float, share: float) -> float:
    return value * (1 - share) if task in HORIZONS else min(1.0, value * (1 + share))


def _metrics(task: str, value: float) -> Json:
    if task in HORIZONS:
        return {"mse": value, "mae": 0.8 * value}
    return {"loss": 1.2 - value, "accuracy": value, "balanced_accuracy": value - 0.02, "macro_f1": value - 0.03}


def _detail(
    task: str, value: float, draw: np.random.Generator, classes: tuple[str, ...], columns: tuple[str, ...]
) -> Json:
    if task in HORIZONS:
        steps = np.arange(1, HORIZONS[task] + 1)
        curve = value * (0.4 + 1.2 * steps / (steps[-1] + 1)) + 0.005 * draw.standard_normal(len(steps))
        return {
            "mse_by_horizon": curve.tolist(),
            "mae_by_horizon": (0.8 * curve).tolist(),
            "mse_by_channel": dict.fromkeys(columns, value),
        }
    names = list(classes) if task == "load_state" else ["no", "yes"]
    confusion = np.full((len(names), len(names)), (1 - value) / (len(names) - 1)) + (
        np.eye(len(names)) * (value - (1 - value) / (len(names) - 1))
    )
    counts = (300 * confusion + draw.integers(0, 9, confusion.shape)).astype(int).tolist()
    return {"confusion": counts, "classes": names} | (_curves(value) if len(names) == 2 else {})


def _curves(value: float) -> Json:
    """Curves of 400 samples, 3 in 10 positive, that are told apart the better the higher `value` is."""
    draw = np.random.default_rng(round(1e9 * value))
    labels = torch.arange(400) % 10 < 3
    logits = torch.from_numpy(draw.standard_normal(400)) + 4 * (value - 0.5) * labels - 1
    detail = label_metrics(logits, labels.long(), ["no", "yes"], detailed=True)[1]
    return {key: detail[key] for key in ("operating_points", "reliability")}


def _history(
    tasks: list[str], kind: str, method: str | None, scores: dict[str, float], epochs: int, draw: np.random.Generator
) -> Json:
    rows = []
    top = float(METHODS[method].get("lambda", 0)) if method else 0.0
    for epoch in range(1, epochs + 1):
        decay = float(np.exp(-0.7 * (epoch - 1)))
        warm = top * min(1.0, epoch / 3) if method == "joint" else top
        phase = 1 + (epoch > 4)
        trained = [t for t in tasks if kind != "sequential" or (t in HORIZONS) == (phase == 1)]
        pairs = [(a, b) for number, a in enumerate(trained) for b in trained[number + 1 :]]
        rows.append(
            {
                "epoch": epoch, **({"phase": phase} if kind == "sequential" else {}), "steps": 40, "lr": 1e-3,
                "lambda": warm if kind == "weighted" else None,
                "weights": {t: 0.5 + 0.02 * epoch * (1 + list(STL).index(t)) for t in tasks},
                "train": {t: {"loss": 0.4 + decay} for t in tasks},
                "val": {
                    t: _metrics(t, scores[t] * (1 + (0.5 if t in HORIZONS else -0.3) * decay)
                                + 0.004 * float(draw.standard_normal()))
                    for t in tasks
                },
                "score": 1.0, "grad_norm": 1.0 + decay,
                "gradients": {
                    "norms": {t: NORMS[t] * (1 + decay) for t in trained},
                    "cosines": {f"{a}|{b}": float(np.tanh(0.3 * draw.standard_normal())) for a, b in pairs},
                },
            }
        )  # fmt: skip
    return {"epochs": rows, "best_epoch": epochs - 2, "stopped": "patience"}


def _examples(horizon: int, method: str | None, columns: tuple[str, ...], draw: np.random.Generator) -> Json:
    fixed = np.random.default_rng(horizon)
    windows = []
    for _ in range(3):
        phases = fixed.uniform(0, 6, len(columns))
        steps = np.arange(48 + horizon)
        truth = 20 + 4 * np.sin(steps / 5 + phases[:, None]) + fixed.normal(0, 0.7, (len(columns), len(steps)))
        guess = 20 + 3.4 * np.sin(steps / 5 + phases[:, None] + 0.15) + 0.2 * draw.standard_normal(len(steps))
        windows.append(
            {"input": truth[:, :48].tolist(), "truth": truth[:, 48:].tolist(), "prediction": guess[:, 48:].tolist()}
        )
    return {"columns": list(columns), "units": dict.fromkeys(columns, "kW"), "windows": windows}


def _summary(values: Any) -> Json:
    """A mean with its interval, and the values."""
    values = np.asarray(values, dtype=float)
    return _estimate(values) | {"values": values.tolist()}


def _interval(values: Any, scale: float = 2.776) -> Json:
    """A mean with its interval, and the number of values."""
    return _estimate(values, scale) | {"n": len(np.asarray(values))}


def _new_data(change: Json) -> Json:
    """An interval of the same mean that is half as wide again."""
    ends = {end: 1.5 * change[end] - 0.5 * change["mean"] for end in ("low", "high")}
    return {"mean": change["mean"], "freedom": 9.5, "blocks": 16, "data_share": 0.6} | ends


def _estimate(values: Any, scale: float = 2.776) -> Json:
    values = np.asarray(values, dtype=float)
    mean = values.mean()
    if len(values) < 2:
        return {"mean": float(mean), "low": None, "high": None}
    half = scale * values.std(ddof=1) / np.sqrt(len(values))
    return {"mean": float(mean), "low": float(mean - half), "high": float(mean + half)}


def _verdicts(
    config: Config, values: dict[str, dict[str, list[float]]], methods: list[str], seeds: int,
    classes: tuple[str, ...], starts: bool,
) -> Json:  # fmt: skip
    rows = []
    for method in methods:
        for task in STL:
            single, joint = np.array(values["stl"][task]), np.array(values[method][task])
            lower = task in HORIZONS
            sign = -1 if lower else 1
            changes = sign * 100 * (joint - single) / single
            change, wide = _interval(changes), _interval(changes, 5.6)
            verdict = verdict_json() if seeds < 5 else verdict_json(open="seeds", seeds_needed=24)
            if seeds >= 5 and wide["low"] > 0:
                verdict = verdict_json("HELPED")
            if seeds >= 5 and wide["high"] < 0:
                verdict = verdict_json("HURT")
            rows.append(
                {
                    "method": method, "task": task, "start": "random", "metric": "mse" if lower else "accuracy",
                    "role": config.tasks[task].role, "stl": _summary(single), "joint": _summary(joint),
                    "change": change, "adjusted": {"low": wide["low"], "high": wide["high"]},
                    "gap_closed": None if task == "coin" else _estimate((joint - single) / (OPTIMUM[task] - single)),
                    "ratio": _estimate(joint / single) if lower else None,
                    "within_tolerance": ("yes" if change["mean"] > -3 else "no") if lower else None,
                    "verdict": verdict,
                    **({"new_data": _new_data(change)} if seeds > 1 else {}),
                }
            )  # fmt: skip
    heads = {task: 4_160 + 65 * HORIZONS.get(task, 3) for task in STL}
    total = 41_216 + sum(heads.values())
    forgetting = [
        {"method": "forecast_first", "task": task, "metric": "mse", "after_own_phase": _summary([STL[task]] * seeds),
         "at_the_end": _summary([1.3 * STL[task]] * seeds), "change": _interval(-30 + np.arange(seeds))}
        for task in HORIZONS
    ]  # fmt: skip
    compared = {"task": "fault", "metric": "accuracy", "freeze": "none", "random": _summary(values["stl"]["fault"]),
                "pretrained": _summary(np.array(values["stl"]["fault"]) + 0.04),
                "change": _interval(5 + np.arange(seeds))}  # fmt: skip
    return {
        "confidence": 0.95, "tolerance": 0.05, "margin": 0.01, "version": 2, "interval": "widest",
        "seeds": list(range(seeds)), "conditional_on_one_pretraining": starts,
        "tasks": [
            {
                "name": task, "kind": config.tasks[task].kind, "source": "sensors", "role": config.tasks[task].role,
                "metric": "mse" if task in HORIZONS else "accuracy", "lower_is_better": task in HORIZONS,
                "input_len": 48, "horizon": HORIZONS.get(task), "train_size": 200 if task == "fault" else 2353,
                "classes": [] if task in HORIZONS else list(classes) if task == "load_state" else ["no", "yes"],
                "alone": True, "optimum": OPTIMUM[task], "unit": None,
            }
            for task in STL
        ],
        "methods": [
            {"name": method, "kind": METHODS[method]["kind"], "start": "random", "label": LABELS[method],
             "tasks": list(STL), "trained": list(STL), "target": None, "width": 1.0, "sharing": "hard",
             "lambda": METHODS[method].get("lambda"), "schedule": METHODS[method].get("schedule"),
             "delta_m": _interval(np.mean([CHANGE[method][t] for t in STL]) + 0.4 * np.arange(seeds))}
            for method in methods
        ],
        "rows": rows, "unpaired": [], "labels": {"entries": [], "averages": []}, "published": None,
        "capacity": [], "fractions": [], "likeness": {}, "grouping": None, "evidence": [],
        "forgetting": forgetting if "forecast_first" in methods else [],
        "starts": [compared] if starts else [],
        "costs": {"parameters": {"stl": {t: 41_216 + heads[t] for t in STL}, "stl_total": 5 * 41_216 + total - 41_216,
                                 "stl_by_start": {"random": {t: 41_216 + heads[t] for t in STL}},
                                 "methods": dict.fromkeys(methods, total)}},
        "advice": "Train fault jointly (joint: λ = 0.2, warmup); keep near out of joint_high, which costs 7.5 %.",
    }  # fmt: skip


def _write(path: Path, content: Json) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, sort_keys=True), encoding="utf-8")
