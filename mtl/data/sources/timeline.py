"""Time stamps of a table: read, put in order, freed of duplicates."""

import re
import warnings
from typing import Literal

import numpy as np
import pandas as pd

from mtl.config.sources import SeriesSource
from mtl.data.formats.tables import Table
from mtl.errors import DataError, shown

Unit = Literal["s", "ms", "us", "ns"]


def order_in_time(
    table: Table, values: np.ndarray, marked: np.ndarray, config: SeriesSource, notes: list[str]
) -> tuple[Table, np.ndarray, np.ndarray]:
    """Table, values [R, C] and marks [R, C] with time stamps that increase, as far as the config allows it.

    Raises:
        DataError: an empty or unreadable stamp, rows out of order, stamps there twice.
    """
    if config.date is None:
        return table, values, marked
    when, unit = _stamps(table, config)
    backwards = np.flatnonzero(np.diff(when) < 0) + 1
    if len(backwards):
        row = int(backwards[0])
        if config.on_unordered == "error":
            raise DataError(
                f"{table.at(row, config.date)}: {table.frame[config.date].iloc[row]} is before the row above "
                f"({table.frame[config.date].iloc[row - 1]}); `on_unordered` may be sort."
            )
        order = np.argsort(when, kind="stable")
        table, values, marked, when = table.take(order), values[order], marked[order], when[order]
        notes.append(f"{config.date}: rows were put in order of time ({len(backwards)} steps back in the file).")
    repeats = np.flatnonzero(np.diff(when) == 0) + 1
    if len(repeats):
        table, values, marked, when = _merge(table, values, marked, when, repeats, config, notes)
    _note_gaps(when, unit, config.date, notes)
    return table, values, marked


def _merge(
    table: Table,
    values: np.ndarray,
    marked: np.ndarray,
    when: np.ndarray,
    repeats: np.ndarray,
    config: SeriesSource,
    notes: list[str],
) -> tuple[Table, np.ndarray, np.ndarray, np.ndarray]:
    """Rows with the stamp of the row before: refused, kept, or made one row. `mean` keeps the first row's labels."""
    row = int(repeats[0])
    stamp = table.frame[str(config.date)].iloc[row]
    if config.on_duplicate == "error":
        raise DataError(
            f"{table.at(row, config.date)}: {stamp} is there twice; `on_duplicate` may be first, last, mean or keep."
        )
    notes.append(f"{config.date}: {len(repeats)} rows repeat a time stamp (first: {stamp}), {config.on_duplicate}.")
    if config.on_duplicate == "keep":
        return table, values, marked, when
    starts = np.setdiff1d(np.arange(len(when)), repeats)
    if config.on_duplicate == "last":
        rows = np.append(starts[1:], len(when)) - 1
        return table.take(rows), values[rows], marked[rows], when[rows]
    if config.on_duplicate == "mean":
        known = np.add.reduceat(~np.isnan(values), starts, axis=0)
        total = np.add.reduceat(np.nan_to_num(values), starts, axis=0)
        mean = np.where(known > 0, total / np.maximum(known, 1), np.nan)
        # A row that stands alone keeps its exact value.
        alone = np.append(starts[1:], len(when)) - starts == 1
        mean[alone] = values[starts[alone]]
        return table.take(starts), mean, marked[starts], when[starts]
    return table.take(starts), values[starts], marked[starts], when[starts]


def _stamps(table: Table, config: SeriesSource) -> tuple[np.ndarray, Unit]:
    """Time of each row as float64 or int64 numbers that can be compared [R], and the unit of the latter."""
    column = str(config.date)
    cells = table.frame[column]
    empty = np.flatnonzero(cells.isna().to_numpy())
    if len(empty):
        raise DataError(f"{table.at(int(empty[0]), column)}: the time stamp is missing.")
    if config.date_format is None and not pd.api.types.is_datetime64_any_dtype(cells):
        # Seconds, or the number of a step.
        numbers = pd.to_numeric(cells, errors="coerce")
        if numbers.notna().all():
            stamps = numbers.to_numpy(dtype=np.float64)
            infinite = np.flatnonzero(~np.isfinite(stamps))
            if len(infinite):
                row = int(infinite[0])
                place = table.at(row, column)
                raise DataError(f"{place}: should be a finite time stamp, found {shown(cells.iloc[row])}.")
            return stamps, "s"
    with warnings.catch_warnings():
        # pandas warns when it reads a day first, or cannot work out one format: what it cannot read is found below.
        warnings.simplefilter("ignore", UserWarning)
        try:
            when = pd.to_datetime(cells, errors="coerce", utc=True, format=config.date_format)
            if config.date_format is None and when.isna().any():
                when = pd.to_datetime(cells, errors="coerce", utc=True, format="ISO8601").fillna(when)
        except (ValueError, TypeError, OverflowError, re.error) as error:
            # A directive that strftime does not know, or cells of a Parquet file that are no dates.
            form = "" if config.date_format is None else f" in the form {shown(config.date_format)} of `date_format`"
            place = f"{config.path}, column `{column}`"
            raise DataError(f"{place}: the time stamps cannot be read{form}: {error}.") from None
    wrong = np.flatnonzero(when.isna().to_numpy())
    if len(wrong):
        row = int(wrong[0])
        form = config.date_format or "the form of the first one; `date_format` can name it"
        raise DataError(f"{table.at(row, column)}: should be a time stamp in {form}, found {shown(cells.iloc[row])}.")
    # In the unit that pandas chose: nanoseconds end in 2262, and some calendars are there already.
    return when.astype("int64").to_numpy(), when.dt.unit


def _note_gaps(when: np.ndarray, unit: Unit, column: str, notes: list[str]) -> None:
    """Uneven steps are no error (clocks change, loggers stop), but a forecaster should know of them."""
    steps = np.diff(when)
    if not len(steps):
        return
    usual, times = np.unique(steps, return_counts=True)
    uneven = len(steps) - int(times.max())
    if uneven:
        step = usual[times.argmax()]
        shown = str(pd.Timedelta(int(step), unit=unit)) if when.dtype == np.int64 else f"{step:g}"
        notes.append(f"{column}: {uneven} of {len(steps)} steps differ from the usual {shown}.")
