"""Tables of what each task loses when an input is permuted or a part left out: joint training beside single-task
training and the simple model."""

from mtl.report.read import STL, Results
from mtl.report.select import drawn, not_drawn
from mtl.report.table_of_page import Table
from mtl.report.words import DASH, confidence_text, in_shown_unit, is_share, known, metric_label, value_text
from mtl.results.importance import Arm, Importance, Lost
from mtl.results.statistics import signed
from mtl.results.verdicts import JudgedTask

MOST_INPUTS = 20
"""Inputs of a table: those that some arm loses most without."""
ALONE, SIMPLE = "stl", "simple"
CORRELATED = (
    "Inputs that tell the same stand in for each other: each may look unimportant while together they matter, and a "
    "permuted sample may be like none that there is."
)
STANDING_IN = "Parts that tell the same stand in for each other: a network may lose little without either of them."


def importance_tables(results: Results) -> list[Table]:
    """A table for each task: inputs in the order of what is lost without them; none where it was not asked for."""
    importance = results.importance
    if importance is None:
        return []
    tasks = drawn(results.verdicts, results.verdicts.tasks)
    left = not_drawn(len(tasks), len(results.verdicts.tasks))
    tables = [table for task in tasks if (table := _of_parts(results, importance, task, left)) is not None]
    return tables + [table for task in tasks if (table := _of_task(results, importance, task, left)) is not None]


def _of_parts(results: Results, importance: Importance, task: JudgedTask, left: str) -> Table | None:
    """Table of the losses of a task without each part of mixed inputs."""
    arms = {_shown(arm, task): arm for arm in _arms(results, importance.parts, task)}
    if not arms:
        return None
    parts = list(dict.fromkeys(entry.input for arm in arms.values() for entry in arm.inputs))
    losses = {name: {entry.input: entry for entry in arm.inputs} for name, arm in arms.items()}
    rows = [["(all in place)", *(value_text(arm.metric, sum(arm.usual) / len(arm.usual)) for arm in arms.values())]]
    rows += [[part, *(_cell(task.metric, of.get(part)) for of in losses.values())] for part in parts]
    caption = (
        f"{task.name}: {metric_label(task.metric, task.unit)} on the test samples that is lost without a part of the "
        "inputs, whose features are replaced by their mean over training samples while nothing is trained anew; mean "
        f"of all seeds [{confidence_text(results.verdicts)} interval over the seeds]; above 0 the part helps.{left} "
        f"{STANDING_IN}"
    )
    return Table(caption, ["part", *arms], rows, worded=False)


def _of_task(results: Results, importance: Importance, task: JudgedTask, left: str) -> Table | None:
    arms = {_shown(arm, task): arm for arm in _arms(results, importance.arms, task)}
    if not arms:
        return None
    losses = {name: {entry.input: entry for entry in arm.inputs} for name, arm in arms.items()}
    inputs = list(dict.fromkeys(entry.input for arm in arms.values() for entry in arm.inputs))
    greatest = {name: max(_mean(of.get(name)) for of in losses.values()) for name in inputs}
    ranked = sorted(inputs, key=lambda name: -greatest[name])
    rows = [["(all in place)", *(value_text(arm.metric, sum(arm.usual) / len(arm.usual)) for arm in arms.values())]]
    rows += [[name, *(_cell(task.metric, of.get(name)) for of in losses.values())] for name in ranked[:MOST_INPUTS]]
    more = f" Inputs that matter most: {MOST_INPUTS} of {len(ranked)}." if len(ranked) > MOST_INPUTS else ""
    caption = (
        f"{task.name}: {metric_label(task.metric, task.unit)} that is lost when an input is permuted among at most "
        f"{importance.most:,} test samples, mean of {importance.permutations} permutation"
        f"{'s' * (importance.permutations != 1)} and all seeds [{confidence_text(results.verdicts)} interval over the "
        f"seeds]; above 0 the input helps.{more}{left} {CORRELATED}"
    )
    return Table(caption, ["input", *arms], rows, worded=False)


def _arms(results: Results, arms: list[Arm], task: JudgedTask) -> list[Arm]:
    """The simple model, single-task training from the start that most methods share, then each method."""
    runs = results.stl_runs(task.name)
    start = runs[0].record.begun.label if runs else None
    of_task = [arm for arm in arms if arm.task == task.name]
    simple = [arm for arm in of_task if arm.method == SIMPLE]
    alone = [arm for arm in of_task if arm.method == ALONE and arm.start == start]
    return simple + alone + [arm for arm in of_task if arm.method not in (ALONE, SIMPLE)]


def _shown(arm: Arm, task: JudgedTask) -> str:
    if arm.method == SIMPLE:
        return SIMPLE if task.simple is None else f"{SIMPLE}: {task.simple.model}"
    return STL if arm.method == ALONE else arm.method


def _mean(entry: Lost | None) -> float:
    return float("-inf") if entry is None or entry.lost.mean is None else entry.lost.mean


def _cell(metric: str, entry: Lost | None) -> str:
    """`+3.1 [+2.0, +4.2]`, in the unit of the metric."""
    if entry is None or not known(entry.lost.mean):
        return DASH
    digits = 1 if is_share(metric) else 3
    mean, low, high = (
        None if value is None else signed(in_shown_unit(metric, value), digits)
        for value in (entry.lost.mean, entry.lost.low, entry.lost.high)
    )
    return f"{mean}" if low is None or high is None else f"{mean} [{low}, {high}]"
