"""Days as spreadsheets count them: 45000 is 15 March 2023, 45000.5 its noon.

R rows.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mtl.config.date_format import EXCEL
from mtl.data.formats.marks import Marks
from mtl.data.formats.table import Table
from mtl.errors import DataError, shown

EPOCH = 25_569
"""The day 1970-01-01. Day 60 is 29 February 1900, which never was, so that days before it are of no use."""
FIRST, LAST = 61, 2_958_465
"""1900-03-01 and 9999-12-31."""
DAY = 86_400_000
"""Milliseconds, which is as far as the decimals of a day go."""


def excel_days(table: Table, column: str, text: Sequence[str]) -> np.ndarray:
    """Milliseconds since 1970, int64 [R], of days since the end of 1899.

    Args:
        table: the rows as they stand in the file.
        column: of days.
        text: its cells [R].

    Raises:
        DataError: a cell that is no number, or that is no day from March 1900 to 9999.
    """
    cells = table.frame[column]
    if pd.api.types.is_numeric_dtype(cells):
        numbers = cells.to_numpy(dtype=np.float64)
    else:
        marks = Marks(table.options.decimal_mark, table.options.thousands)
        numbers = np.array([_number(cell, marks) for cell in text], dtype=np.float64)
    wrong = np.flatnonzero(~((numbers >= FIRST) & (numbers < LAST + 1)))
    if len(wrong):
        row = int(wrong[0])
        raise DataError(
            f"{table.at(row, column)}: should be a day as spreadsheets count them, a number from {FIRST} to {LAST:,} "
            f"(`date_format: {EXCEL}`), found {shown(text[row])}."
        )
    milliseconds: np.ndarray = np.rint((numbers - EPOCH) * DAY).astype(np.int64)
    return milliseconds


def excel_date(day: float) -> str:
    """The date of a day, such as 2023-03-15."""
    return str(np.datetime64(int(day) - EPOCH, "D"))


def _number(cell: str, marks: Marks) -> float:
    number = marks.number(cell)
    return float("nan") if number is None else number
