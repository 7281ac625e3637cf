"""Long tables: several series below each other or row by row in turn, told apart by the values of a column.

R rows.
"""

import re
from itertools import combinations

import numpy as np
import pandas as pd

from mtl.config.sources import SeriesSource
from mtl.data.formats.labels import key_of
from mtl.data.formats.table import Table
from mtl.errors import DataError, shown

SHARE = 0.2
"""Share of rows with the stamp of an earlier row from which a table is surely a long one."""
FAULTS = 0.02
"""Share of the rows of a long table that may repeat a stamp of their series, as in an hour that clocks repeat."""
LEAST_ROWS = 3
"""Least mean number of rows of a series of a long table."""
MOST_COLUMNS = 12
MOST_IN_THREES = 6
"""Columns of few values that are looked at in pairs, and in threes."""
MOST_SPELLINGS = 3
"""Names of series that a note shows."""

CLOCK = re.compile(r"[0-2]?[0-9]:[0-5][0-9](:[0-5][0-9])?( ?[AaPp][Mm])?")
HOURS = re.compile(
    r"hour|stunde|uhrzeit|heure|(?<![a-z])(hr|hrs|time|hh|std|zeit|hora|ora|uur)(?![a-z])", re.IGNORECASE
)
"""Times of the day, and names of columns of hours."""
QUANTITIES = re.compile(
    r"variable|parameter|quantity|measure(ment)?|metric|indicator|attribute|feature|channel|signal|tag|pollutant|"
    r"element|kind|type|item_name|series_name|name",
    re.IGNORECASE,
)
"""Names of columns that tell what was measured, in tables that have one value a row."""


def series_of_rows(table: Table, config: SeriesSource, notes: list[str]) -> tuple[np.ndarray | None, list[str]]:
    """Number of the series of each row [R], and the series' names, in the order in which they appear in the file; None
    without `id`. Names that differ in nothing but letter case or the spelling of a number are told of in `notes`.

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
    names = [str(name) for name in uniques]
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(", ".join(key_of(part) for part in name.split(", ")), []).append(name)
    for spellings in alike.values():
        if len(spellings) > 1:
            told = " and ".join(shown(name) for name in spellings[:MOST_SPELLINGS])
            notes.append(
                f"{' + '.join(config.ids)}: {told} are series of their own; if they are one, write them alike in the "
                "file."
            )
    return numbers.astype(np.int64), names


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
    for chosen in (*combinations(few, 2), *combinations(few[:MOST_IN_THREES], 3)):
        of = codes[chosen[0]]
        for column in chosen[1:]:
            of = np.unique(of * (int(codes[column].max()) + 1) + codes[column], return_inverse=True)[1].reshape(-1)
        if (int(of.max()) + 1) * LEAST_ROWS <= rows and _separates(ranks, of, repeats):
            return [column for column in table.frame.columns if column in chosen]
    return None


def counts_within(table: Table, when: np.ndarray, column: str) -> bool:
    """The column counts from 0 or 1 by one within each run of rows with the same stamp, as hours, half hours and months
    do within a day or a year, to the same number nearly every time."""
    cells = numbers_of(table, column)
    most = len(cells) - 1
    if most < 3 or cells not in ({*range(most + 1)}, {*range(1, most + 2)}):
        return False
    numbers = pd.to_numeric(table.frame[column], errors="coerce").to_numpy(dtype=np.float64)
    anew = np.diff(when) != 0
    starts = np.append(0, np.flatnonzero(anew) + 1)
    whole = np.diff(np.append(starts, len(when))) == most + 1
    return bool((np.diff(numbers)[~anew] == 1).all()) and bool(whole.mean() > 0.5)


def numbers_of(table: Table, column: str) -> set[int]:
    """The different whole numbers of a column; empty where it holds anything else."""
    cells = pd.to_numeric(pd.Series(table.frame[column].unique()), errors="coerce").to_numpy(dtype=np.float64)
    return {int(cell) for cell in cells} if np.isfinite(cells).all() and (cells % 1 == 0).all() else set()


def names_quantities(column: str) -> bool:
    """The name of a column says that its cells tell what was measured."""
    return QUANTITIES.fullmatch(column.strip()) is not None


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
