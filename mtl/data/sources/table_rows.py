"""Rows of a table that equal each other, within a part and across parts. S rows."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mtl.config.table_source import CrossSplit, RandomSplit, TableSource
from mtl.data.sources.table_columns import Column
from mtl.data.sources.table_parts import TEST, Parts


def equal_rows(columns: Sequence[Column], count: int) -> np.ndarray:
    """Number of each row [S], the same for rows that equal each other in every column; missing cells are equal."""
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
        copied, tested = int(np.isin(same[test], same[~test]).sum()), int(test.sum())
        where = "among the training or validation rows"
    if not copied:
        return None
    split = config.split
    can = isinstance(split, RandomSplit) or (isinstance(split, CrossSplit) and split.group is None)
    remedy = "`duplicates: together` of `split` keeps copies in one part" if can else "results on them tell of memory"
    return f"{config.path}: {copied:,} of {tested:,} test rows have a copy {where}; {remedy}."
