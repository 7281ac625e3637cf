"""Blank lines between the rows of a text file: no rows, and told of."""

from collections.abc import Callable
from itertools import islice

import numpy as np
import pandas as pd

from mtl.data.formats.records import lines_of
from mtl.data.formats.text_file import TextFile


def without_blank_lines(
    frame: pd.DataFrame, file: TextFile, lines: Callable[[], np.ndarray]
) -> tuple[pd.DataFrame, Callable[[], np.ndarray]]:
    """The rows of a file that are no blank lines, and what gives the line of each.

    In a table of one column a blank line is a row whose value is missing.
    """
    if len(file.names) < 2:
        return frame, lines
    empty = np.flatnonzero(frame.iloc[:, 1:].isna().all(axis=1).to_numpy())
    first = frame.iloc[empty, 0]
    empty = empty[(first.isna() | (first.astype(str).str.strip() == "")).to_numpy()]
    if not len(empty):
        return frame, lines
    numbers = lines()
    blank = _blank(file, numbers[empty])
    if not len(blank):
        return frame, lines
    dropped = np.isin(numbers[: len(frame)], blank)
    kept, file.blank = np.flatnonzero(~dropped), np.flatnonzero(dropped).tolist()
    count = "a blank line" if len(blank) == 1 else f"{len(blank):,} blank lines"
    verb = "is no row" if len(blank) == 1 else "are no rows"
    file.notes.append(f"{file.where}: {count} between its rows {verb} (the first: line {blank[0]}).")
    return frame.iloc[kept].reset_index(drop=True), lambda: numbers[kept]


def _blank(file: TextFile, numbers: np.ndarray) -> np.ndarray:
    """Numbers of the lines that hold nothing but blanks, of those that are given in order."""
    blanks = b" \t\r\n".replace(file.form.separator.encode(), b"")
    last = int(numbers[-1])
    wanted = {*numbers.tolist()}
    below = islice(lines_of(file.data, file.body), last - file.line + 1)
    return np.array(
        [number for number, line in enumerate(below, file.line) if number in wanted and not line.strip(blanks)],
        dtype=np.int64,
    )
