"""The end of a series as the window that a model reads, and the time stamps of what follows it.

G series, L rows of a window, C channels, H rows ahead.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float64

from mtl.config.sources import SeriesSource
from mtl.data.formats.numbers import number_column
from mtl.data.formats.tables import read_table
from mtl.data.sources.filling import Gaps, Rows, fill
from mtl.data.timeline.order import Timeline, order_in_time, without_repeats
from mtl.data.timeline.stamps import read_stamps
from mtl.errors import DataError
from mtl.results.deployment import Origin
from mtl.serving.new_data.columns import check_columns

FILLED = " filled"
"""End of the name of a column that says which cells of a channel were filled in."""
EVEN = 0.15
"""Share by which the step of new rows may differ from that of training: months are 28 to 31 days."""


@dataclass(frozen=True)
class Ends:
    """The last windows of some series, for every length that a task reads.

    Args:
        names: of the series [G]; [""] where there is one without a name.
        columns: that tell the series apart.
        windows: L → [G, L, C] original units.
        stamps: of each series the stamp of its last row and of those that follow it [H + 1]; None without time stamps.
        date: name of their column.
    """

    names: list[str]
    columns: list[str]
    windows: dict[int, Float64[np.ndarray, "G L C"]]
    stamps: list[pd.Index] | None
    date: str

    def front(self, first: int, steps: int) -> dict[str, Any]:
        """Columns that say which series and time each row of a table is about.

        Args:
            first: number of the stamp of the first row of each series.
            steps: rows of each series.
        """
        columns: dict[str, Any] = {}
        for place, column in enumerate(self.columns):
            told = [name if len(self.columns) == 1 else name.split(", ")[place] for name in self.names]
            columns[column] = np.repeat(np.array(told, dtype=object), steps)
        if self.stamps is not None:
            head, *rest = [stamps[first : first + steps] for stamps in self.stamps]
            columns[self.date] = head.append(rest)
        return columns


@dataclass(frozen=True)
class Wanted:
    """The windows that tasks read.

    Args:
        channels: names of the C channels.
        lengths: L of each task.
        ahead: H, the most rows that a task forecasts.
    """

    channels: list[str]
    lengths: tuple[int, ...]
    ahead: int


def ends(options: SeriesSource, wanted: Wanted, origin: Origin | None, notes: list[str]) -> Ends:
    """The last windows of the series in a file.

    Args:
        options: of the file.
        wanted: by the tasks of the model.
        origin: the source that the model was trained on, where it is known.
        notes: takes sentences on what was read otherwise than it is written.

    Raises:
        DataError: a column is missing, a series is too short, a cell of a window is missing, or rows have another step
            than those of training.
    """
    timeline, values, channels, flags = rows_of(options, wanted.channels, notes)
    timeline, values = _last_rows(timeline, values, options, max(wanted.lengths))
    values, _ = filled(timeline, values, (channels, flags), wanted.channels, options, notes)
    windows = {length: _windows(timeline, values, wanted, length) for length in sorted(set(wanted.lengths))}
    stamps = None if timeline.when is None else _stamps(timeline, options, wanted, origin, notes)
    return Ends(timeline.names or [""], options.ids, windows, stamps, str(options.date_column))


def _last_rows(
    timeline: Timeline, values: np.ndarray, options: SeriesSource, length: int
) -> tuple[Timeline, np.ndarray]:
    """The rows that windows read, and those before them that may tell what is missing."""
    more = options.max_gap if isinstance(options.max_gap, int) else length
    starts = timeline.starts
    rows = np.concatenate([
        np.arange(max(start, stop - length - more), stop) for start, stop in pairwise(starts)
    ])  # fmt: skip
    return timeline.take(rows), values[rows]


def rows_of(
    options: SeriesSource, wanted: Sequence[str], notes: list[str]
) -> tuple[Timeline, np.ndarray, list[str], list[str]]:
    """All rows of a file in order, the values of the channels [R, C] that it holds (NaN is missing), the names of
    these, and of those channels that say which cells were filled in.

    Args:
        options: of the file.
        wanted: channels of the model.
        notes: takes sentences on what was read otherwise than it is written.

    Raises:
        DataError: a column is missing, or rows are out of order.
    """
    table = read_table(options, Path())
    flags = [name for name in wanted if name.endswith(FILLED) and name not in table.frame.columns]
    channels = [name for name in wanted if name not in flags]
    check_columns(options.path, [str(name) for name in table.frame.columns], channels)
    notes += table.notes
    timeline = order_in_time(table, options, notes)
    values = np.stack([number_column(timeline.table, channel) for channel in channels], axis=1)
    marked = np.isin(values, options.missing_markers) if options.missing_markers else np.zeros(values.shape, dtype=bool)
    if options.on_missing != "keep_markers":
        values[marked] = np.nan
    timeline, values, _ = without_repeats(timeline, values, marked, options, notes)
    return timeline, values, channels, flags


def filled(
    timeline: Timeline, values: np.ndarray, named: tuple[Sequence[str], Sequence[str]], wanted: Sequence[str],
    options: SeriesSource, notes: list[str],
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Values of the wanted channels, with their holes filled where the options say so, and the mask of what is known.

    Args:
        timeline: of the rows.
        values: of the channels that the file holds.
        named: their names, and those of channels that say which cells were filled in.
        wanted: channels of the model, in their order.
        options: of the file.
        notes: takes sentences on what was filled in.
    """
    channels, flags = named
    known = ~np.isnan(values)
    if options.on_missing in ("interpolate", "ffill"):
        starts = timeline.starts
        segments = np.stack([starts[:-1], starts[1:], starts[1:], starts[1:]], axis=1)
        rows = Rows(segments, timeline.when, timeline.unit, timeline.table.at)
        values, _ = fill(values, channels, rows, Gaps(options.on_missing, options.max_gap), notes)
    of = [channels.index(name.removesuffix(FILLED)) for name in flags]
    values = np.concatenate([values, (~known & ~np.isnan(values))[:, of]], axis=1)
    known = np.concatenate([known, np.ones((len(known), len(of)), dtype=bool)], axis=1)
    order = [[*channels, *flags].index(name) for name in wanted]
    return values[:, order], known[:, order]


