"""Rows of a table that equal each other, within a part and across parts. S rows."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mtl.config.table_source import TableSource
from mtl.config.table_split import CrossSplit, RandomSplit
from mtl.data.inputs import scratch
from mtl.data.sources.table_columns import Column
from mtl.data.sources.table_parts import TEST, Parts

BLOCK = 1 << 17
"""Rows that are looked at together."""
MIXED = ((0x9E3779B97F4A7C15, 32), (0xD6E8FEB86659FD93, 29), (0xD6E8FEB86659FD93, 32))
"""Odd factors and shifts, after which every bit of a number depends on all."""


def equal_rows(columns: Sequence[Column], count: int) -> np.ndarray:
    """Number of each row [S], the same for rows that equal each other in every column; missing cells are equal. Rows
    are numbered from 0 in the order in which they are there first."""
    later, first = _later(_keys(columns, count))
    if not all(_equal(column.values, later, first) for column in columns):
        return _by_columns(columns, count)
    same = scratch.counting(count)
    if len(later):
        for rows in scratch.blocks(count):  # Those above that are there again have no number of their own.
            same[rows] -= np.searchsorted(later, same[rows])
        same[later] = same[first]
    return same


def _keys(columns: Sequence[Column], count: int) -> np.ndarray:
    """A number of 64 bits for each row [S], the same for equal rows and hardly ever for others."""
    keys = scratch.empty(count, np.uint64)
    for begin in range(0, count, BLOCK):
        block = keys[begin : begin + BLOCK]
        block[:] = 0
        for column in columns:
            values = column.values[begin : begin + BLOCK]
            if values.dtype.kind == "f":
                values = values + 0.0  # One zero of both.
                values[np.isnan(values)] = np.nan  # And one NaN of all.
                block ^= values.view(np.uint64)
            else:
                block ^= values.astype(np.int64).view(np.uint64)
            for factor, shift in MIXED:
                block *= np.uint64(factor)
                block ^= block >> np.uint64(shift)
    return keys


def _later(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows above which one with their key [S] stands, ascending, and the first such row of each."""
    ordered, twice = scratch.in_order(keys), [np.empty(0, dtype=np.uint64)]
    for block in scratch.blocks(len(keys)):
        some = ordered[block.start : block.stop + 1]
        twice.append(some[1:][some[1:] == some[:-1]])
    repeated = np.unique(np.concatenate(twice))
    del ordered, twice
    places = [np.empty(0, dtype=np.int64)]
    for block in scratch.blocks(len(keys) if len(repeated) else 0):
        at = np.searchsorted(repeated, keys[block]).clip(max=len(repeated) - 1)
        places.append(block.start + np.flatnonzero(repeated[at] == keys[block]))
    rows = np.concatenate(places)
    order = np.argsort(keys[rows], kind="stable")
    rows, theirs = rows[order], keys[rows[order]]
    begins = np.diff(theirs, prepend=~theirs[:1]) != 0
    first = rows[begins][np.cumsum(begins) - 1][~begins]
    later = rows[~begins]
    ascending = np.argsort(later)
    return later[ascending], first[ascending]


def _equal(values: np.ndarray, rows: np.ndarray, others: np.ndarray) -> bool:
    """True where values of some rows equal those of as many others, one by one."""
    blocks = (slice(begin, begin + BLOCK) for begin in range(0, len(rows), BLOCK))
    numbers = values.dtype.kind == "f"
    return all(np.array_equal(values[rows[block]], values[others[block]], equal_nan=numbers) for block in blocks)


def _by_columns(columns: Sequence[Column], count: int) -> np.ndarray:
    """The numbers of `equal_rows`, found by the values themselves."""
    same = np.zeros(count, dtype=np.int64)
    for column in columns:
        codes = pd.factorize(column.values, use_na_sentinel=False)[0].astype(np.int64)
        # Numbers anew after each column, so that products stay below 2**63.
        same = pd.factorize(same * (codes.max(initial=0) + 1) + codes)[0].astype(np.int64)
    return same


def copies_note(same: np.ndarray, parts: Parts, config: TableSource) -> str | None:
    """Sentence on the test rows that equal a row which is trained or validated on; None where there are none."""
    test = parts.fold == TEST
    if parts.crossed:
        first = np.full(same.max() + 1, -1, dtype=np.int64)
        first[same] = parts.fold
        mixed = np.unique(same[first[same] != parts.fold])
        copied, tested = int(np.isin(same, mixed).sum()), len(same)
        where = "in another fold"
    else:
        there, copied, tested = np.zeros(int(same.max()) + 1, dtype=bool), 0, int(test.sum())
        for rows in scratch.blocks(len(same)):
            there[same[rows][~test[rows]]] = True
        for rows in scratch.blocks(len(same)):
            copied += int(there[same[rows][test[rows]]].sum())
        where = "among the training or validation rows"
    if not copied:
        return None
    split = config.split
    can = isinstance(split, RandomSplit) or (isinstance(split, CrossSplit) and split.group is None)
    remedy = "`duplicates: together` of `split` keeps copies in one part" if can else "results on them tell of memory"
    return f"{config.path}: {copied:,} of {tested:,} test rows have a copy {where}; {remedy}."
