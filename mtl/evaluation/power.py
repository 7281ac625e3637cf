"""Number of seeds that would decide a comparison.

n seeds; s standard deviation of the paired changes over seeds; δ the change to be found; l the two-sided level.
"""

from collections.abc import Callable
from dataclasses import dataclass

from scipy import special

POWER = 0.8
"""Probability with which a change is to be found."""
MOST = 2**20
"""Seeds beyond which nobody would ask."""


@dataclass(frozen=True)
class TestData:
    """Part of a change's standard error that no number of seeds makes smaller: that of the test samples."""

    __test__ = False  # no class of tests, whatever its name begins with

    error: float
    freedom: float


def seeds_needed(spread: float, change: float, level: float, now: int, data: TestData | None = None) -> int | None:
    """Smallest number of seeds with which a change is found with a probability of about 80 %.

    It is the smallest n with (t₁₋ₗ/₂ + t.₈) · s / √n ≤ δ, t with n − 1 degrees of freedom. Where test data have a
    share in the error, s / √n becomes √(s² / n + error²) with Satterthwaite's degrees of freedom, and both conditions
    hold. Where that n is no more than the seeds there are, which decided nothing, it is the smallest n whose interval
    decides whatever its mean: of half a width up to δ / 2, it excludes zero or lies within ±δ.

    Args:
        spread: s.
        change: δ, in the unit of the spread: the margin, or a larger change that was seen.
        level: l.
        now: seeds that there are.
        data: share of the test data in the error; None where verdicts leave it out.

    Returns:
        None for a change of 0, and where a million seeds were too few: with `data`, those leave it open.
    """
    if change <= 0:
        return None

    def wide(n: int, power: float) -> float:
        """Distance from zero at which a change is found with a probability of `power`."""
        errors: list[tuple[float, float]] = [(spread / n**0.5, n - 1.0)]
        if data is not None:
            errors.append(_together(spread / n**0.5, n - 1.0, data))
        return max((_quantile(1 - level / 2, free) + _quantile(power, free)) * error for error, free in errors)

    count = _smallest(lambda n: wide(n, POWER) <= change)
    if count is not None and count <= now:
        count = _smallest(lambda n: wide(n, 0.5) <= change / 2)
    return count


def _together(error: float, freedom: float, data: TestData) -> tuple[float, float]:
    """Standard error of a sum of two, and its degrees of freedom (Satterthwaite 1946)."""
    total = error**2 + data.error**2
    if total == 0:
        return 0.0, freedom
    return total**0.5, total**2 / (error**4 / freedom + data.error**4 / data.freedom)


def _smallest(holds: Callable[[int], bool]) -> int | None:
    """Smallest n of at least 2 for which something holds that holds from some n on; None where that is above `MOST`."""
    high = 2
    while not holds(high):
        high *= 2
        if high > MOST:
            return None
    low = high // 2  # does not hold, or is 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _quantile(share: float, freedom: float) -> float:
    return float(special.stdtrit(freedom, share))
