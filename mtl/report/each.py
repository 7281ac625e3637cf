"""Figures of single tasks: one for each, where there are not too many of a kind."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from mtl.report.read import Results, Run
from mtl.report.select import drawn
from mtl.report.style import Missing, Picture
from mtl.results.verdicts import JudgedTask

Figure = Callable[[Results, JudgedTask], Picture | Missing]
Measured = TypeVar("Measured")


def for_each(
    results: Results, tasks: list[JudgedTask], figure: Figure, key: str, title: str, noun: str
) -> list[Picture | Missing]:
    """A figure for each task, or for those that changed most against STL, with a note on the others.

    Args:
        results: of a finished pipeline.
        tasks: of one kind.
        figure: makes that of a task.
        key: of the note, without its ending.
        title: what is shown.
        noun: word for several such tasks.
    """
    shown = drawn(results.verdicts, tasks)
    figures = [figure(results, task) for task in shown]
    if len(shown) < len(tasks):
        reason = f"of {len(tasks)} {noun}, those that changed most against STL are; outputs/ holds all"
        figures.append(Missing(f"{key}_others", f"{title}: {len(tasks) - len(shown)} further tasks", reason))
    return figures


def measured_by_arm(
    results: Results, task: JudgedTask, measured: Callable[[list[Run], str], Sequence[Measured]]
) -> dict[str, list[Measured]]:
    """Arm → what its runs measured of the task, without arms that measured nothing."""
    by_arm = {name: list(measured(runs, task.name)) for name, runs in results.task_runs(task.name).items()}
    return {name: several for name, several in by_arm.items() if several}
