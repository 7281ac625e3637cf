"""Test metrics of parts of the samples, and the samples with the largest losses, as tables."""

from mtl.report.read import STL, Results
from mtl.report.select import best_method, drawn, not_drawn
from mtl.report.table_of_page import Table
from mtl.report.words import DASH, count_text, metric_label, metric_title, value_text
from mtl.results.slices import Slice, Slices
from mtl.results.verdicts import JudgedTask

MOST_VALUES = 30
"""Values of a slice that a table shows: those with most samples, in their own order."""
ALONE = "stl"


def slice_tables(results: Results) -> list[Table]:
    """For each slice and task its metric by value, then the worst samples of each task; none without slices."""
    slices = results.slices
    if slices is None:
        return []
    tasks = drawn(results.verdicts, results.verdicts.tasks)
    left = not_drawn(len(tasks), len(results.verdicts.tasks))
    tables = [table for by in slices.by for task in tasks if (table := _by_value(results, slices, by, task, left))]
    return tables + [table for task in tasks if (table := _worst(results, slices, task))]


def _by_value(results: Results, slices: Slices, by: str, task: JudgedTask, left: str) -> Table | None:
    """The primary metric of one task by the values of a slice; STL is from the start that most methods share."""
    start = _start(results, task)
    chosen = [part for part in slices.slices if part.by == by and part.task == task.name]
    simple = list(dict.fromkeys(part.method for part in chosen if not part.start))
    arms = list(dict.fromkeys(part.method for part in chosen if part.start and part.method != ALONE))
    of_networks = [part for part in chosen if part.start and (part.method != ALONE or part.start == start)]
    cells = {(part.value, part.method): part for part in of_networks}
    beside = {(part.value, part.method): part for part in chosen if not part.start}
    samples = {part.value: part.samples for part in chosen}
    if not samples:
        return None
    largest = sorted(samples, key=lambda value: -samples[value])[:MOST_VALUES]
    values = [value for value in samples if value in largest]
    alone = [ALONE] if any(method == ALONE for _, method in cells) else []
    rows = [
        [value or "(none)", count_text(samples[value])]
        + [_shown(beside.get((value, arm)), task.metric) for arm in simple]
        + [_shown(cells.get((value, arm)), task.metric) for arm in [*alone, *arms]]
        for value in values
    ]
    more = f" Values with most samples: {len(values)} of {len(samples)}." if len(values) < len(samples) else ""
    caption = f"{task.name} by {by}: {metric_label(task.metric, task.unit)}, test part, mean over seeds.{more}{left}"
    return Table(
        caption,
        [by, "samples", *(f"simple ({arm})" for arm in simple), *(STL for _ in alone), *arms],
        rows,
        worded=False,
    )


def _shown(part: Slice | None, metric: str) -> str:
    mean = None if part is None else part.mean(metric)
    return DASH if mean is None else value_text(metric, mean)


def _worst(results: Results, slices: Slices, task: JudgedTask) -> Table | None:
    """The test samples with the largest losses of one task under STL and under its best method."""
    arms = {(ALONE, _start(results, task))}
    best = best_method(results.verdicts, task)
    chosen = [
        entry
        for entry in slices.worst
        if entry.task == task.name and ((entry.method, entry.start) in arms or entry.method == best)
    ]
    if not chosen:
        return None
    rows = [
        [
            STL if entry.method == ALONE else entry.method,
            str(entry.sample),
            value_text("loss", entry.loss),
            entry.truth,
            entry.prediction,
        ]
        for entry in chosen
    ]
    caption = (
        f"{task.name}: test samples with the largest {metric_title('loss')} under STL and the best method, first seed, "
        "by their number at the source; results/slices.json has those of all methods. Numbers are in original "
        "units; of a forecast, the value that it missed by most."
    )
    return Table(caption, ["arm", "sample", "loss", "truth", "prediction"], rows)


def _start(results: Results, task: JudgedTask) -> str | None:
    """Label of the start of the single-task runs that stand for the task."""
    runs = results.stl_runs(task.name)
    return runs[0].record.begun.label if runs else None