def _windows(timeline: Timeline, values: np.ndarray, wanted: Wanted, length: int) -> Float64[np.ndarray, "G L C"]:
    """The last `length` rows of each series.

    Raises:
        DataError: a series is shorter, or a cell of them is missing.
    """
    starts, cut = timeline.starts, []
    for number, (start, stop) in enumerate(pairwise(starts)):
        if stop - start < length:
            whose = f" of {timeline.names[number]!r}" if timeline.names else ""
            raise DataError(
                f"{timeline.table.path}: should have at least {length} rows{whose}, which the model reads, found "
                f"{stop - start}."
            )
        window = values[stop - length : stop]
        holes = np.argwhere(np.isnan(window))
        if len(holes):
            row, channel = int(holes[0][0]) + stop - length, wanted.channels[int(holes[0][1])]
            raise DataError(
                f"{timeline.table.at(row, channel)}: the value is missing in the last {length} rows, which the model "
                "reads: fill it in, end the file at the last whole row, or let `--set on_missing=interpolate` fill "
                "holes between known values."
            )
        cut.append(window)
    return np.stack(cut)


def _stamps(
    timeline: Timeline, options: SeriesSource, wanted: Wanted, origin: Origin | None, notes: list[str]
) -> list[pd.Index]:
    """Stamps of the last row of each series and of the rows that follow it."""
    column = str(options.date_column)
    utc = zone_of(timeline, options)
    check_step(timeline, origin, column)
    stamps, starts = [], timeline.starts
    assert timeline.when is not None
    for number, (start, stop) in enumerate(pairwise(starts)):
        when = timeline.when[max(start, stop - max(wanted.lengths)) : stop]
        if timeline.unit is None:
            step = _usual(np.diff(when)) if len(when) > 1 else 1
            stamps.append(pd.Index(when[-1] + step * np.arange(wanted.ahead + 1)))
            continue
        times = _times(when, timeline.unit, utc)
        stamps.append(_following(times, wanted.ahead))
        uneven = int((np.diff(when) != _usual(np.diff(when))).sum()) if len(when) > 1 else 0
        if uneven and _regular(times) is None:
            whose = f" of {timeline.names[number]}" if timeline.names else ""
            notes.append(f"{column}: {uneven} of the {len(when) - 1} steps in the last window{whose} are uneven")
    return stamps


