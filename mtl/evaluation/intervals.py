"""t-intervals of changes and their adjustment for many comparisons.

**Effects.** A change is estimated with a standard error and the degrees of freedom of that error: over n paired seeds
these are s / √n and n − 1. A comparison may have two such effects of one change, one for each source of randomness that
is covered; it then has the larger p-value and the wider interval, so that no choice between them is made by the data.

**Adjusted intervals.** Holm (1979) orders the m p-values and rejects the i-th smallest (i = 0, 1, …) while
p ≤ α / (m − i); at the first that fails it stops. Here the i-th comparison gets the interval at the level at which
Holm tested it, 1 − α / (m − i), and every comparison from the first failure on gets that failure's level. So an
adjusted interval excludes zero exactly when Holm rejects, and under no effect anywhere the chance that any interval
excludes zero is at most α, whatever the dependence (all methods share their baselines). The intervals show Holm's
decisions; they are not a joint confidence region.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from mtl.results.statistics import Ends, Interval


@dataclass(frozen=True)
class Effect:
    """An estimated change."""

    mean: float
    error: float
    """Its standard error."""
    freedom: float
    """Degrees of freedom of the error; not whole where it adds up several sources of variance."""

    def ends(self, level: float) -> Ends:
        """Two-sided t-interval at the confidence 1 − level."""
        half = half_width(self.error, self.freedom, level)
        return Ends(low=self.mean - half, high=self.mean + half)

    @property
    def p_value(self) -> float:
        """Two-sided p of the t-test that the change is zero; without an error 1 for no change, else 0."""
        if self.error == 0:
            return 1.0 if self.mean == 0 else 0.0
        return float(2 * special.stdtr(self.freedom, -abs(self.mean) / self.error))


@dataclass(frozen=True)
class Widened:
    """Interval of a comparison at the level at which Holm tested it."""

    ends: Ends
    level: float | None
    """None where there was nothing to test; the ends are None then, too."""


def over_seeds(values: Sequence[float]) -> Effect | None:
    """Effect of paired differences, one a seed; None for fewer than two.

    Equal values have an error of exactly zero, whatever rounding does to the mean.
    """
    if len(values) < 2:
        return None
    if min(values) == max(values):
        return Effect(float(values[0]), 0.0, len(values) - 1.0)
    return Effect(float(np.mean(values)), spread(values) / math.sqrt(len(values)), len(values) - 1.0)


def t_interval(values: Sequence[float], confidence: float) -> Interval:
    """Mean and two-sided t-interval; of paired differences it is the paired interval.

    Equal values give an interval of width zero.

    Args:
        values: one a seed.
        confidence: in (0, 1).
    """
    if not values:
        return Interval(mean=None, low=None, high=None, n=0)
    effect = over_seeds(values)
    if effect is None:
        return Interval(mean=float(values[0]), low=None, high=None, n=1)
    ends = effect.ends(1 - confidence)
    return Interval(mean=effect.mean, low=ends.low, high=ends.high, n=len(values))


def half_width(error: float, freedom: float, level: float) -> float:
    """Half the width of a two-sided t-interval at the confidence 1 − level."""
    return -float(special.stdtrit(freedom, level / 2)) * error


def holm_levels(p_values: Sequence[float], alpha: float) -> list[float]:
    """The share of α that each comparison's interval may use (see the module), in the order given."""
    m = len(p_values)
    levels = [0.0] * m
    stopped: float | None = None
    for rank, index in enumerate(sorted(range(m), key=lambda i: (p_values[i], i))):
        level = alpha / (m - rank) if stopped is None else stopped
        if p_values[index] > level and stopped is None:
            stopped = level
        levels[index] = level
    return levels


def adjusted_intervals(comparisons: Sequence[Sequence[Effect]], confidence: float) -> list[Widened]:
    """Holm-adjusted t-intervals of several comparisons, in the order given.

    Args:
        comparisons: for each the effects that its verdict has to hold for, all of one change. A comparison without any
            cannot be tested: it gets no interval and does not count among the m.
        confidence: 1 − α for the whole family.
    """
    tested = [max(effect.p_value for effect in effects) for effects in comparisons if effects]
    levels = iter(holm_levels(tested, 1 - confidence))
    return [_widest(effects, next(levels)) if effects else Widened(Ends(low=None, high=None), None)
            for effects in comparisons]  # fmt: skip


def _widest(effects: Sequence[Effect], level: float) -> Widened:
    """Widest interval at one level; all effects have the same mean, so it holds the others."""
    return Widened(widest(effects, level).ends(level), level)


def widest(effects: Sequence[Effect], level: float) -> Effect:
    """Effect with the widest interval at a level; the first of equals."""
    return max(effects, key=lambda effect: half_width(effect.error, effect.freedom, level))


def spread(values: Sequence[float]) -> float:
    """Standard deviation over seeds (ddof 1); 0 for equal values and for one value."""
    return 0.0 if len(values) < 2 or min(values) == max(values) else float(np.std(values, ddof=1))
