"""Numbers that look like markers of missing values: -999 and its like, several times and far from all others."""

import re
from collections.abc import Iterator, Sequence

import numpy as np

NINES = re.compile(r"-?9{2,}(\.9+)?")
FAR = 3
"""Times the spread of all other values that a marker lies away from them."""


def likely_markers(values: np.ndarray, columns: Sequence[str]) -> Iterator[str]:
    """A sentence on each column with a lowest or highest value of nines that is there more than once and lies far from
    all others.

    Args:
        values: [R, C], NaN where missing.
        columns: their names.
    """
    if not len(values):
        return
    lowest = np.fmin.reduce(values, axis=0)
    highest = np.fmax.reduce(values, axis=0)
    for number, column in enumerate(columns):
        for marker in (float(lowest[number]), float(highest[number])):
            if not NINES.fullmatch(f"{marker:.10g}"):
                continue
            of_row = values[:, number]
            others = of_row[(of_row != marker) & ~np.isnan(of_row)]
            times = int((of_row == marker).sum())
            if not len(others) or times < 2:
                continue
            low, high = float(others.min()), float(others.max())
            if low < high and max(low - marker, marker - high) > FAR * (high - low):
                yield (
                    f"{column}: {marker:.10g} is there {times:,} times, far from all others ({low:g} to {high:g}): "
                    f"if it stands for a missing value, set `missing_markers: [{marker:.10g}]`."
                )
