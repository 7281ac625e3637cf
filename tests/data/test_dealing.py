"""Draws of test rows and folds: shares, strata and whole units, and that the seed alone decides."""

from itertools import pairwise

import numpy as np
import pytest

from mtl.data.sources.dealing import dealt, drawn_test, latest, numbered, strata_of, stretches


def unit_sizes(kind: str, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    sizes = {
        "single rows": np.ones(500, dtype=int),
        "copies": random.choice([1, 2, 5], size=300, p=[0.8, 0.15, 0.05]),
        "persons": random.integers(90, 170, size=42),
    }
    return sizes[kind]


@pytest.mark.parametrize("kind", ["single rows", "copies", "persons"])
@pytest.mark.parametrize("seed", range(3))
def test_units_stay_whole_and_parts_have_their_shares(kind: str, seed: int) -> None:
    sizes = unit_sizes(kind, seed)
    unit = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    test = drawn_test(unit, None, 0.2, seed)
    assert not set(unit[test]) & set(unit[~test])
    assert abs(test.sum() - 0.2 * len(unit)) <= sizes.max()
    part = dealt(numbered(unit[~test]), None, 5, seed)
    for number in range(5):
        assert not set(unit[~test][part == number]) & set(unit[~test][part != number])
    counts = np.bincount(part, minlength=5)
    assert counts.max() - counts.min() <= sizes.max()
    assert np.array_equal(test, drawn_test(unit, None, 0.2, seed))
    assert not np.array_equal(test, drawn_test(unit, None, 0.2, seed + 100))


@pytest.mark.parametrize("kind", ["single rows", "copies", "persons"])
def test_every_unit_has_the_same_chance_to_be_tested(kind: str) -> None:
    """Also one of many rows: a test part with more copies than the table would be none of its kind."""
    sizes = unit_sizes(kind, 0)[:60]
    unit = np.repeat(np.arange(len(sizes)), sizes)
    first = np.cumsum(sizes) - sizes
    often = sum(drawn_test(unit, None, 0.25, seed)[first].astype(int) for seed in range(2000)) / 2000
    assert np.abs(often - 0.25).max() < 0.05  # five standard deviations
    by_size = [often[sizes == size].mean() for size in np.unique(sizes)]
    assert by_size == pytest.approx([0.25] * len(by_size), abs=0.05)


def test_strata_are_in_every_part_in_their_share() -> None:
    strata = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [1000, 50, 20]))
    unit = np.arange(len(strata))
    for seed in range(5):
        test = drawn_test(unit, strata, 0.2, seed)
        assert [int((strata[test] == s).sum()) for s in range(3)] == pytest.approx([200, 10, 4], abs=1)
        part = dealt(unit[: (~test).sum()], strata[~test], 5, seed)
        for number in range(5):
            inside = strata[~test][part == number]
            assert [int((inside == s).sum()) for s in range(3)] == pytest.approx([160, 8, 3.2], abs=1)


def test_strata_of_numbers_are_quarters_and_missing_ones_stand_apart() -> None:
    values = np.array([np.nan, *range(100)], dtype=float)
    strata = strata_of(values, classes=False)
    assert strata[0] == -1 and np.bincount(strata[1:]).tolist() == [25, 25, 25, 25]
    few = strata_of(np.array([3.0, 7.0, 3.0, np.nan]), classes=False)
    assert few.tolist() == [0, 1, 0, -1]
    assert strata_of(np.array([2, -1, 0]), classes=True).tolist() == [2, -1, 0]


def test_the_latest_rows_and_stretches_of_time_never_part_rows_of_one_time() -> None:
    when = np.random.default_rng(0).permutation(np.repeat(np.arange(50), 7)).astype(float)
    test = latest(when, 0.2)
    assert when[test].min() > when[~test].max()
    assert test.sum() == 70
    part = stretches(when[~test], 4)
    borders = [(when[~test][part == number].min(), when[~test][part == number].max()) for number in range(4)]
    assert all(before[1] < after[0] for before, after in pairwise(borders))
    assert not latest(np.zeros(10), 0.2).any()  # one time alone cannot be cut
