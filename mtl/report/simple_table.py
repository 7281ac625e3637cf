"""Table of the simple models: which one each task has, what it reaches, and where the networks stand against it."""

from mtl.report.read import Results
from mtl.report.select import best_method
from mtl.report.sides import lost_mark
from mtl.report.style import Table
from mtl.report.words import DASH, change_text, confidence_text, metric_label, score_text, share_text, value_text
from mtl.results.record import SimpleChoice
from mtl.results.statistics import Summary
from mtl.results.verdicts import JudgedTask, Row, SimpleResult, Unpaired


def simple_table(results: Results) -> Table | None:
    """A row a task with a simple model; None without any."""
    verdicts = results.verdicts
    rows = [_row(results, task, task.simple) for task in verdicts.tasks if task.simple is not None]
    head = ["task", "simple model", "test value", "gap", f"STL against it, % [{confidence_text(verdicts)}]",
            "best joint", "against it, %", "on validation data"]  # fmt: skip
    caption = "Best simple model of each task, and change of the networks against it in percent (+ is better)"
    return Table(caption, head, rows, folds=True) if rows else None


def _row(results: Results, task: JudgedTask, simple: SimpleResult) -> list[str]:
    judged: list[Row | Unpaired] = [*results.verdicts.rows, *results.verdicts.unpaired]
    of_task = {row.method: row for row in judged if row.task == task.name and row.simple is not None}
    first = next((row for row in of_task.values() if isinstance(row, Row)), None)
    best = of_task.get(best_method(results.verdicts, task) or "")
    return [
        f"{task.name}, {metric_label(task.metric, task.unit)}",
        _chosen(simple),
        _value(task, simple.summary),
        share_text(simple.gap),
        *([DASH] if first is None else _against(first, "STL")),
        *([DASH, DASH] if best is None else [best.method, *_against(best, "joint")]),
        _candidates(results, task),
    ]


def _chosen(simple: SimpleResult) -> str:
    """`ridge`; where seeds chose different ones, each with its number of seeds: `ridge 4, seasonal 1`."""
    counts = {name: simple.by_seed.count(name) for name in dict.fromkeys([simple.model, *simple.by_seed])}
    if len(counts) == 1:
        return simple.model
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _value(task: JudgedTask, value: Summary) -> str:
    """The test value, with an interval where it differs between seeds."""
    return score_text(task.metric, value) if len(set(value.values)) > 1 else value_text(task.metric, value.mean)


def _against(row: Row | Unpaired, side: str) -> list[str]:
    """Change of a side against the simple model, with its mark."""
    assert row.simple is not None, "rows without are left out"
    mark = lost_mark(row, "STL" if side == "STL" else "joint")
    return [f"{change_text(row.simple.stl if side == 'STL' else row.simple.joint)} {mark}".rstrip()]


def _candidates(results: Results, task: JudgedTask) -> str:
    """Validation value of each simple model that was fitted, the best first, the settings of the chosen one, and what
    was left out and why; of the first seed."""
    choices: list[SimpleChoice] = [run.record.simple for run in results.simple.get(task.name, []) if run.record.simple]
    if not choices:
        return DASH
    sign = 1 if task.lower_is_better else -1
    ranked = sorted(choices[0].candidates.items(), key=lambda entry: (sign * entry[1], entry[0]))
    values = ", ".join(f"{name} {value_text(task.metric, value)}" for name, value in ranked)
    about = f"{choices[0].model}: {choices[0].about}" if choices[0].about else ""
    skipped = [f"{name}: {reason}" for name, reason in choices[0].skipped.items()]
    return "; ".join(said for said in (values, about, *skipped) if said)
