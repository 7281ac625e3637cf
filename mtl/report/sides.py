"""Sides of a comparison of which a reader should know something before the verdict: marks, and sentences that explain
them."""

from collections.abc import Sequence

from mtl.results.sides import MOST_TASKS, blind_sides, lost_sides, networks
from mtl.results.verdicts import Row, Side, Unpaired, Verdicts

LOST = "†"
"""Behind a value that loses to the task's simple model, and behind a verdict on such a value."""


def lost_mark(row: Row | Unpaired, side: Side | None = None) -> str:
    """`†` where a side of a row, or any of them, loses to the simple model."""
    lost = lost_sides(row)
    return LOST if (side in lost if side else lost) else ""


def blind_note(verdicts: Verdicts) -> list[str]:
    """Sentence on the networks that are not shown to be better than a predictor that has seen no input, if any."""
    told = networks(verdicts, blind_sides)
    start = "Not shown to be better than a prediction that has seen no input (the mean, the most frequent class): "
    return [f"{start}{told}."] if told else []


def lost_note(verdicts: Verdicts) -> list[str]:
    """Sentence that explains the mark, and on which networks it stands, if any."""
    told = networks(verdicts, lost_sides)
    start = f"{LOST} Worse than the task's simple model by more than the margin: "
    end = "A verdict on such a network says little. The interval behind the mark covers seeds alone, not test data."
    return [f"{start}{told}. {end}"] if told else []


def simple_note(verdicts: Verdicts) -> list[str]:
    """Sentence that says what the simple model of a task is, and its name, where there are any."""
    names = simple_names(verdicts)
    return [f"simple: of the models that are fitted in seconds, the best on validation data: {names}."] if names else []


def simple_names(verdicts: Verdicts) -> str:
    """`ridge (next_6h, next_24h), boosting (fault)`: simple models with their tasks; empty where there are none."""
    tasks: dict[str, list[str]] = {}
    for task in verdicts.tasks:
        if task.simple is not None:
            tasks.setdefault(task.simple.model, []).append(task.name)
    named = [f"{model} ({_named(names)})" for model, names in tasks.items()]
    return ", ".join(named)


def _named(names: Sequence[str]) -> str:
    """Names of some tasks, of many their number."""
    return ", ".join(names) if len(names) <= MOST_TASKS else f"{len(names)} tasks"
