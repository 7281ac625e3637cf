"""Content of verdicts.json as plain JSON, whole and small: a test says only what it is about."""

from typing import Any

from mtl.results.verdicts import Verdicts

Json = dict[str, Any]


def interval_json(mean: float | None = 0.0, low: float | None = None, high: float | None = None, n: int = 2) -> Json:
    """A mean change with its interval."""
    return {"mean": mean, "low": low, "high": high, "n": n}


def summary_json(mean: float = 0.5) -> Json:
    """A metric of one seed."""
    return {"mean": mean, "low": None, "high": None, "values": [mean]}


def task_json(name: str, **changes: Any) -> Json:
    """A binary label that was trained alone, unless `changes` say otherwise."""
    return {
        "name": name, "kind": "binary", "source": "plant", "role": "main", "metric": "accuracy",
        "lower_is_better": False, "input_len": 8, "horizon": None, "classes": ["no", "yes"], "train_size": 100,
        "alone": True, "optimum": None, "unit": None,
    } | changes  # fmt: skip


def method_json(name: str, tasks: list[str], **changes: Any) -> Json:
    """A method of equal weights."""
    return {
        "name": name, "kind": "equal", "start": "random", "label": f"{name}: equal weights", "tasks": tasks,
        "trained": tasks, "target": None, "width": 1.0, "sharing": "hard", "lambda": None, "schedule": None,
        "delta_m": interval_json(),
    } | changes  # fmt: skip


def verdict_json(word: str = "not known", **changes: Any) -> Json:
    """A verdict; one that is not known lacks seeds."""
    shown, few = word in ("HELPED", "HURT"), word == "not known"
    return {
        "word": word, "margin": 0.01, "matters": True if shown else None, "open": "too few seeds" if few else None,
        "covers": "training", "seeds_needed": 5 if few else None,
    } | changes  # fmt: skip


def row_json(method: str, task: str, **changes: Any) -> Json:
    """A method that changes nothing."""
    return {
        "method": method, "task": task, "start": "random", "metric": "accuracy", "role": "main",
        "stl": summary_json(), "joint": summary_json(), "change": interval_json(),
        "adjusted": {"low": None, "high": None}, "gap_closed": None, "ratio": None, "within_tolerance": None,
        "verdict": verdict_json(),
    } | changes  # fmt: skip


def grouping_json(name: str, **changes: Any) -> Json:
    """A grouping of two tasks, each with a model of its own."""
    return {
        "name": name, "kind": "hard", "models": 2, "passes_a_task": 1, "passes_all_tasks": 2, "parameters": 99,
        "groups": [["near"], ["fault"]], "metrics": {"near": 0.4, "fault": 0.9}, "delta_m": interval_json(),
        "over_random": None, "per_seed": [0.0, 0.0], "per_seed_val": [0.0, 0.0],
    } | changes  # fmt: skip


def verdicts_json(tasks: list[Json] = [], methods: list[Json] = [], rows: list[Json] = [], **changes: Any) -> Json:  # noqa: B006
    """Verdicts of some tasks and methods, and nothing beside."""
    return {
        "confidence": 0.95, "tolerance": 0.05, "margin": 0.01, "interval": "widest", "version": 2, "seeds": [0, 1],
        "conditional_on_one_pretraining": False,
        "tasks": tasks, "methods": methods, "rows": rows, "unpaired": [], "forgetting": [], "starts": [],
        "costs": {"parameters": {"stl": {}, "stl_total": 0, "stl_by_start": {}, "methods": {}}},
        "labels": {"entries": [], "averages": []}, "published": None, "capacity": [], "fractions": [],
        "likeness": {}, "advice": "Train jointly.", "grouping": None, "evidence": [],
    } | changes  # fmt: skip


def typed(content: Json) -> Verdicts:
    """Content as a reader sees it."""
    return Verdicts.parse(content, "verdicts.json")
