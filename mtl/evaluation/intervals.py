"""t-intervals over seeds and their adjustment for many comparisons.

**Adjusted intervals.** Holm (1979) orders the m p-values and rejects the i-th smallest (i = 0, 1, …) while
p ≤ α / (m − i); at the first that fails it stops. Here the i-th comparison gets the interval at the level at which
Holm tested it, 1 − α / (m − i), and every comparison from the first failure on gets that failure's level. So an
adjusted interval excludes zero exactly when Holm rejects, and under no effect anywhere the chance that any interval
excludes zero is at most α, whatever the dependence (all methods share their baselines). The intervals show Holm's
decisions; they are not a joint confidence region.
"""

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
from scipy import stats

from mtl.results.statistics import Interval


def t_interval(values: Sequence[float], confidence: float) -> Interval:
    """Mean and two-sided t-interval; of paired differences it is the paired interval.

    Equal values give an interval of width zero.

    Args:
        values: one a seed.
        confidence: in (0, 1).
    """
    n = len(values)
    if n == 0:
        return Interval(mean=None, low=None, high=None, n=0)
    mean, error = _mean_and_error(values)
    if n == 1:
        return Interval(mean=mean, low=None, high=None, n=1)
    half = _quantile(confidence, n - 1) * error
    return Interval(mean=mean, low=mean - half, high=mean + half, n=n)


@cache
def _quantile(confidence: float, freedom: int) -> float:
    """Quantile of Student's t, two-sided: the same few for thousands of intervals."""
    return float(stats.t.isf((1 - confidence) / 2, freedom))


def p_value(values: Sequence[float]) -> float | None:
    """Two-sided p of the t-test that the mean is zero; None for fewer than two values.

    Equal values have no spread to test against: p is 1 if they are zero, else 0.
    """
    if len(values) < 2:
        return None
    mean, error = _mean_and_error(values)
    if error == 0:
        return 1.0 if mean == 0 else 0.0
    return float(2 * stats.t.sf(abs(mean) / error, len(values) - 1))


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


def adjusted_intervals(samples: Sequence[Sequence[float]], confidence: float) -> list[Interval]:
    """Holm-adjusted t-intervals of several comparisons, in the order given.

    Args:
        samples: for each comparison its paired differences, one a seed. Those with fewer than two values cannot be
            tested: they get no interval and do not count among the m.
        confidence: 1 − α for the whole family.
    """
    p_values = [p_value(values) for values in samples]
    tested = [p for p in p_values if p is not None]
    levels = iter(holm_levels(tested, 1 - confidence))
    pairs = zip(samples, p_values, strict=True)
    return [t_interval(v, confidence) if p is None else t_interval(v, 1 - next(levels)) for v, p in pairs]


def spread(values: Sequence[float]) -> float:
    """Standard deviation over seeds (ddof 1); 0 for equal values and for one value."""
    return 0.0 if len(values) < 2 or min(values) == max(values) else float(np.std(values, ddof=1))


def _mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard error; equal values have an error of exactly zero, whatever rounding does to the mean."""
    if min(values) == max(values):
        return float(values[0]), 0.0
    return float(np.mean(values)), spread(values) / math.sqrt(len(values))
