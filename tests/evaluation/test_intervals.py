"""Intervals against textbook values, Holm's procedure by hand, and their error rate."""

import numpy as np
import pytest
from scipy import stats

from mtl.config.metrics import METRICS
from mtl.evaluation.intervals import (
    Effect,
    adjusted_intervals,
    half_width,
    holm_levels,
    over_seeds,
    spread,
    t_interval,
)
from mtl.results.statistics import Ends


def effect(values: list[float]) -> Effect:
    found = over_seeds(values)
    assert found is not None
    return found


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
    assert over_seeds([2.0]) is over_seeds([]) is None


def test_equal_values_have_width_zero() -> None:
    """Also where the rounded mean of n equal numbers is not that number."""
    found = t_interval([0.1] * 3, 0.95)
    assert (found.low, found.mean, found.high, spread([0.1] * 3)) == (0.1, 0.1, 0.1, 0.0)
    assert (t_interval([0.0] * 5, 0.95).sign, found.sign) == (0, 1)
    assert (effect([0.0] * 5).p_value, effect([0.1] * 3).p_value) == (1.0, 0.0)


def test_p_values_agree_with_scipy() -> None:
    values = np.random.default_rng(0).normal(0.3, 1, 7).tolist()
    assert effect(values).p_value == pytest.approx(stats.ttest_1samp(values, 0).pvalue, rel=1e-9)


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
        found = adjusted_intervals([[effect(values)] for values in samples.tolist()], 0.95)
        p = stats.ttest_1samp(samples, 0, axis=1).pvalue
        assert [interval.ends.sign != 0 for interval in found] == _holm_rejects(p, 0.05).tolist()
        for interval, values in zip(found, samples, strict=True):
            plain = t_interval(values.tolist(), 0.95)
            assert interval.ends.low is not None and plain.low is not None
            assert interval.ends.low <= plain.low + 1e-12


def test_holm_by_hand_with_degrees_of_freedom_of_their_own() -> None:
    """All have the mean 3 and the error 1, and p falls with the degrees of freedom: 2: .0955, 9: .0150, 40: .0046. Of
    m = 3 the last passes .05/3, the second .05/2, the first fails .05; quantiles from a table."""
    comparisons = [[Effect(3.0, 1.0, freedom)] for freedom in (2.0, 9.0, 40.0)]
    found = adjusted_intervals(comparisons, 0.95)
    assert [widened.level for widened in found] == pytest.approx([0.05, 0.025, 0.05 / 3])
    assert [widened.ends.sign for widened in found] == [0, 1, 1]
    quantiles = (4.3027, 2.6850, 2.4989)
    for widened, quantile in zip(found, quantiles, strict=True):
        assert widened.ends.low == pytest.approx(3 - quantile, abs=1e-3)
        assert widened.ends.high == pytest.approx(3 + quantile, abs=1e-3)


def test_a_comparison_of_two_effects_excludes_zero_exactly_when_holm_rejects_both() -> None:
    """A small error with few degrees of freedom and a larger one with more: either may be the wider, by the level."""
    rng = np.random.default_rng(11)
    for _ in range(200):
        means = 3 * rng.normal(size=6)
        errors, freedoms = rng.uniform(0.5, 1.5, (6, 2)), rng.uniform(2, 30, (6, 2))
        comparisons = [
            [Effect(float(mean), float(error), float(freedom)) for error, freedom in zip(e, f, strict=True)]
            for mean, e, f in zip(means, errors, freedoms, strict=True)
        ]
        p = (2 * stats.t.sf(np.abs(means)[:, None] / errors, freedoms)).max(axis=1)
        found = adjusted_intervals(comparisons, 0.95)
        assert [widened.ends.sign != 0 for widened in found] == _holm_rejects(p, 0.05).tolist()
        for widened, effects in zip(found, comparisons, strict=True):
            assert widened.level is not None and widened.ends.low is not None and widened.ends.high is not None
            halves = [half_width(effect.error, effect.freedom, widened.level) for effect in effects]
            assert (widened.ends.high - widened.ends.low) / 2 == pytest.approx(max(halves))


def test_untestable_comparisons_do_not_widen_the_others() -> None:
    values = [1.0, 2.0, 3.0, 2.0, 1.5]
    none, found = adjusted_intervals([[], [effect(values)]], 0.95)
    plain = t_interval(values, 0.95)
    assert (found.ends, found.level) == (Ends(low=plain.low, high=plain.high), pytest.approx(0.05))
    assert (none.ends, none.level) == (Ends(low=None, high=None), None)


def test_plain_interval_covers_as_often_as_it_says() -> None:
    samples = np.random.default_rng(5).normal(2.0, 1.0, size=(2000, 5))
    covered = 0
    for values in samples.tolist():
        found = t_interval(values, 0.9)
        assert found.low is not None and found.high is not None
        covered += found.low <= 2.0 <= found.high
    assert abs(covered / 2000 - 0.9) < 4 * (0.9 * 0.1 / 2000) ** 0.5


@pytest.mark.parametrize(
    ("metric", "ends", "shown"),
    [("auc", (0.71, 1.24), (0.71, 1.0)), ("accuracy", (-0.1, 0.4), (0.0, 0.4)), ("brier", (-0.01, 0.02), (0.0, 0.02)),
     ("mse", (-0.5, 3.0), (0.0, 3.0)), ("r2", (-2.0, 1.5), (-2.0, 1.0)), ("auc", (1.1, 1.2), (1.0, 1.0))],
)  # fmt: skip
def test_no_interval_of_a_metric_leaves_its_range(
    metric: str, ends: tuple[float, float], shown: tuple[float, float]
) -> None:
    low, high = ends
    assert Ends(low=low, high=high).inside(*METRICS[metric].range) == Ends(low=shown[0], high=shown[1])
    assert Ends(low=None, high=None).inside(*METRICS[metric].range) == Ends(low=None, high=None)
