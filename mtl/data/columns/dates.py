"""Columns of dates, and the numbers that a network reads of them: parts of the date and its age.

R rows.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mtl.config.table_file import MISSING_NUMBERS
from mtl.data.formats.table import Table
from mtl.data.inputs.date_parts import date_parts
from mtl.data.timeline.digits import read_digits
from mtl.data.timeline.readings import Reading, read_every_form
from mtl.data.timeline.stamps import Stamps, column_stamps
from mtl.errors import DataError

SAMPLE = 1000
"""Texts that are looked at first; where hardly any is a date, the column is none."""
PROMISING, MOSTLY = 0.2, 0.9
DIGITS = (8, 14)
"""Digits of numbers that may be dates, 20201231 and 20201231235959: shorter ones are too often something else."""
LEAST = 3
"""Different numbers that a column of dates in digits holds at least."""


def date_times(table: Table, column: str, form: str | None, notes: list[str]) -> np.ndarray:
    """Times of a column of dates, datetime64 [R], NaT where a cell is missing: by the clock at their place, and in UTC
    where they are written with offsets.

    Args:
        table: as it was read.
        column: of dates.
        form: as `date_format` names it; None: the one form that all rows prove.
        notes: takes a sentence on the form.

    Raises:
        DataError: a cell that is no date, two forms in a column, or several forms of which nothing proves one.
    """
    known, cells = _known(table, column), table.frame[column]
    if isinstance(cells.dtype, pd.DatetimeTZDtype):
        # The hour of the clock at the place tells more than that of UTC.
        local: np.ndarray = cells.dt.tz_localize(None).to_numpy().astype("datetime64[us]")
        return local
    when = np.full(len(table.frame), np.datetime64("NaT"), dtype="datetime64[us]")
    rows = np.flatnonzero(known)
    if len(rows):
        stamps = column_stamps(table if known.all() else table.take(rows, [column]), column, form, None, notes)
        when[rows] = _dates(table, column, rows, stamps)
    return when


def date_numbers(table: Table, column: str, form: str | None, notes: list[str]) -> dict[str, np.ndarray]:
    """Numbers that a column of dates becomes, float64 [R] each, NaN where it is missing.

    Days since 1 January 2000 (with their fractions), month (1 to 12), day of the month (1 to 31), day of the week
    (Monday is 0), and the hour with its fraction where the dates have a time of day. Numbers that are the same in all
    rows are left out, the days apart.

    Args:
        table: as it was read.
        column: of dates.
        form: as `date_format` names it; None: the one form that all rows prove.
        notes: takes a sentence on the form.

    Returns:
        "<column> (month)" and the like → numbers.

    Raises:
        DataError: as `date_times`.
    """
    when = date_times(table, column, form, notes)
    missing = np.isnat(when)
    days, *parts = date_parts(column, when).items()
    changing = [(name, values) for name, values in parts if _changes(values[~missing])]
    return dict([days, *changing])


def _changes(values: np.ndarray) -> bool:
    return len(values) > 0 and bool((values != values[0]).any())


def date_readings(texts: Sequence[str]) -> list[Reading]:
    """The forms under which most of the texts are dates, those first that read most; none if the texts are no dates."""
    if not texts:
        return []
    digits = {len(text) for text in texts} if all(map(str.isdigit, texts[:SAMPLE])) else set()
    if digits:
        if len(digits) > 1 or not digits <= set(DIGITS) or len(texts) < LEAST or not all(map(str.isdigit, texts)):
            return []
        return [reading for reading in read_digits(texts) if reading.name.startswith("%Y%m%d")]
    if len(texts) > SAMPLE and not _readings(texts[:SAMPLE], PROMISING):
        return []
    return _readings(texts, MOSTLY)


def said(when: np.datetime64) -> str:
    """A time in words: 2020-12-31, with the time of day if it has one."""
    return str(when.astype("datetime64[s]")).replace("T", " ").removesuffix(" 00:00:00")


def _readings(texts: Sequence[str], share: float) -> list[Reading]:
    readings = [reading for reading in read_every_form(texts) if reading.reads.mean() >= share]
    return sorted(readings, key=lambda reading: -int(reading.reads.sum()))


def _known(table: Table, column: str) -> np.ndarray:
    """Mask of the rows [R] whose cell is not missing."""
    cells = table.frame[column]
    known: np.ndarray = cells.notna().to_numpy().copy()
    if pd.api.types.is_numeric_dtype(cells):
        known &= ~np.isin(cells.to_numpy(dtype=np.float64, na_value=np.nan), table.options.missing_markers)
        return known
    if pd.api.types.is_datetime64_any_dtype(cells):
        return known
    missing = {*MISSING_NUMBERS, *(table.options.missing or [])}
    if isinstance(cells.dtype, pd.CategoricalDtype):
        there = [str(text).strip() not in missing for text in cells.cat.categories]
        known &= np.array([*there, False])[cells.cat.codes.to_numpy()]
        return known
    known &= np.array([str(cell).strip() not in missing for cell in cells.tolist()])
    return known


def _dates(table: Table, column: str, rows: np.ndarray, stamps: Stamps) -> np.ndarray:
    if stamps.unit is None:
        cell = table.frame[column].iloc[int(rows[0])]
        raise DataError(
            f"{table.at(int(rows[0]), column)}: should be a date such as 2020-12-31, found {cell!s:.80}: let the "
            "column be a number, or name the form of its dates in `date_format`."
        )
    when = stamps.when.astype(np.int64)
    return when.astype(f"datetime64[{stamps.unit}]").astype("datetime64[us]")
