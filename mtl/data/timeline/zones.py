"""Times of a clock at a place, to UTC: the hour that the clock repeats in autumn, and the one it leaves out in spring.

R rows.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from mtl.data.formats.table import Table
from mtl.data.timeline.stamps import Stamps
from mtl.data.timeline.units import PER_SECOND, Unit
from mtl.errors import DataError

REPRESENTATIVE = (
    "Europe/Berlin", "Europe/London", "Europe/Athens", "America/New_York", "Australia/Sydney", "Pacific/Auckland",
    "America/Santiago", "America/Asuncion", "America/Sao_Paulo", "Asia/Tehran", "America/Havana", "Asia/Beirut",
    "Atlantic/Azores", "Africa/Casablanca", "Africa/Cairo", "Australia/Lord_Howe", "America/Mexico_City",
)  # fmt: skip
"""One place for each habit of changing the clock: the same dates, at the same hours of the clock."""


def to_utc(table: Table, column: str, stamps: Stamps, zone: str, groups: np.ndarray | None, notes: list[str]) -> Stamps:
    """The stamps in UTC, where they are those of the clock at a place.

    In the hour that the clock repeats, the first pass of the rows is summer time; where rows go back in time, the last.

    Args:
        table: the rows as they stand in the file.
        column: name of the column of the stamps.
        stamps: those of the rows, without offset.
        zone: name in the IANA database, such as Europe/Berlin.
        groups: series of each row [R], if the table holds several.
        notes: takes a sentence where the hour was passed once.

    Raises:
        DataError: a time that the clock leaves out, or a repeated hour whose rows do not stand pass after pass.
    """
    assert stamps.unit is not None
    clock = pd.DatetimeIndex(stamps.when.astype(f"datetime64[{stamps.unit}]"))
    missing = clock.tz_localize(zone, ambiguous=np.ones(len(clock), dtype=bool), nonexistent="NaT").isna()
    if missing.any():
        row = int(missing.argmax())
        raise DataError(
            f"{table.at(row, column)}: {clock[row]} is a time that clocks leave out in {zone} (`time_zone`), where "
            "summer time begins: another `time_zone` may be meant, or none where the clock was never changed."
        )
    when, second = (_in_pass(clock, zone, stamps.unit, first) for first in (True, False))
    twice, once = when != second, 0
    for rows in _series(groups, len(clock)) if twice.any() else ():
        rows = rows[::-1] if _backwards(when[rows]) else rows
        for run in _runs(np.flatnonzero(twice[rows]), stamps.when[rows], 3600 * PER_SECOND[stamps.unit]):
            members = rows[run]
            steps = np.diff(stamps.when[members])
            passed = np.flatnonzero(steps <= 0)
            mixed = (steps >= 0).all() and len(passed) > 1 and (steps > 0).any()
            if mixed or run[-1] - run[0] + 1 != len(run):
                raise DataError(_mixed(table, column, clock, int(members[0]), zone))
            if len(passed):
                members = members[passed[0] + 1 :]
                when[members] = second[members]
                continue
            once += 1
            if _fits_second(rows, run, when, second):
                when[members] = second[members]
    if once:
        notes.append(
            f"{column}: {once} of the hours that clocks repeat in {zone} are there once, and were taken for the pass "
            "nearer to the rows around, else the first."
        )
    return Stamps(when, stamps.unit, local=False)


def _in_pass(clock: pd.DatetimeIndex, zone: str, unit: Unit, first: bool) -> np.ndarray:
    """Times in UTC, int64 [R], if repeated hours are all of their first pass, or all of their second."""
    local = clock.tz_localize(zone, ambiguous=np.full(len(clock), first), nonexistent="NaT")
    when: np.ndarray = local.tz_convert("UTC").tz_localize(None).as_unit(unit).asi8.copy()
    return when


def _fits_second(rows: np.ndarray, run: np.ndarray, when: np.ndarray, second: np.ndarray) -> bool:
    """The steps before and behind a run of repeated times are nearer to the usual one in the second pass."""
    sizes, counts = np.unique(np.diff(when[rows]), return_counts=True)
    if not len(sizes):
        return False
    usual, costs = sizes[counts.argmax()], [0, 0]
    for number, times in enumerate((when, second)):
        if run[0] > 0:
            costs[number] += abs(int(times[rows[run[0]]] - when[rows[run[0] - 1]]) - int(usual))
        if run[-1] + 1 < len(rows):
            costs[number] += abs(int(when[rows[run[-1] + 1]] - times[rows[run[-1]]]) - int(usual))
    return costs[1] < costs[0]


def _mixed(table: Table, column: str, clock: pd.DatetimeIndex, row: int, zone: str) -> str:
    return (
        f"{table.at(row, column)}: {clock[row]} is in the hour that clocks repeat in {zone} (`time_zone`), and the "
        "rows of that hour do not stand pass after pass, so that their order does not tell the first from the "
        "second: the file should have its rows as they were written, or stamps with an offset (+01:00)."
    )


def repeated(stamps: Stamps, zone: str) -> np.ndarray:
    """Mask of the rows [R] whose time the clock of a place passes twice."""
    clock = pd.DatetimeIndex(stamps.when.astype(f"datetime64[{stamps.unit}]"))
    known = clock.tz_localize(zone, ambiguous="NaT", nonexistent=pd.Timedelta(hours=3))
    mask: np.ndarray = np.asarray(known.isna())
    return mask


def place_that_repeats(stamps: Stamps, rows: np.ndarray) -> tuple[str | None, np.ndarray]:
    """A place whose clock passes the times of most of these rows twice, as an example, and the rows of which that is
    true; None and no row if there is none."""
    nothing = np.zeros(0, dtype=np.int64)
    if not stamps.local or stamps.unit is None or not len(rows):
        return None, nothing
    chosen = Stamps(stamps.when[rows], stamps.unit, local=True)
    masks = {zone: repeated(chosen, zone) for zone in REPRESENTATIVE}
    zone = max(masks, key=lambda zone: int(masks[zone].sum()))
    return (zone, rows[masks[zone]]) if 2 * masks[zone].sum() >= len(rows) else (None, nothing)


def half_of_day_is_missing(stamps: Stamps) -> bool:
    """Hours go from 1 to 12 and stamps repeat, as those of a clock of twelve hours do without AM and PM."""
    if stamps.unit is None:
        return False
    hours = np.unique(stamps.when // (3600 * PER_SECOND[stamps.unit]) % 24)
    repeats = len(stamps.when) - len(np.unique(stamps.when))
    return len(hours) > 3 and int(hours[0]) >= 1 and int(hours[-1]) == 12 and 4 * repeats >= len(stamps.when)


def _series(groups: np.ndarray | None, count: int) -> Iterator[np.ndarray]:
    """Rows of each series, in the order of the file."""
    if groups is None:
        yield np.arange(count)
        return
    order = np.argsort(groups, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)


def _backwards(when: np.ndarray) -> bool:
    """More rows go back in time than on."""
    steps = np.diff(when)
    return bool((steps < 0).sum() > (steps > 0).sum())


def _runs(places: np.ndarray, when: np.ndarray, hour: int) -> list[np.ndarray]:
    """Places of the repeated times, by change of the clock: two changes are months apart."""
    order = np.argsort(when[places], kind="stable")
    ends = np.flatnonzero(np.diff(when[places][order]) > 24 * hour) + 1
    return [np.sort(places[part]) for part in np.split(order, ends)]
