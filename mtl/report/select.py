"""Choice of the tasks that are drawn and listed where there are too many for all: those that changed most."""

from collections.abc import Sequence

from mtl.report.words import known, verdict_class
from mtl.results.verdicts import JudgedTask, Row, Unpaired, Verdicts

MOST_PANELS = 12
"""Panels of a figure that has one for each task."""
MOST_BANDS = 16
"""Tasks in a figure that has a line of text for each."""
MOST_ROWS = 30
"""Rows of a table that are shown unasked."""
EXTREMES = 10
"""Tasks on either end of a ranking that stand for all."""


def drawn(verdicts: Verdicts, tasks: Sequence[JudgedTask], most: int = MOST_PANELS) -> list[JudgedTask]:
    """All `tasks`, or the `most` whose largest change against STL is greatest, in their own order; tasks without a
    change come last."""
    if len(tasks) <= most:
        return list(tasks)
    changes: dict[str, float] = {}
    for row in verdicts.rows:
        if known(row.change.mean):
            changes[row.task] = max(changes.get(row.task, 0.0), abs(row.change.mean))
    ranked = sorted(tasks, key=lambda task: -changes.get(task.name, -1.0))  # stable: file order among equals
    names = {task.name for task in ranked[:most]}
    return [task for task in tasks if task.name in names]


def not_drawn(shown: int, there: int) -> str:
    """Addition to a caption where some are left out."""
    return f" Shown: {shown} of {there} tasks, those that changed most against STL." if shown < there else ""


def best_method(verdicts: Verdicts, task: JudgedTask) -> str | None:
    """The method with the best joint mean of the task."""
    names = [method.name for method in verdicts.methods]
    rows: list[Row | Unpaired] = [row for name in names for row in verdicts.rows_of(name) if row.task == task.name]
    rows += [row for row in verdicts.unpaired if row.task == task.name]
    sign = 1 if task.lower_is_better else -1
    return min(rows, key=lambda row: sign * row.joint.mean).method if rows else None


def extremes(verdicts: Verdicts, method: str) -> list[Row]:
    """A method's rows: the `EXTREMES` most helped and most hurt, those with such a verdict first among them, in the
    order of their change; all, in the order of the tasks, where they fit."""
    rows = verdicts.rows_of(method)
    if len(rows) <= 2 * EXTREMES:
        return rows
    changed = [(row.change.mean, row) for row in rows if known(row.change.mean)]
    chosen: list[tuple[float, Row]] = []
    for sign, kind in ((1, "helped"), (-1, "hurt")):
        side = [(change, row) for change, row in changed if sign * change > 0]
        chosen += sorted(side, key=lambda pair: (verdict_class(pair[1].verdict) != kind, -sign * pair[0]))[:EXTREMES]
    return [row for _, row in sorted(chosen, key=lambda pair: -pair[0])]
