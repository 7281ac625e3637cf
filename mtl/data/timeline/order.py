"""Rows of a table put in order of time, series by series, and freed of duplicates as far as the config allows it.

R rows, G series, C columns.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from mtl.config.sources import SeriesSource
from mtl.data.formats.remedies import time_parts
from mtl.data.formats.table import Table
from mtl.data.timeline.exchanged import exchanged
from mtl.data.timeline.long_tables import (
    columns_that_separate,
    counts_within,
    is_time_of_day,
    names_quantities,
    series_of_rows,
)
from mtl.data.timeline.readings import read_every_form
from mtl.data.timeline.stamps import Stamps, read_stamps
from mtl.data.timeline.units import Unit
from mtl.data.timeline.zones import half_of_day_is_missing, place_that_repeats, to_utc
from mtl.errors import DataError


@dataclass(frozen=True)
class Timeline:
    """Rows in order: series after series, and in each from the earliest to the latest."""

    table: Table
    when: np.ndarray | None
    """Time of each row [R] in `unit`, in UTC where the stamps tell it; None without a column of time stamps."""
    unit: Unit | None
    """Unit of `when`; None where stamps are the numbers of steps."""
    series: np.ndarray
    """Number of the series of each row [R], which never decreases."""
    names: list[str]
    """Name of each series [G] of a long table; empty for a table of one."""

    def take(self, rows: np.ndarray) -> "Timeline":
        """Only these rows, in this order."""
        when = None if self.when is None else self.when[rows]
        return replace(self, table=self.table.take(rows), when=when, series=self.series[rows])

    @property
    def starts(self) -> np.ndarray:
        """First row of each series, and the number of rows [G + 1]."""
        return np.append(np.flatnonzero(np.diff(self.series, prepend=-1)), len(self.series))

    @property
    def steps(self) -> np.ndarray:
        """Time from each row to the next of the same series [R - G]."""
        assert self.when is not None
        steps: np.ndarray = np.diff(self.when)[np.diff(self.series) == 0]
        return steps


def order_in_time(table: Table, config: SeriesSource, notes: list[str]) -> Timeline:
    """The rows in order of time; duplicates are still there (`without_repeats`).

    Raises:
        DataError: an empty or unreadable stamp, stamps whose form nothing proves, rows out of order, a table of several
            series without `id`, an hour that clocks repeat without `time_zone`.
    """
    groups, names = series_of_rows(table, config, notes)
    if config.date_column is None:
        return _arranged(table, None, groups, names)
    clock = stamps = read_stamps(table, config, groups, notes)
    columns = None if groups is not None else columns_that_separate(table, stamps.when, config.date_column)
    if columns is not None:
        _tell_of_long_table(table, config, columns, stamps, notes)
    if config.time_zone is not None and stamps.local and stamps.unit is not None:
        stamps = to_utc(table, config.date_column, stamps, config.time_zone, groups, notes)
    elif config.time_zone is not None:
        notes.append(
            f"{config.date_column}: `time_zone` has no use: the time stamps are no times of a clock at a place."
        )
    if columns is None:
        _check_order(table, config, clock, stamps, groups, notes)
    timeline = _arranged(table, stamps, groups, names)
    assert timeline.when is not None
    backs = int((timeline.steps < 0).sum())
    if backs:
        timeline = timeline.take(np.lexsort([timeline.when, timeline.series]))
        notes.append(f"{config.date_column}: rows were put in order of time ({backs} steps back in the file).")
    return timeline


def _arranged(table: Table, stamps: Stamps | None, groups: np.ndarray | None, names: list[str]) -> Timeline:
    """The rows of each series below each other, in the order of the file."""
    when, unit = (None, None) if stamps is None else (stamps.when, stamps.unit)
    if groups is None:
        return Timeline(table, when, unit, np.zeros(len(table.frame), dtype=np.int64), names)
    timeline = Timeline(table, when, unit, groups, names)
    return timeline if (np.diff(groups) >= 0).all() else timeline.take(np.argsort(groups, kind="stable"))


def _check_order(
    table: Table, config: SeriesSource, clock: Stamps, stamps: Stamps, groups: np.ndarray | None, notes: list[str]
) -> None:
    """Raises a DataError where rows step back or repeat a stamp and the config does not say what to do, or where what
    it says would mix series, or the two passes of an hour that clocks repeat."""
    date = str(config.date_column)
    order = np.arange(len(stamps.when)) if groups is None else np.argsort(groups, kind="stable")
    same = np.ones(len(order) - 1, dtype=bool) if groups is None else np.diff(groups[order]) == 0
    steps = np.diff(stamps.when[order])
    backs, repeats = order[1:][same & (steps < 0)], order[1:][same & (steps == 0)]
    if not len(backs) and not len(repeats):
        return
    if half_of_day_is_missing(clock):
        row = int(min([*backs[:1], *repeats[:1]]))
        raise DataError(
            f"{table.at(row, date)}: {table.frame[date].iloc[row]} is there twice or before the row above, and hours "
            "go from 1 to 12: the file should tell AM from PM, or have hours from 0 to 23."
        )
    if len(backs) and exchanged(stamps, order, same):
        row = int(backs[0])
        raise DataError(
            f"{table.at(row, date)}: {table.frame[date].iloc[row]} is before the row above, and the rows are in order "
            "where day and month of every date with a day up to 12 are exchanged, as spreadsheets do to a file of "
            "another country's: get the file as it was first written, or write the stamps as 2020-12-31."
        )
    newest_first = len(backs) > int((steps[same] > 0).sum())
    against = order[:-1][same & (steps > 0)] if newest_first else backs
    _check_clock(table, config, clock, (against, repeats, newest_first), notes)
    if len(backs) and config.on_unordered == "error":
        row = int(backs[0])
        above = int(order[np.flatnonzero(order == row)[0] - 1])
        cells = table.frame[date]
        raise DataError(
            f"{table.at(row, date)}: {cells.iloc[row]} is before the row above ({cells.iloc[above]}); `on_unordered` "
            "may be sort."
        )


def _tell_of_long_table(
    table: Table, config: SeriesSource, columns: list[str], stamps: Stamps, notes: list[str]
) -> None:
    """Raises a DataError that names the columns by which series are told apart, or notes them where the config already
    says what to do with stamps that repeat and step back."""
    date = str(config.date_column)
    row = int((np.diff(stamps.when) <= 0).argmax()) + 1
    clocks = [column for column in columns if is_time_of_day(table, column)]
    if clocks:
        joined = ", ".join([*config.stamp_columns, clocks[0]])
        raise DataError(
            f"{table.at(row, date)}: {table.frame[date].iloc[row]} is there for each value of `{clocks[0]}`, which "
            f"tells the time of the day: `date: [{joined}]` joins them."
        )
    parts = time_parts(columns)
    if len(parts) == len(columns) > 0:
        parts = [*config.stamp_columns, *parts]
        raise DataError(
            f"{table.at(row, date)}: {table.frame[date].iloc[row]} is there for each value of "
            f"`{'` and `'.join(columns)}`, by its name a part of the time: `date: [{', '.join(parts)}]` joins them."
        )
    counted = next((column for column in columns if counts_within(table, stamps.when, column)), None)
    if counted is not None:
        raise DataError(
            f"{table.at(row, date)}: {table.frame[date].iloc[row]} is there for each value of `{counted}`, which "
            f"counts within it: {_parts_of_a_time(table, config, counted)}; if it tells series apart, `id: {counted}` "
            "makes each a series of its own."
        )
    name = columns[0] if len(columns) == 1 else f"[{', '.join(columns)}]"
    if config.on_duplicate == "error" or config.on_unordered == "error":
        raise DataError(
            f"{table.at(row, date)}: the time stamps begin anew or repeat ({table.frame[date].iloc[row]}) for each "
            f"value of `{'` and `'.join(columns)}`: `id: {name}` makes each a series of its own, which no window "
            f"leaves{_quantities(table, config, columns)}."
        )
    notes.append(
        f"{date}: the time stamps begin anew or repeat for each value of `{'` and `'.join(columns)}`, and were taken "
        f"for one series: `id: {name}` would make each a series of its own."
    )


def _parts_of_a_time(table: Table, config: SeriesSource, column: str) -> str:
    """The remedy where a column that counts within a stamp is a part of the time."""
    parts = [*config.stamp_columns, column]
    cells = table.frame[parts].iloc[:1000].astype(str).agg(" ".join, axis=1).tolist()
    if any(reading.whole for reading in read_every_form(cells)):
        return f"if it is a part of the time, `date: [{', '.join(parts)}]` joins them"
    return "if it is a part of the time, the file should have a column with the whole time, such as 2020-12-31 23:30"


def _quantities(table: Table, config: SeriesSource, columns: list[str]) -> str:
    """A clause on a column that names quantities, whose values stand below each other in one column."""
    taken = {*config.stamp_columns, *columns}
    rest = [column for column in table.frame.columns if column not in taken]
    if len(columns) > 1 or len(rest) != 1 or not names_quantities(columns[0]):
        return ""
    return (
        f"; if `{columns[0]}` names quantities that are measured together, the file should have a column for each, as "
        "pandas' `pivot` makes them"
    )


def _check_clock(
    table: Table, config: SeriesSource, clock: Stamps, problems: tuple[np.ndarray, np.ndarray, bool], notes: list[str]
) -> None:
    """Raises a DataError where most steps against the order of the rows are in an hour that clocks repeat in autumn:
    what else would be said (`on_unordered`, `on_duplicate`) would mix its two passes."""
    against, repeats, newest_first = problems
    date = str(config.date_column)
    place, rows = place_that_repeats(clock, np.concatenate([against, repeats]))
    if place is None:
        return
    row = int(rows.min())
    stamp = table.frame[date].iloc[row]
    if config.time_zone is not None:
        raise DataError(
            f"{table.at(row, date)}: {stamp} is there twice or before the row above, in an hour that clocks repeat "
            f"in autumn in {place}, but not in {config.time_zone}: `time_zone` should name the place of the clock."
        )
    sorts = config.on_unordered == "sort" and newest_first
    if config.on_duplicate == "error" or len(against) or sorts:
        raise DataError(
            f"{table.at(row, date)}: {stamp} is there twice or before the row above, in an hour that clocks repeat "
            f"in autumn: `time_zone` should name the place of the clock, for example {place}, so that both passes of "
            "the hour are kept in their order."
        )
    notes.append(
        f"{date}: {len(rows)} rows repeat a time stamp in an hour that clocks repeat in autumn: `time_zone`, for "
        f"example {place}, would keep both passes of the hour."
    )


def without_repeats(
    timeline: Timeline, values: np.ndarray, marked: np.ndarray, config: SeriesSource, notes: list[str]
) -> tuple[Timeline, np.ndarray, np.ndarray]:
    """Rows with the stamp of the row before: refused, kept, or made one row. `mean` keeps the first row's labels.

    Args:
        timeline: rows in order.
        values: [R, C], NaN where a cell is empty.
        marked: bool [R, C]: cells with a missing marker.
        config: the source.
        notes: takes a sentence on repeated stamps, and one on uneven steps.

    Raises:
        DataError: a stamp is there twice and `on_duplicate` is error.
    """
    if timeline.when is None:
        return timeline, values, marked
    same = np.diff(timeline.series) == 0
    repeats = np.flatnonzero(same & (np.diff(timeline.when) == 0)) + 1
    if len(repeats):
        timeline, values, marked = _merge(timeline, values, marked, repeats, config, notes)
    _note_gaps(timeline, str(config.date_column), notes)
    return timeline, values, marked


def _merge(
    timeline: Timeline,
    values: np.ndarray,
    marked: np.ndarray,
    repeats: np.ndarray,
    config: SeriesSource,
    notes: list[str],
) -> tuple[Timeline, np.ndarray, np.ndarray]:
    row, table = int(repeats[0]), timeline.table
    stamp = table.frame[str(config.date_column)].iloc[row]
    if config.on_duplicate == "error":
        raise DataError(
            f"{table.at(row, config.date_column)}: {stamp} is there twice; `on_duplicate` may be first, last, mean or "
            "keep."
        )
    notes.append(
        f"{config.date_column}: {len(repeats)} rows repeat a time stamp (first: {stamp}), {config.on_duplicate}."
    )
    if config.on_duplicate == "keep":
        return timeline, values, marked
    starts = np.setdiff1d(np.arange(len(timeline.series)), repeats)
    rows = starts
    if config.on_duplicate == "last":
        rows = np.append(starts[1:], len(timeline.series)) - 1
    kept = values[rows]
    if config.on_duplicate == "mean":
        known = np.add.reduceat(~np.isnan(values), starts, axis=0)
        total = np.add.reduceat(np.nan_to_num(values), starts, axis=0)
        kept = np.where(known > 0, total / np.maximum(known, 1), np.nan)
        # A row that stands alone keeps its exact value.
        alone = np.append(starts[1:], len(timeline.series)) - starts == 1
        kept[alone] = values[starts[alone]]
    return timeline.take(rows), kept, marked[rows]


def _note_gaps(timeline: Timeline, column: str, notes: list[str]) -> None:
    """Uneven steps are no error (clocks change, loggers stop), but a forecaster should know of them."""
    steps = timeline.steps
    if not len(steps):
        return
    usual, times = np.unique(steps, return_counts=True)
    uneven = len(steps) - int(times.max())
    if uneven:
        shown, longest = (_length(step, timeline) for step in (usual[times.argmax()], usual[-1]))
        notes.append(
            f"{column}: {uneven} of {len(steps)} steps differ from the usual {shown}, the longest is {longest}; "
            "windows run across them."
        )


def _length(step: np.generic, timeline: Timeline) -> str:
    """A step in words."""
    if timeline.unit is None:
        return f"{step:g}"
    whole = timeline.when is not None and timeline.when.dtype == np.int64
    return str(pd.Timedelta(int(step) if whole else float(step), unit=timeline.unit))
