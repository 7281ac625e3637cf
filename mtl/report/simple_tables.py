"""Tables of the simple models: which one each task has, what it reaches, and where the networks stand against it."""

from mtl.report.read import Results
from mtl.report.select import best_method
from mtl.report.sides import lost_mark
from mtl.report.table_of_page import Table
from mtl.report.words import DASH, change_text, confidence_text, metric_label, score_text, share_text, value_text
from mtl.results.simple import SimpleChoice
from mtl.results.statistics import Summary
from mtl.results.verdicts import JudgedTask, Row, Side, SimpleResult, Unpaired


def simple_tables(results: Results) -> list[Table]:
    """The networks against the simple models, then what stood to choice among these; none without simple models."""
    tasks = [(task, task.simple) for task in results.verdicts.tasks if task.simple is not None]
    if not tasks:
        return []
    head = ["task", "simple model", "test value", "gap", f"STL, change % [{confidence_text(results.verdicts)}]",
            "best joint", "joint, change %"]  # fmt: skip
    against = Table(
        "Networks against the best simple model of each task: change of the test value in percent, + is better; "
        "intervals over seeds, without the choice of test data",
        head, [_row(results, task, simple) for task, simple in tasks], worded=False, folds=True,
    )  # fmt: skip
    choices = [(task, choice) for task, _ in tasks if (choice := _choice(results, task)) is not None]
    rows = [[task.name, *_candidates(task, choice)] for task, choice in choices]
    head = ["task", "on validation data, the best first", "settings of the best", "left out"]
    caption = "Choice among the simple models by validation data, first seed"
    return [against, *([Table(caption, head, rows, prose=True, folds=True)] if rows else [])]


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
        DASH if first is None else _against(first, "STL"),
        *([DASH, DASH] if best is None else [best.method, _against(best, "joint")]),
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


def _against(row: Row | Unpaired, side: Side) -> str:
    """Change of a side against the simple model, with its mark."""
    assert row.simple is not None, "rows without are left out"
    change = row.simple.stl if side == "STL" else row.simple.joint
    return f"{change_text(change)} {lost_mark(row, side)}".rstrip()


def _choice(results: Results, task: JudgedTask) -> SimpleChoice | None:
    """Choice of the first seed."""
    return next((run.record.simple for run in results.simple.get(task.name, []) if run.record.simple), None)


def _candidates(task: JudgedTask, choice: SimpleChoice) -> list[str]:
    """Validation value of each simple model that was fitted; settings of the best; what was left out, and why."""
    sign = 1 if task.lower_is_better else -1
    ranked = sorted(choice.candidates.items(), key=lambda entry: (sign * entry[1], entry[0]))
    values = ", ".join(f"{name} {value_text(task.metric, value)}" for name, value in ranked)
    left = "; ".join(f"{name}: {reason}" for name, reason in choice.skipped.items())
    return [values, choice.about or DASH, left or DASH]
