"""Verdicts of a family of comparisons: paired changes of each → intervals, widened for all of them, and a word.

A comparison is one method on one task over n paired seeds. Every command that judges, and `mtl.verdicts`, comes here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mtl.evaluation.components import Components
from mtl.evaluation.intervals import Effect, adjusted_intervals, over_seeds, t_interval
from mtl.evaluation.judge import judge
from mtl.results.statistics import Ends, Interval, NewDataInterval
from mtl.results.verdict import Verdict
from mtl.tasks.undefined import Undefined

RestsOn = Literal["widest", "training"]
"""Interval that verdicts rest on: the wider of both, or that over seeds alone."""


@dataclass(frozen=True)
class Changes:
    """Values that one comparison is judged by."""

    percent: Sequence[float]
    """[n] paired changes, positive is better; empty where a single-task value of 0 leaves them undefined."""
    margin: float
    """Relative change that is too little to matter, a share."""
    seeds: int
    """n"""
    parts: Components | Undefined
    """Variance components for new data, or why there are none."""


@dataclass(frozen=True)
class Judged:
    """Intervals and verdict of one comparison."""

    change: Interval
    """Over seeds."""
    new_data: NewDataInterval | None
    """Also over the choice of test data; None where there is none."""
    no_new_data: str | None
    """Clause that says why there is none; None where there is one, or none was asked for."""
    adjusted: Ends
    """Widened for the family; the verdict rests on it."""
    verdict: Verdict


def percent_changes(before: Sequence[float], after: Sequence[float], lower_is_better: bool) -> list[float]:
    """Paired changes in percent of the value before, positive is better; empty where one of those is zero, which
    leaves them undefined."""
    if 0.0 in before:
        return []
    sign = -1 if lower_is_better else 1
    return [100 * sign * (b - a) / a for a, b in zip(before, after, strict=True)]


def judge_family(family: Sequence[Changes], confidence: float, rests_on: RestsOn) -> list[Judged]:
    """Intervals and verdict of every comparison, in the order given.

    Args:
        family: all comparisons that are looked at together.
        confidence: 1 − α for the whole family.
        rests_on: interval that verdicts rest on.
    """
    adjusted = adjusted_intervals([_effects(changes, rests_on) for changes in family], confidence)
    judged = []
    for changes, widened in zip(family, adjusted, strict=True):
        parts = changes.parts
        known = None if isinstance(parts, Undefined) else parts
        judged.append(
            Judged(
                change=t_interval(changes.percent, confidence),
                new_data=None if known is None else _new_data(known, confidence),
                no_new_data=(parts.reason or None) if isinstance(parts, Undefined) else None,
                adjusted=widened.ends,
                verdict=judge(
                    changes.percent, widened, changes.margin, changes.seeds, None if rests_on == "training" else known
                ),
            )
        )
    return judged


def _effects(changes: Changes, rests_on: RestsOn) -> list[Effect]:
    """Effects that the verdict has to hold for: over seeds, and for new data where that is asked for and known."""
    training = over_seeds(changes.percent)
    if training is None:
        return []
    if isinstance(changes.parts, Undefined) or rests_on == "training":
        return [training]
    return [training, Effect(training.mean, changes.parts.error, changes.parts.freedom)]


def _new_data(parts: Components, confidence: float) -> NewDataInterval:
    ends = parts.interval(confidence)
    assert ends.low is not None and ends.high is not None
    return NewDataInterval(
        mean=parts.mean,
        low=ends.low,
        high=ends.high,
        freedom=parts.freedom,
        blocks=parts.blocks,
        data_share=parts.data_share,
    )
