"""Number of seeds that would decide: the formula at known values, its limits, and what simulated experiments do."""

import numpy as np
import pytest
from scipy import stats

from mtl.evaluation.power import TestData, seeds_needed


@pytest.mark.parametrize(
    ("spread", "margin", "level", "count"),
    [
        (1.0, 1.0, 0.05, 10),  # (2.262 + .883) / √10 = .995; of 9 seeds 1.065
        (2.0, 1.0, 0.05, 34),
        (1.0, 1.0, 0.05 / 15, 19),
        (0.0, 1.0, 0.05, 2),
    ],
)
def test_known_numbers(spread: float, margin: float, level: float, count: int) -> None:
    assert seeds_needed(spread, margin, level, 1) == count


def test_it_is_the_smallest_number_that_satisfies_the_formula() -> None:
    for spread in (0.3, 1.0, 4.0, 20.0):
        count = seeds_needed(spread, 1.0, 0.05, 1)
        assert count is not None

        def wide(n: int) -> float:
            return float(spread * (stats.t.ppf(0.975, n - 1) + stats.t.ppf(0.8, n - 1)) / n**0.5)  # noqa: B023

        assert wide(count) <= 1.0
        assert count == 2 or wide(count - 1) > 1.0


@pytest.mark.parametrize("ratio", [1.0, 2.5])
def test_so_many_seeds_find_a_change_of_the_margin_four_times_in_five(ratio: float) -> None:
    """Power of the t-test, simulated; the formula adds two quantiles of t, which is exact to a few percent."""
    count = seeds_needed(ratio, 1.0, 0.05, 1)
    assert count is not None
    samples = np.random.default_rng(3).normal(1.0, ratio, size=(20_000, count))
    error = samples.std(axis=1, ddof=1) / count**0.5
    power = float((samples.mean(axis=1) - stats.t.ppf(0.975, count - 1) * error > 0).mean())
    assert 0.78 <= power <= 0.87


def test_where_so_many_have_decided_nothing_it_takes_the_number_that_must() -> None:
    """Half the width is then at most half the margin: the interval excludes zero or lies within ±margin."""
    few = seeds_needed(1.0, 1.0, 0.05, 9)
    more = seeds_needed(1.0, 1.0, 0.05, 10)
    assert few == 10 and more is not None and more > 10
    assert stats.t.ppf(0.975, more - 1) / more**0.5 <= 0.5 < stats.t.ppf(0.975, more - 2) / (more - 1) ** 0.5


def test_test_data_bound_what_seeds_can_do() -> None:
    """With 15 degrees of freedom (2.131 + .866) · error has to stay below the margin."""
    limit = 1 / (stats.t.ppf(0.975, 15) + stats.t.ppf(0.8, 15.0))
    assert seeds_needed(1.0, 1.0, 0.05, 5, TestData(1.001 * limit, 15.0)) is None
    near = seeds_needed(1.0, 1.0, 0.05, 5, TestData(0.98 * limit, 15.0))
    far = seeds_needed(1.0, 1.0, 0.05, 5, TestData(0.5 * limit, 15.0))
    alone = seeds_needed(1.0, 1.0, 0.05, 5)
    assert near is not None and far is not None and alone is not None
    assert near > far >= alone
    assert seeds_needed(1.0, 1.0, 0.05, 5, TestData(0.0, 15.0)) == alone


def test_nothing_can_be_shown_to_lie_within_a_margin_of_0() -> None:
    assert seeds_needed(1.0, 0.0, 0.05, 5) is None
    assert seeds_needed(1e9, 1.0, 0.05, 5) is None
