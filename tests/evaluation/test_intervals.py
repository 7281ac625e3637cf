"""Intervals against textbook values, Holm's procedure by hand, and their error rate."""

import numpy as np
import pytest
from scipy import stats

from mtl.evaluation.intervals import adjusted_intervals, holm_levels, p_value, spread, t_interval


def test_known_interval() -> None:
    """1 … 5: mean 3, standard error √(2.5/5), t(0.975, 4) = 2.776445 from a table."""
    found = t_interval([1.0, 2.0, 3.0, 4.0, 5.0], 0.95)
    assert (found.mean, found.n) == (3.0, 5)
    assert found.low == pytest.approx(3 - 2.776445 * 0.5**0.5, abs=1e-6)
    assert found.high == pytest.approx(3 + 2.776445 * 0.5**0.5, abs=1e-6)


def test_three_seeds_use_their_wide_quantile() -> None:
    """t(0.975, 2) = 4.3027."""
    assert t_interval([-1.0, 0.0, 1.0], 0.95).high == pytest.approx(4.3027 / 3**0.5, abs=1e-4)


def test_one_value_or_none_has_no_interval() -> None:
    one, none = t_interval([2.0], 0.95), t_interval([], 0.95)
    assert (one.mean, one.low, one.high, one.n, one.sign) == (2.0, None, None, 1, 0)
    assert (none.mean, none.low, none.high, none.n) == (None, None, None, 0)
    assert p_value([2.0]) is None


def test_equal_values_have_width_zero() -> None:
    """Also where the rounded mean of n equal numbers is not that number."""
    found = t_interval([0.1] * 3, 0.95)
    assert (found.low, found.mean, found.high, spread([0.1] * 3)) == (0.1, 0.1, 0.1, 0.0)
    assert (t_interval([0.0] * 5, 0.95).sign, found.sign) == (0, 1)
    assert (p_value([0.0] * 5), p_value([0.1] * 3)) == (1.0, 0.0)


def test_p_values_agree_with_scipy() -> None:
    values = np.random.default_rng(0).normal(0.3, 1, 7).tolist()
    assert p_value(values) == pytest.approx(stats.ttest_1samp(values, 0).pvalue)


def test_holm_by_hand() -> None:
    """α = 0.05, m = 4: .01 ≤ .05/4 and .015 ≤ .05/3 pass, .03 > .05/2 stops; .04 gets that level too, though < .05."""
    assert holm_levels([0.04, 0.01, 0.03, 0.015], 0.05) == pytest.approx([0.025, 0.0125, 0.025, 0.05 / 3])
    assert holm_levels([0.02, 0.03], 0.05) == pytest.approx([0.025, 0.05])
    assert holm_levels([0.2], 0.05) == pytest.approx([0.05])
    assert holm_levels([], 0.05) == []


def _holm_rejects(p: np.ndarray, alpha: float) -> np.ndarray:
    """The textbook form: adjusted p = running maximum of (m − i)·p_(i)."""
    order = np.argsort(p)
    adjusted = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    rejected = np.empty(len(p), dtype=bool)
    rejected[order] = adjusted <= alpha
    return rejected


@pytest.mark.parametrize("shift", [0.0, 1.0, 3.0])
def test_adjusted_intervals_exclude_zero_exactly_when_holm_rejects(shift: float) -> None:
    rng = np.random.default_rng(4)
    for _ in range(60):
        samples = rng.normal(size=(8, 5)) + shift * rng.integers(-1, 2, size=(8, 1))
        found = adjusted_intervals(samples.tolist(), 0.95)
        p = stats.ttest_1samp(samples, 0, axis=1).pvalue
        assert [interval.sign != 0 for interval in found] == _holm_rejects(p, 0.05).tolist()
        for interval, values in zip(found, samples, strict=True):
            plain = t_interval(values.tolist(), 0.95)
            assert interval.low is not None and plain.low is not None
            assert interval.low <= plain.low + 1e-12


def test_untestable_comparisons_do_not_widen_the_others() -> None:
    values = [1.0, 2.0, 3.0, 2.0, 1.5]
    found = adjusted_intervals([[], values, [1.0]], 0.95)
    assert found == [t_interval([], 0.95), t_interval(values, 0.95), t_interval([1.0], 0.95)]


def test_plain_interval_covers_as_often_as_it_says() -> None:
    samples = np.random.default_rng(5).normal(2.0, 1.0, size=(2000, 5))
    covered = 0
    for values in samples.tolist():
        found = t_interval(values, 0.9)
        assert found.low is not None and found.high is not None
        covered += found.low <= 2.0 <= found.high
    assert abs(covered / 2000 - 0.9) < 4 * (0.9 * 0.1 / 2000) ** 0.5
