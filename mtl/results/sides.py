"""Networks of verdicts.json for which something holds: those that see nothing in their input, those that lose to a
simple model."""

from collections.abc import Callable, Sequence

from mtl.results.verdicts import Row, Side, Unpaired, Verdicts

MOST_TASKS = 6
"""Tasks that a sentence names before it counts the others."""
MOST_NETWORKS = 4
"""Networks of a task that it names."""
Judged = Row | Unpaired


def blind_sides(row: Judged) -> Sequence[Side]:
    """Sides that are not shown to be better than a predictor that has seen no input."""
    return row.blind or []


def lost_sides(row: Judged) -> Sequence[Side]:
    """Sides that lose to the simple model by more than the margin."""
    return [] if row.simple is None else row.simple.loses


def networks(verdicts: Verdicts, sides: Callable[[Judged], Sequence[Side]]) -> str:
    """`next_6h (all networks), fault (STL, joint)`: tasks with those of their networks that something holds for."""
    arms: dict[str, dict[str, bool]] = {}
    judged: list[Row | Unpaired] = [*verdicts.rows, *verdicts.unpaired]
    for row in judged:
        holds, of_task = sides(row), arms.setdefault(row.task, {})
        if isinstance(row, Row):
            of_task["STL"] = of_task.get("STL", False) or "STL" in holds
        of_task[row.method] = "joint" in holds
    told = [f"{task} ({_named(of_task)})" for task, of_task in arms.items() if any(of_task.values())]
    return ", ".join(told[:MOST_TASKS]) + (f" and {len(told) - MOST_TASKS} tasks more" if told[MOST_TASKS:] else "")


def _named(of_task: dict[str, bool]) -> str:
    """Networks of one task for which it holds, of many the first."""
    if all(of_task.values()):
        return "all networks"
    names = [name for name, holds in of_task.items() if holds]
    more = f" and {len(names) - MOST_NETWORKS} more" if names[MOST_NETWORKS:] else ""
    return ", ".join(names[:MOST_NETWORKS]) + more
