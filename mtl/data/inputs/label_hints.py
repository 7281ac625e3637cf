"""Inputs that tell a label though they are no copy of it: a finer code, a part of it such as one of its indicators, or
a number on one side of a limit for each class.

R rows, C columns.
"""

from collections.abc import Collection, Iterator, Sequence

import numpy as np

from mtl.types import NO_LABEL

FEW = 1000
"""Rows that decide which columns are looked at whole."""
LEAST = 20
"""Labelled rows below which chance would often part the classes."""
REPEATED = 5
"""Mean number of rows of each value of a column that is a code."""


def label_hints(
    values: np.ndarray,
    columns: Sequence[str],
    name: str,
    label: np.ndarray,
    others: Collection[str],
    named: Collection[str] = (),
) -> Iterator[str]:
    """A sentence on each column from which the label can be read off, or that can be read off the label.

    Args:
        values: [R, C], NaN where missing.
        columns: their names.
        name: of the label.
        label: [R] class numbers, NO_LABEL where there is none.
        others: columns that are not looked at.
        named: columns whose numbers are names, which lie on no side of a limit.
    """
    rows = np.flatnonzero(label != NO_LABEL)
    few = rows[np.linspace(0, len(rows) - 1, min(FEW, len(rows))).astype(int)] if len(rows) else rows
    for number, column in enumerate(columns):
        if column in others or _clause(values[few, number], label[few], column in named) is None:
            continue
        clause = _clause(values[rows, number], label[rows], column in named)
        if clause is not None:
            yield f"{column}: {clause} of the label `{name}`, in every row: is it known before the label is?"


def _clause(x: np.ndarray, y: np.ndarray, names: bool) -> str | None:
    """The way in which a column, of names perhaps, and a label [n] tell each other; None where they do not."""
    there = ~np.isnan(x)
    x, y = x[there], y[there]
    if len(x) < LEAST:
        return None
    order = np.lexsort([y, x])
    x, y = x[order], y[order]
    new, changes = np.diff(x) != 0, np.diff(y) != 0
    kinds, classes = int(new.sum()) + 1, len(np.unique(y))
    if classes < 2 or kinds < 2:
        return None
    if not (changes & ~new).any():
        if not names and kinds > classes and int(changes.sum()) == classes - 1:
            limits = [f"{(x[place] + x[place + 1]) / 2:.6g}" for place in np.flatnonzero(changes)[:3]]
            return f"lies on its own side of {', '.join(limits)} for each class"
        if kinds * REPEATED <= len(x):
            return "has values each of which belongs to one class"
    if kinds <= classes and len(np.unique(np.stack([x, y]), axis=1).T) == classes:
        return "has one value for each class"
    return None
