"""One method on one task: values paired by seed, and the row of verdicts.json that follows from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mtl.errors import UserError
from mtl.evaluation.blind import is_blind
from mtl.evaluation.comparison import Comparison
from mtl.evaluation.components import Components
from mtl.evaluation.family import Changes, Judged
from mtl.evaluation.intervals import spread, t_interval
from mtl.evaluation.judge import of_quick_look
from mtl.evaluation.limits import MIN_GAP, MIN_SEEDS
from mtl.evaluation.simple import over_simple
from mtl.results.record import Run
from mtl.results.statistics import Estimate, Interval
from mtl.results.verdicts import Answer, Row, Side, TrialsOfRow, Unpaired
from mtl.tasks.undefined import Undefined


@dataclass(frozen=True)
class Pairs:
    """Values of the primary metric of one task, by seed."""

    method: str
    task: str
    stl: list[float]
    joint: list[float]
    stl_runs: list[Run]
    joint_runs: list[Run]
    changes: list[float]
    """In percent of the STL value, positive is better; empty where an STL value of 0 leaves them undefined."""


def paired(made: Comparison, method: str, task: str) -> Pairs:
    """Single-task and joint values of a task.

    Raises:
        UserError: a run is missing, a metric is not finite, or the two sides trained on unequal numbers of samples.
    """
    stl_runs, joint_runs = made.stl(task, made.config.finetune.methods[method].label), made.joint(method)
    for single, joint in zip(stl_runs, joint_runs, strict=True):
        if single.train_size[task] != joint.train_size[task]:
            raise UserError(
                f"{joint.path.folder} trained {task} on {joint.train_size[task]} samples and "
                f"{single.path.folder} on {single.train_size[task]}; run `mtl repro` to bring both up to date."
            )
    before, after = made.values(stl_runs, task), made.values(joint_runs, task)
    return Pairs(method, task, before, after, stl_runs, joint_runs, made.changes(task, before, after))


def changes_of(made: Comparison, pairs: Pairs, parts: Components | Undefined) -> Changes:
    """Returns what a comparison is judged by.

    Args:
        made: all runs.
        pairs: values of both sides.
        parts: variance components of the change, or why there are none.
    """
    return Changes(pairs.changes, made.config.evaluate.margin_of(pairs.task), len(made.seeds), parts)


def row(made: Comparison, pairs: Pairs, judged: Judged, tuning: TrialsOfRow | None) -> Row:
    """Row of one method on one task.

    Args:
        made: all runs.
        pairs: values of both sides.
        judged: their intervals, widened for all rows, and the verdict.
        tuning: trials of tuning behind the two sides.
    """
    task, spec = pairs.task, made.config.tasks[pairs.task]
    tolerance = made.config.evaluate.tolerance_of(task, spec.family)
    ratio = None
    if pairs.changes and (spec.family == "regression" or tolerance is not None):
        ratio = made.interval([joint / stl for stl, joint in zip(pairs.stl, pairs.joint, strict=True)])
    answer = None if ratio is None or tolerance is None else within(ratio, tolerance, spec.lower_is_better)
    quick = made.config.evaluate.quick is not None
    return Row(
        method=pairs.method,
        task=task,
        start=made.config.finetune.methods[pairs.method].label,
        metric=spec.primary_metric,
        role=spec.role,
        stl=made.summary(pairs.stl, spec.primary_metric),
        joint=made.summary(pairs.joint, spec.primary_metric),
        change=judged.change,
        new_data=judged.new_data,
        no_new_data=judged.no_new_data,
        adjusted=judged.adjusted,
        gap_closed=gap_closed(pairs.stl, pairs.joint, made.optimum(task), spec.lower_is_better, made.confidence),
        ratio=None if ratio is None else estimate(ratio),
        within_tolerance=answer,
        blind=_blind(made, task, {"STL": pairs.stl_runs, "joint": pairs.joint_runs}),
        simple=over_simple(made, task, {"STL": pairs.stl_runs, "joint": pairs.joint_runs}),
        verdict=of_quick_look(made.config.evaluate.margin_of(task)) if quick else judged.verdict,
        tuning=tuning,
    )


def unpaired(made: Comparison, method: str, task: str) -> Unpaired:
    """One method on a task without single-task models: the metric that it reached, and no verdict."""
    spec = made.config.tasks[task]
    runs = made.joint(method)
    return Unpaired(
        method=method,
        task=task,
        metric=spec.primary_metric,
        role=spec.role,
        joint=made.summary(made.values(runs, task), spec.primary_metric),
        blind=_blind(made, task, {"joint": runs}),
        simple=over_simple(made, task, {"joint": runs}),
    )


def _blind(made: Comparison, task: str, sides: Mapping[Side, Sequence[Run]]) -> list[Side] | None:
    """Sides that are not shown to be better than a predictor that has seen no input; None where all are."""
    return [side for side, runs in sides.items() if is_blind(made.gain_over_no_input(runs, task))] or None


def within(ratio: Interval, tolerance: float, lower_is_better: bool = True) -> Answer:
    """Answers whether a metric stays within a share of the single-task one, by the whole interval of their ratio.

    Args:
        ratio: joint over single-task value.
        tolerance: share by which the metric may get worse: up to 1 + tolerance times the single-task value where lower
            is better, down to 1 − tolerance times where higher is.
        lower_is_better: direction of the metric.
    """
    if ratio.low is None or ratio.high is None or ratio.n < MIN_SEEDS:
        return "not known"
    if lower_is_better:
        return "yes" if ratio.high <= 1 + tolerance else "no" if ratio.low > 1 + tolerance else "not known"
    return "yes" if ratio.low >= 1 - tolerance else "no" if ratio.high < 1 - tolerance else "not known"


def gap_closed(
    stl: Sequence[float], joint: Sequence[float], optimum: float | None, lower: bool, confidence: float
) -> Estimate | None:
    """Share of the distance from STL to the optimum that the joint run closes: 1 reaches the optimum, below 0 is worse.

    A ratio of means over seeds: (STL − joint) / (STL − optimum). The interval is that of the paired differences, over
    the mean gap taken as given. None where the share has no meaning: no optimum is known, the STL is at or beyond it,
    or the gap is below 1 % of the STL's value or below the STL's standard deviation over seeds (a coin).
    """
    if optimum is None:
        return None
    sign = 1 if lower else -1
    mean = sum(stl) / len(stl)
    gap = sign * (mean - optimum)
    if gap <= 0 or gap < MIN_GAP * abs(mean) or gap < spread(stl):
        return None
    return estimate(t_interval([sign * (a - b) / gap for a, b in zip(stl, joint, strict=True)], confidence))


def estimate(interval: Interval) -> Estimate:
    """An interval of one or more values without their number."""
    assert interval.mean is not None, "there are values"
    return Estimate(mean=interval.mean, low=interval.low, high=interval.high)
