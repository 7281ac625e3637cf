"""Sides of a comparison of which a reader should know something before the verdict: marks, and sentences that explain
them."""

from collections.abc import Callable, Sequence

from mtl.results.verdicts import Row, Side, Unpaired, Verdicts

LOST = "†"
"""Behind a value that loses to the task's simple model, and behind a verdict on such a value."""
MOST_TASKS = 6
"""Tasks that a sentence names before it counts the others."""


def lost_mark(row: Row | Unpaired, side: Side | None = None) -> str:
    """`†` where a side of a row, or any of them, loses to the simple model."""
    lost = [] if row.simple is None else row.simple.loses
    return LOST if (side in lost if side else lost) else ""


def blind_note(verdicts: Verdicts) -> list[str]:
    """Sentence on the networks that are not shown to be better than a predictor that has seen no input, if any."""
    told = _told(verdicts, lambda row: row.blind or [])
    start = "Not shown to be better than a prediction that has seen no input (the mean, the most frequent class): "
    return [f"{start}{told}."] if told else []


def lost_note(verdicts: Verdicts) -> list[str]:
    """Sentence that explains the mark, and on which networks it stands, if any."""
    told = _told(verdicts, lambda row: [] if row.simple is None else row.simple.loses)
    start = f"{LOST} Worse than the task's simple model by more than the margin: "
    return [f"{start}{told}. A verdict on such a network says little."] if told else []


def simple_note(verdicts: Verdicts) -> list[str]:
    """Sentence that says what the simple model of a task is, where there are any."""
    if all(task.simple is None for task in verdicts.tasks):
        return []
    return ["simple: of the models that are fitted in seconds, the best on validation data."]


def simple_names(verdicts: Verdicts) -> str:
    """`ridge (next_6h, next_24h), boosting (fault)`: simple models with their tasks; empty where there are none."""
    tasks: dict[str, list[str]] = {}
    for task in verdicts.tasks:
        if task.simple is not None:
            tasks.setdefault(task.simple.model, []).append(task.name)
    named = [f"{model} ({_first(names)})" for model, names in tasks.items()]
    return ", ".join(named)


def _told(verdicts: Verdicts, sides: Callable[[Row | Unpaired], Sequence[Side]]) -> str:
    """`next_6h (all networks), fault (STL, joint)`: tasks with those of their networks that something holds for."""
    arms: dict[str, dict[str, bool]] = {}
    judged: list[Row | Unpaired] = [*verdicts.rows, *verdicts.unpaired]
    for row in judged:
        holds, of_task = sides(row), arms.setdefault(row.task, {})
        if isinstance(row, Row):
            of_task["STL"] = of_task.get("STL", False) or "STL" in holds
        of_task[row.method] = "joint" in holds
    told = [
        f"{task} ({'all networks' if all(of_task.values()) else ', '.join(name for name in of_task if of_task[name])})"
        for task, of_task in arms.items()
        if any(of_task.values())
    ]
    return ", ".join(told[:MOST_TASKS]) + (f" and {len(told) - MOST_TASKS} tasks more" if told[MOST_TASKS:] else "")


def _first(names: Sequence[str]) -> str:
    """The first names, and how many more."""
    more = f" and {len(names) - MOST_TASKS} more" if names[MOST_TASKS:] else ""
    return ", ".join(names[:MOST_TASKS]) + more