def zone_of(timeline: Timeline, options: SeriesSource) -> str | None:
    """Zone in which stamps are shown; None where they are those of a clock that nothing tells more of, or numbers."""
    if timeline.unit is None:
        return None
    local = read_stamps(timeline.table, options, timeline.series, []).local
    return None if local and options.time_zone is None else options.time_zone if local else "UTC"


def _times(when: np.ndarray, unit: str, zone: str | None) -> pd.DatetimeIndex:
    times = pd.DatetimeIndex(when.astype(np.int64).astype(f"datetime64[{unit}]"))
    return times if zone is None else times.tz_localize("UTC").tz_convert(zone)


def front_of_rows(timeline: Timeline, options: SeriesSource) -> dict[str, Any]:
    """Columns that say which series and time each row of a file in time order is about."""
    columns: dict[str, Any] = {}
    for place, column in enumerate(options.ids):
        told = [name if len(options.ids) == 1 else name.split(", ")[place] for name in timeline.names]
        columns[column] = np.array(told, dtype=object)[timeline.series]
    if timeline.when is not None:
        zone, unit = zone_of(timeline, options), timeline.unit
        columns[str(options.date_column)] = timeline.when if unit is None else _times(timeline.when, unit, zone)
    return columns


def _regular(times: pd.DatetimeIndex) -> str | pd.offsets.BaseOffset | None:
    """Steps of the calendar that stamps follow, as pandas names them; None where they follow none."""
    if len(times) < 3:
        return None
    with warnings.catch_warnings():  # pandas 3.1 warns that an offset will stand for its name: either serves here.
        warnings.filterwarnings("ignore", "A future version of pandas will return a BaseOffset", DeprecationWarning)
        return pd.infer_freq(times)


def _following(times: pd.DatetimeIndex, ahead: int) -> pd.DatetimeIndex:
    """The last stamp and those that follow it: by months and days of the calendar where they follow it, else by the
    usual step."""
    rule = _regular(times)
    if rule is not None:
        made = pd.date_range(times[-1], periods=ahead + 1, freq=rule)
        if made[0] == times[-1]:
            return made.as_unit(times.unit)
    step = _usual(np.diff(times.asi8)) if len(times) > 1 else 0
    following = pd.DatetimeIndex((times.asi8[-1] + step * np.arange(ahead + 1)).astype(f"datetime64[{times.unit}]"))
    return following if times.tz is None else following.tz_localize("UTC").tz_convert(times.tz)


def _usual(steps: np.ndarray) -> float | int:
    """The most frequent step."""
    sizes, counts = np.unique(steps, return_counts=True)
    size: float | int = sizes[counts.argmax()].item()
    return size


def check_step(timeline: Timeline, origin: Origin | None, column: str) -> None:
    """Raises a DataError where rows are further apart, or nearer, than those of training."""
    if origin is None or origin.step is None or timeline.when is None or timeline.unit is None:
        return
    steps = timeline.steps[timeline.steps > 0]
    if not len(steps):
        return
    step, trained = pd.Timedelta(int(_usual(steps)), unit=timeline.unit), pd.Timedelta(origin.step)
    if abs(step / trained - 1) > EVEN:
        raise DataError(
            f"{timeline.table.path}, column `{column}`: rows should be {trained} apart, as those that the model was "
            f"trained on, found {step}: resample them."
        )
