"""Long tables: several series below each other or row by row in turn, told apart by the values of a column.

R rows.
"""

import re
from itertools import combinations

import numpy as np
import pandas as pd

from mtl.config.sources import SeriesSource
from mtl.data.formats.table import Table
from mtl.errors import DataError

SHARE = 0.2
"""Share of rows with the stamp of an earlier row from which a table is surely a long one."""
FAULTS = 0.02
"""Share of the rows of a long table that may repeat a stamp of their series, as in an hour that clocks repeat."""
LEAST_ROWS = 3
"""Least mean number of rows of a series of a long table."""
MOST_COLUMNS = 12
"""Columns of few values that are looked at in pairs."""

CLOCK = re.compile(r"[0-2]?[0-9]:[0-5][0-9](:[0-5][0-9])?( ?[AaPp][Mm])?")
HOURS = re.compile(
    r"hour|stunde|uhrzeit|heure|(?<![a-z])(hr|hrs|time|hh|std|zeit|hora|ora|uur)(?![a-z])", re.IGNORECASE
)
"""Times of the day, and names of columns of hours."""


def series_of_rows(table: Table, config: SeriesSource) -> tuple[np.ndarray | None, list[str]]:
    """Number of the series of each row [R], and the series' names, in the order in which they appear in the file; None
    without `id`.

    Raises:
        DataError: an empty cell in a column of `id`.
    """
    if not config.ids:
        return None, []
    parts: list[list[str]] = []
    for column in config.ids:
        cells = table.frame[column]
        empty = np.flatnonzero(cells.isna().to_numpy())
        if len(empty):
            raise DataError(
                f"{table.at(int(empty[0]), column)}: the cell is empty, and should tell the row's series (`id`)."
            )
        parts.append([str(cell).strip() for cell in cells.tolist()])
    numbers, uniques = pd.factorize(pd.Series(list(map(", ".join, zip(*parts, strict=True))), dtype=object))
    return numbers.astype(np.int64), [str(name) for name in uniques]


def columns_that_separate(table: Table, when: np.ndarray, date: str) -> list[str] | None:
    """The column, or the two, whose values make series of the rows in which no stamp is there twice; None where the
    rows are one series with some faults, or where no column does."""
    rows = len(when)
    ranks = np.unique(when, return_inverse=True)[1].reshape(-1)
    steps = np.diff(ranks)
    if (steps > 0).all() or (steps < 0).all():
        return None
    repeats = rows - int(ranks.max()) - 1
    codes: dict[str, np.ndarray] = {}
    for column in table.frame.columns:
        if column != date:
            numbers = _few_values(table.frame[column])
            if numbers is not None:
                codes[column] = numbers
    single = {column: int(of.max()) + 1 for column, of in codes.items() if _separates(ranks, of, repeats)}
    if single:
        return [min(single, key=lambda column: single[column])]
    few = sorted(codes, key=lambda column: int(codes[column].max()))[:MOST_COLUMNS]
    for first, second in combinations(few, 2):
        both = codes[first] * (int(codes[second].max()) + 1) + codes[second]
        if len(np.unique(both)) * LEAST_ROWS <= rows and _separates(
            ranks, np.unique(both, return_inverse=True)[1].reshape(-1), repeats
        ):
            return [column for column in table.frame.columns if column in (first, second)]
    return None


def is_time_of_day(table: Table, column: str) -> bool:
    """The column holds times such as 23:00, or is named for hours and holds numbers from 0 to 24."""
    cells = [str(cell).strip() for cell in table.frame[column].unique().tolist()]
    if all(CLOCK.fullmatch(cell) for cell in cells):
        return True
    return HOURS.search(column) is not None and all(re.fullmatch(r"[01]?[0-9]|2[0-4]", cell) for cell in cells)


def _few_values(cells: pd.Series) -> np.ndarray | None:
    """Number of the value of each row; None where a column has gaps, fractions, or too many or too few values to name
    series."""
    if cells.isna().any():
        return None
    if pd.api.types.is_float_dtype(cells) and (cells % 1 != 0).any():
        return None
    try:
        numbers, uniques = pd.factorize(cells)
    except TypeError:  # Lists and maps of a Parquet file.
        return None
    return numbers if len(uniques) > 1 and len(uniques) * LEAST_ROWS <= len(cells) else None


def _separates(ranks: np.ndarray, of: np.ndarray, repeats: int) -> bool:
    """The values of a column make series of which each goes one way, or at least repeats hardly a stamp.

    Args:
        ranks: place of each stamp among all, equal for equal ones.
        of: number of each row's value.
        repeats: number of rows with the stamp of an earlier row: if values had nothing to do with them, one in as many
            as there are values would stay together.
    """
    rows, values = len(ranks), int(of.max()) + 1
    surely = repeats >= SHARE * rows and repeats >= 2 * values
    order = np.argsort(of, kind="stable")
    steps = np.diff(ranks[order])[np.diff(of[order]) == 0]
    if (steps > 0).all() or (steps < 0).all():
        # Series below each other, or row by row in turn: few faults of one series would be parted by chance.
        return surely or repeats >= 8 * values or bool(1 + (np.diff(of) != 0).sum() == values)
    pairs = len(np.unique(ranks * values + of))
    return surely and rows - pairs <= FAULTS * rows
