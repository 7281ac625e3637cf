"""Missing cells of a series, filled for inputs: within a part, by time, no hole too long, never beyond what is known.

Filled cells are inputs and nothing else. A mask of the known cells goes with them, by which targets, metrics, means and
spreads leave them out. R rows, C channels, G series.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from mtl.data.loading.notes import FILLED, STILL
from mtl.errors import DataError

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Gaps:
    """Treatment of missing cells.

    Args:
        how: a line between the known values on both sides, or the last known value again.
        longest: rows, or a span of time as pandas reads it ("6h"), over which a hole may reach.
    """

    how: Literal["interpolate", "ffill"]
    longest: int | str


@dataclass(frozen=True)
class Rows:
    """Rows of one series or of several laid end to end.

    Args:
        segments: [G, 4] first row of each series and the end rows of its train, validation and test parts.
        when: [R] time of each row, which never falls within a series; None without time stamps.
        unit: of `when`; None where stamps are numbers of steps.
        at: (row, column) → place of a cell in words, for messages.
    """

    segments: np.ndarray
    when: np.ndarray | None
    unit: Literal["s", "ms", "us", "ns"] | None
    at: Callable[[int, str], str]

    def parts(self) -> Iterator[tuple[int, int, int]]:
        """(0 train, 1 validation or 2 test, first row, row after the last) of every part of every series."""
        for ends in self.segments.tolist():
            yield from ((part, ends[part], ends[part + 1]) for part in range(len(PARTS)))

    def rows_of(self, part: int) -> np.ndarray:
        """Mask [R] of the rows of one part in all series."""
        mask = np.zeros(int(self.segments[-1, 3]), dtype=bool)
        for ends in self.segments.tolist():
            mask[ends[part] : ends[part + 1]] = True
        return mask

    @property
    def times(self) -> np.ndarray:
        """[R] float64 position of each row on the axis along which values are interpolated."""
        count = int(self.segments[-1, 3])
        return (
            np.arange(count, dtype=np.float64) if self.when is None else (self.when - self.when[0]).astype(np.float64)
        )


def fill(
    values: np.ndarray, columns: Sequence[str], rows: Rows, gaps: Gaps, notes: list[str]
) -> tuple[np.ndarray, np.ndarray | None]:
    """Values [R, C] with the holes filled that may be, NaN in the others, and the mask [R, C] of the known cells; None
    where nothing was missing.

    Args:
        values: [R, C], NaN where missing; left as they are.
        columns: names.
        rows: series, parts and times.
        gaps: what may be filled, and how.
        notes: of the source; says how much was filled, and what was not.

    Raises:
        DataError: a hole is longer than `gaps.longest`, or a channel has no known value in one of the parts.
    """
    known = ~np.isnan(values)
    if known.all():
        return values, None
    values, times, longest = values.copy(), rows.times, _longest(gaps.longest, rows)
    for number in np.flatnonzero(~known.all(axis=0)).tolist():
        there = known[:, number]
        _check_parts(columns[number], there, rows)
        _check_holes(columns[number], there, rows, gaps, longest)
        filled, left = [0, 0, 0], 0
        for part, begin, end in rows.parts():
            held = begin + np.flatnonzero(there[begin:end])
            holes = begin + np.flatnonzero(~there[begin:end])
            inside = holes[(holes > held[0]) & (holes < held[-1])] if len(held) else holes[:0]
            if len(inside) and gaps.how == "ffill":
                values[inside, number] = values[held[np.searchsorted(held, inside) - 1], number]
            elif len(inside):
                values[inside, number] = np.interp(times[inside], times[held], values[held, number])
            filled[part] += len(inside)
            left += len(holes) - len(inside)
        notes += _told(columns[number], filled, left, gaps)
    return values, known


def _told(column: str, filled: list[int], left: int, gaps: Gaps) -> Iterator[str]:
    """Sentences on what was filled in a channel."""
    if any(filled):
        how = "repeat the last known one" if gaps.how == "ffill" else "are interpolated between the rows around them"
        where = ", ".join(f"{part} {count:,}" for part, count in zip(PARTS, filled, strict=True))
        yield f"{column}: {sum(filled):,} missing values {how}, {FILLED} ({where})."
    if left:
        yield (
            f"{column}: {left:,} missing values before the first or after the last known one of a part are not filled; "
            "windows that read them are left out."
        )


def _longest(longest: int | str, rows: Rows) -> float:
    """The longest hole, in rows or on the scale of `when`."""
    if isinstance(longest, int):
        return float(longest)
    if rows.when is None or rows.unit is None:
        raise DataError(
            f"`max_gap` of {longest!r} is a span of time, and the rows have no time stamps: give a number of rows."
        )
    return pd.Timedelta(longest) / pd.Timedelta(1, unit=rows.unit)


def _check_parts(column: str, there: np.ndarray, rows: Rows) -> None:
    """Raises a DataError where a part has no known value of a channel."""
    for part, name in enumerate(PARTS):
        of_part = np.flatnonzero(rows.rows_of(part))
        if len(of_part) and not there[of_part].any():
            raise DataError(
                f"{rows.at(int(of_part[0]), column)}: should have a value in the {name} part, found that every one of "
                f"its {len(of_part):,} rows is missing: let `values` name the other columns, or choose other `borders`."
            )


def _check_holes(column: str, there: np.ndarray, rows: Rows, gaps: Gaps, longest: float) -> None:
    """Raises a DataError for the first hole of a channel that is longer than allowed; a hole may reach over borders."""
    for first, _, _, end in rows.segments.tolist():
        edges = np.diff(np.concatenate([[True], there[first:end], [True]]).astype(np.int8))
        for begin, stop in zip(first + np.flatnonzero(edges < 0), first + np.flatnonzero(edges > 0), strict=True):
            if isinstance(gaps.longest, int):
                size: float = stop - begin
            else:
                assert rows.when is not None
                size = float(rows.when[min(stop, end - 1)] - rows.when[begin])
            if size > longest:
                raise DataError(
                    f"{rows.at(int(begin), column)}: the value is missing there and up to "
                    f"{rows.at(int(stop) - 1, column)}, in {stop - begin:,} rows, longer than `max_gap` of "
                    f"{gaps.longest}: let `values` name the other columns, choose `borders` before it, or set a larger "
                    "`max_gap` (values that are filled in are inputs, never targets)."
                )


def flagged(columns: Sequence[str], values: np.ndarray, known: np.ndarray) -> tuple[list[str], np.ndarray, np.ndarray]:
    """A column of 0 and 1 for each channel with filled cells, 1 where one was filled in, behind the channels.

    Returns:
        Names of the new columns, values and mask of known cells with them.
    """
    filled = ~known & ~np.isnan(values)
    numbers = np.flatnonzero(filled.any(axis=0)).tolist()
    names = [f"{columns[number]} filled" for number in numbers]
    taken = [name for name in names if name in columns]
    if taken:
        raise DataError(f"`flag_filled` would add a column `{taken[0]}`, which is there already: name it otherwise.")
    flags = filled[:, numbers]
    return names, np.hstack([values, flags]), np.hstack([known, np.ones_like(flags)])


def frozen(values: np.ndarray, columns: Sequence[str], rows: Rows) -> list[str]:
    """Sentences on channels that change in training and stand still in a whole part or in a long final stretch.

    Args:
        values: [R, C], NaN where missing.
        columns: names.
        rows: series and parts.
    """
    parts = [values[np.flatnonzero(rows.rows_of(part))] for part in range(len(PARTS))]
    still = [
        np.nanmin(part, axis=0) == np.nanmax(part, axis=0) if len(part) else np.zeros(len(columns), dtype=bool)
        for part in parts
    ]
    notes = []
    for number, column in enumerate(columns):
        if still[0][number]:
            continue
        places = [part for part in (1, 2) if still[part][number] and len(parts[part]) >= FEWEST]
        if places:
            where = " and the ".join(f"{PARTS[part]} part ({np.nanmax(parts[part][:, number]):g})" for part in places)
            notes.append(f"{column}: never changes in the {where}, {STILL}: a forecast of it there is no achievement.")
        else:
            notes += _final_stretch(column, values[:, number], rows) or _long_stretch(column, values[:, number], rows)
    return notes


FEWEST = 10
"""Rows in which a channel that stands still is told of."""
SHARE = 0.05
"""Share of its series from which a final stretch is long."""


def _long_stretch(column: str, of_row: np.ndarray, rows: Rows) -> list[str]:
    """A sentence on the first validation or test part of a series that is one value for half of its rows or more, in a
    stretch longer than any in training."""
    for first, end_of_train, end_of_val, end in rows.segments.tolist():
        before, _ = _longest_stretch(of_row[first:end_of_train])
        for part, begin, stop in ((1, end_of_train, end_of_val), (2, end_of_val, end)):
            length, at = _longest_stretch(of_row[begin:stop])
            if length >= max(FEWEST, (stop - begin) / 2) and length > 2 * before:
                return [
                    f"{column}: stays the same for {length:,} known values of the {PARTS[part]} part (from "
                    f"{rows.at(begin + at, column)}), {STILL}: a forecast of it there is no achievement."
                ]
    return []


def _longest_stretch(values: np.ndarray) -> tuple[int, int]:
    """Length and first row of the longest stretch of one value, over missing ones."""
    places = np.flatnonzero(~np.isnan(values))
    if not len(places):
        return 0, 0
    known = values[places]
    starts = np.append(np.flatnonzero(np.append(True, known[1:] != known[:-1])), len(known))
    longest = int(np.diff(starts).argmax())
    return int(starts[longest + 1] - starts[longest]), int(places[starts[longest]])


def _final_stretch(column: str, of_row: np.ndarray, rows: Rows) -> list[str]:
    """A sentence on the first series whose last values are all the same, for longer than ever before."""
    for first, _, _, end in rows.segments.tolist():
        part = of_row[first:end]
        places = np.flatnonzero(~np.isnan(part))
        if len(places) < FEWEST:
            continue
        part = part[places]
        # A stretch begins where a value differs from the one before.
        starts = np.append(np.flatnonzero(np.append(True, part[1:] != part[:-1])), len(part))
        lengths = np.diff(starts)
        longest_before = int(lengths[:-1].max()) if len(lengths) > 1 else len(part)
        if lengths[-1] >= max(FEWEST, SHARE * (end - first)) and lengths[-1] > 2 * longest_before:
            begin = rows.at(first + int(places[starts[-2]]), column)
            return [
                f"{column}: never changes in its last {lengths[-1]:,} known values (from {begin}), as a dead probe."
            ]
    return []
