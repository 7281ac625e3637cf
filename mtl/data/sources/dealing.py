"""Drawing test rows and dealing the others into folds, when some rows have to stay together.

A unit is a set of rows that are never parted: a group, copies of one row, or a single row. S rows, U units, F folds.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Int64
from numpy import ndarray

from mtl.data.inputs import scratch

WIDE = 4
"""Times the number of rows that keys reach to and are still counted in a list of all that may be there."""
DRAWS = 200
"""Draws of whole groups of which the most even is taken."""
QUARTERS = 4
"""Strata that numbers are cut into."""


def numbered(keys: ndarray) -> Int64[ndarray, " S"]:
    """Number of the unit of each row, from 0 in the order of the keys."""
    if keys.dtype.kind == "i" and len(keys) and keys.min() >= 0 and keys.max() < WIDE * len(keys):
        there = np.zeros(int(keys.max()) + 1, dtype=bool)
        for rows in scratch.blocks(len(keys)):
            there[keys[rows]] = True
        numbers, above = scratch.empty(len(there), np.int64), -1
        for some in scratch.blocks(len(there)):
            numbers[some] = above + np.cumsum(there[some])
            above = int(numbers[some.stop - 1])
        number: Int64[ndarray, " S"] = scratch.mapped(keys, numbers)
        return number
    unit: Int64[ndarray, " S"] = np.unique(keys, return_inverse=True)[1].reshape(-1).astype(np.int64)
    return unit


def kinds_of(unit: Int64[ndarray, " S"]) -> int:
    """Number of the units that have rows; units are numbers from 0 on."""
    there = np.zeros(int(unit.max(initial=-1)) + 1, dtype=bool)
    for rows in scratch.blocks(len(unit)):
        there[unit[rows]] = True
    return int(np.count_nonzero(there))


def strata_of(values: ndarray, classes: bool) -> Int64[ndarray, " S"]:
    """Stratum of each row: its class, or the quarter of the numbers that its own lies in; missing ones have their own.

    Args:
        values: [S] class numbers (-1 is missing), or float64 numbers (NaN is missing).
        classes: which of the two they are.
    """
    if classes:
        return values.astype(np.int64)
    known = np.isfinite(values)
    if len(np.unique(values[known])) <= QUARTERS:
        strata = np.full(len(values), -1, dtype=np.int64)
        strata[known] = numbered(values[known])
        return strata
    borders = np.quantile(values[known], np.arange(1, QUARTERS) / QUARTERS)
    return np.where(known, np.searchsorted(borders, np.where(known, values, 0), side="right"), -1)


def drawn_test(
    unit: Int64[ndarray, " S"], strata: Int64[ndarray, " S"] | None, share: float, seed: int
) -> Bool[ndarray, " S"]:
    """Mask of the test rows: whole units, about `share` of the rows of every stratum.

    Every unit is drawn with the same probability, whatever its size, else the test part would hold more copies and
    larger groups than the table does. The units are laid out stratum by stratum, by size within each, and drawn
    systematically along that line (Cochran, Sampling Techniques, 1977, section 8.1), so that the rows of a stratum are
    off by little more than a unit.
    """
    generator = np.random.default_rng([seed, 0])
    order, sizes = _laid_out(unit, strata, generator)
    begin, chosen = generator.random(), np.zeros(len(sizes), dtype=bool)
    for units in scratch.blocks(len(sizes)):
        marks = np.floor(np.arange(units.start, units.stop + 1) * share + begin)
        chosen[order[units]] = np.diff(marks) > 0
    if sizes.max() > 1 and abs(float(sizes[chosen].sum()) - share * len(unit)) > sizes.max() / 2:
        _trim(chosen, generator.permutation(len(sizes)), sizes, share)
    test: Bool[ndarray, " S"] = scratch.mapped(unit, chosen)
    return test


def _trim(chosen: Bool[ndarray, " U"], order: Int64[ndarray, " U"], sizes: Int64[ndarray, " U"], share: float) -> None:
    """Adds or takes out single units while that brings their rows closer to the share: where a few large units make up
    the table, one of them may have been drawn, or none."""
    excess = float(sizes[chosen].sum() - share * sizes.sum())
    for number in order.tolist():
        change = -int(sizes[number]) if chosen[number] else int(sizes[number])
        if abs(excess + change) < abs(excess):
            chosen[number] = not chosen[number]
            excess += change


def dealt(
    unit: Int64[ndarray, " n"], strata: Int64[ndarray, " n"] | None, parts: int, seed: int
) -> Int64[ndarray, " n"]:
    """Part of each row, from 0: whole units, the largest first, each to the part with the fewest rows so far.

    With strata the units come stratum by stratum, so that every part holds equal shares of each.
    """
    order, sizes = _laid_out(unit, strata, np.random.default_rng([seed, 1]))
    part_of = scratch.empty(len(sizes), np.int64)
    if sizes.max(initial=1) == 1:
        for some in scratch.blocks(len(sizes)):
            part_of[order[some]] = np.arange(some.start, some.stop) % parts
    else:
        filled = np.zeros(parts, dtype=np.int64)
        for number in order.tolist():
            part_of[number] = np.argmin(filled)
            filled[part_of[number]] += sizes[number]
    part: Int64[ndarray, " n"] = scratch.mapped(unit, part_of)
    return part


def even(draw: Callable[[int], ndarray], strata: Int64[ndarray, " S"], seed: int) -> ndarray:
    """Part of each row [S]: of many draws, that in which the strata of the parts are closest to those of all rows, by
    the statistic of Pearson's χ² test. For units of mixed strata, which cannot be laid out stratum by stratum.

    Args:
        draw: seed → parts.
        strata: of each row.
        seed: of the whole.
    """
    place = numbered(strata)
    shares = np.bincount(place) / len(place)

    def apart(parts: ndarray) -> float:
        """χ² of parts against strata."""
        part = numbered(parts.astype(np.int64))
        counts = np.zeros((int(part.max()) + 1, len(shares)))
        np.add.at(counts, (part, place), 1)
        expected = counts.sum(axis=1, keepdims=True) * shares
        return float(((counts - expected) ** 2 / expected).sum())

    draws = (draw(DRAWS * seed + number) for number in range(DRAWS))
    best: ndarray = min(draws, key=apart)  # the first of equals
    return best


def _laid_out(
    unit: Int64[ndarray, " S"], strata: Int64[ndarray, " S"] | None, generator: np.random.Generator
) -> tuple[Int64[ndarray, " U"], Int64[ndarray, " U"]]:
    """Units stratum by stratum where there are strata, the largest first, in random order where they are alike, and the
    number of rows of each unit."""
    sizes = scratch.empty(int(unit.max(initial=-1)) + 1, np.int64)
    sizes[:] = 0
    for rows in scratch.blocks(len(unit)):
        np.add.at(sizes, unit[rows], 1)
    order = scratch.counting(len(sizes))
    generator.shuffle(order)  # as `permutation` of their number
    if sizes.max(initial=1) > 1:
        order = order[np.argsort(-sizes[order], kind="stable")]
    if strata is not None:
        of_unit = np.empty(len(sizes), dtype=strata.dtype)
        of_unit[unit[::-1]] = strata[::-1]  # That of the first row of each.
        order = order[np.argsort(of_unit[order], kind="stable")]
    return order, sizes


def latest(when: ndarray, share: float) -> Bool[ndarray, " S"]:
    """Mask of about the latest `share` of the rows; rows of one time are on one side of the border.

    Args:
        when: [S] times, all known.
        share: in (0, 1).
    """
    times, counts = np.unique(when, return_counts=True)
    if len(times) < 2:
        return np.zeros(len(when), dtype=bool)
    before = np.cumsum(counts)[:-1]
    border = int(np.argmin(np.abs(before - (1 - share) * len(when)))) + 1
    mask: Bool[ndarray, " S"] = when >= times[border]
    return mask


def stretches(when: ndarray, parts: int) -> Int64[ndarray, " n"]:
    """Number of the stretch of time of each row, from 0 for the earliest; rows of one time are in one."""
    times, place, counts = np.unique(when, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - counts / 2
    of_time = np.minimum((middle * parts / len(when)).astype(np.int64), parts - 1)
    assert len(of_time) == len(times)
    stretch: Int64[ndarray, " n"] = of_time[place.reshape(-1)]
    return stretch
