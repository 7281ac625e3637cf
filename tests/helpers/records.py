"""Content of result files as plain JSON, whole and small: a test says only what it is about."""

from typing import Any

from mtl.results.history import History
from mtl.results.record import Run

Json = dict[str, Any]


def metrics(value: float = 0.5) -> Json:
    """Metrics of a label."""
    return {"loss": 1.2 - value, "accuracy": value, "balanced_accuracy": value, "macro_f1": value}


def run_json(
    stage: str = "finetune", name: str = "joint", seed: int = 0, tasks: tuple[str, ...] = ("fault",), **changes: Any
) -> Json:
    """run.json of a run from a random start, whose tasks are labels unless `changes` say otherwise."""
    parts: Json = {part: {task: metrics() for task in tasks} for part in ("train", "val", "test")}
    return {
        "stage": stage, "name": name, "start": "random", "init": "random", "freeze": "none", "width": 1.0,
        "seed": seed, "fold": {"plant": 0}, "method_kind": "equal" if stage == "finetune" else "stl",
        "tasks": list(tasks), "device": "cpu", "threads": 1, "epochs_run": 2, "best_epoch": 1, "stopped": "end",
        "steps": 8, "samples": dict.fromkeys(tasks, 64), "train_size": dict.fromkeys(tasks, 32),
        "parameters": {"total": 120, "trainable": 120, "shared": 100, "trunk": 100,
                       "heads": dict.fromkeys(tasks, 20)},
        "sharing": {"kind": "hard"}, "stitches": None, "transfer": None, **parts,
        "detail": {}, "optimum": {}, "phases": None, "identity": {"config": "c", "data": "d"},
    } | changes  # fmt: skip


def epoch_json(number: int = 1, tasks: tuple[str, ...] = ("fault",), **changes: Any) -> Json:
    """An epoch of history.json."""
    return {
        "epoch": number, "steps": 4, "lr": 0.001, "lambda": None, "weights": dict.fromkeys(tasks, 1.0),
        "train": {task: {"loss": 0.7} for task in tasks}, "val": {task: metrics() for task in tasks}, "score": 0.5,
        "grad_norm": 1.0, "gradients": {"norms": {}, "cosines": {}},
    } | changes  # fmt: skip


def history_json(*epochs: Json) -> Json:
    """history.json of a run that kept its first epoch."""
    return {"epochs": list(epochs), "best_epoch": 1, "stopped": "end"}


def trial_json(number: int, state: str, values: list[float] | None, **changes: Any) -> Json:
    """A trial of study.json."""
    return {
        "number": number, "first": number, "attempts": [], "state": state, "params": {}, "values": values,
        "constraints": {}, "epochs": {}, "val": None, "error": None, "alone": True,
    } | changes  # fmt: skip


def arm_json(*trials: Json, **spec: Any) -> Json:
    """An arm of study.json."""
    whole: Json = {
        "arm": "joint", "objectives": ["combined"], "tolerance": 0.05, "baseline": {"random": {"ahead": 0.8}},
        "sampler": "tpe", "sampler_seed": 0, "pruner": {"kind": "none"}, "seeds": [0], "settings": "s", "data": "d",
        "pretrained": None, "single_task": None, "code": "c", "torch": "2", "device": "cpu",
        "space": {"train.lr": {"kind": "float", "low": 1e-4, "high": 1e-2, "log": True, "points": 5}},
    }  # fmt: skip
    return {"spec": whole | spec, "trials": list(trials), "importances": None}


def study_json(arms: Json, trials: int = 5) -> Json:
    """study.json of some arms, all of whose trials count."""
    counts = {"stl": 0} | {name: len(arm["trials"]) for name, arm in arms.items()}
    return {
        "study": "s", "trials": trials, "tuning": {"trials": counts, "equal": len(set(counts.values())) == 1},
        "versions": {"mtl": "1", "optuna": "5"}, "config": "{}", "arms": arms,
    }  # fmt: skip


def timing_json(seconds: float = 7.5, epochs: int = 2, steps: int = 10) -> Json:
    """A run's file below timings/."""
    return {
        "train_seconds": seconds, "epochs": epochs, "steps": steps, "started": "2026-01-01T00:00:00+00:00",
        "finished": "2026-01-01T00:00:08+00:00", "peak_memory_mb": 300.5,
    }  # fmt: skip


def groups_json(tasks: tuple[str, ...] = ("fault", "wear"), **changes: Any) -> Json:
    """groups.json of tasks that are each a group of its own."""
    apart = [[float(a == b) for b in tasks] for a in tasks]
    labels = list(range(len(tasks)))
    return {
        "source": "joint", "relation": {"kind": "map", "epochs": None}, "algorithm": {"kind": "hard"},
        "choose_by": None, "seeds": [0], "start": {"init": "random", "freeze": "none", "width": 1.0},
        "tasks": list(tasks), "clusters": len(tasks), "memberships": apart, "labels": labels,
        "groups": [[task] for task in tasks], "scores": {str(len(tasks)): {"silhouette": 0.5}},
        "stability": {"runs": None, "starts": 1.0}, "labels_of_runs": {"0": labels}, "distances": apart,
        "linkage": [[0.0, 1.0, 0.5, 2.0]], "facts": {"samples": [32]},
    } | changes  # fmt: skip


def changed(run: Run, **changes: Any) -> Run:
    """The same run with other values."""
    return Run.parse(run.plain() | changes, "run.json")


def history(*epochs: Json) -> History:
    """History of some epochs."""
    return History.parse(history_json(*epochs), "history.json")


def pretraining_json(seed: int = 0, **changes: Any) -> Json:
    """run.json of a pretraining."""
    return {
        "stage": "pretrain", "name": None, "seed": seed, "objective": "masked", "sources": ["plant"],
        "val": {"loss": 0.6}, "parameters": {"total": 130, "encoder": 100},
        "identity": {"config": "c", "data": "d"},
    } | changes  # fmt: skip


def pretraining_history_json(epochs: int = 1) -> Json:
    """history.json of a pretraining."""
    losses = {"train": {"loss": 0.5}, "val": {"loss": 0.6}}
    return {"epochs": [{"epoch": number, "lr": 0.001} | losses for number in range(1, epochs + 1)]}
