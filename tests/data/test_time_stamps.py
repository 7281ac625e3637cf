"""Time stamps: one form for a column, proved on all rows, or a refusal that shows how each form would read them."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mtl.config.sources import SeriesSource
from mtl.data.build import read_source
from mtl.data.timeline.calendar import days
from mtl.data.timeline.digits import read_digits
from mtl.data.timeline.readings import Reading, read_every_form
from mtl.errors import DataError
from mtl.types import Prepared

HOURS = pd.date_range("2020-01-01", "2020-12-31 23:00", freq="h")
DAYS = pd.date_range("2020-01-01", periods=400)
FIRST_DAYS = HOURS[HOURS.day <= 12]
"""Hours of days whose number could be a month's."""


def read(stamps: Iterable[object], folder: Path, **options: Any) -> Prepared:
    """A series whose only value is the number of the row in the file."""
    lines = [f'"{stamp}",{row}\n' for row, stamp in enumerate(stamps)]
    (folder / "own.csv").write_text("date,row\n" + "".join(lines), encoding="utf-8")
    # A column that counts rows is an input where `values` says so.
    prepared = read_source("own", SeriesSource(kind="series", path="own.csv", values=["row"], **options), folder)
    assert isinstance(prepared, Prepared)
    return prepared


def rows(prepared: Prepared) -> list[int]:
    return [int(value) for value in prepared.values[:, 0].tolist()]


def truth(reading: Reading, stamps: pd.DatetimeIndex) -> bool:
    return np.array_equal(reading.when, stamps.as_unit(reading.unit).asi8)


PROVED = [
    ("%d.%m.%Y %H:%M", HOURS), ("%m/%d/%Y %I:%M %p", HOURS), ("%d/%m/%Y %I:%M:%S %p", HOURS), ("%Y/%m/%d %H:%M", HOURS),
    ("%d.%m.%y %H:%M", HOURS), ("%m/%d/%y", DAYS), ("%y-%m-%d", DAYS), ("%d-%b-%y", DAYS), ("%d %B %Y", DAYS),
    ("%b %d, %Y %H:%M", HOURS), ("%a, %d %b %Y %H:%M:%S", HOURS), ("%d%b%Y:%H:%M:%S", HOURS), ("%Y%m%dT%H%M", HOURS),
    ("%d%m%Y", DAYS), ("%m%d%Y", DAYS), ("%Y%m%d", DAYS), ("%Y%m%d%H%M", HOURS), ("%d%m%Y%H%M", HOURS),
    ("%d%m%y", DAYS), ("%y%m%d", DAYS), ("%Y%m%d%H", HOURS), ("%H:%M %d.%m.%Y", HOURS), ("%d.%m.%Y %H.%M", HOURS),
    ("%d/%m/%Y %H:%M", FIRST_DAYS), ("%m/%d/%Y %H:%M", FIRST_DAYS), ("%m-%d-%y %H:%M", FIRST_DAYS),
]  # fmt: skip


@pytest.mark.parametrize(("form", "stamps"), PROVED, ids=[form for form, _ in PROVED])
@pytest.mark.parametrize("newest_first", [False, True])
def test_a_form_that_the_rows_prove_is_read_and_said(
    form: str, stamps: pd.DatetimeIndex, newest_first: bool, tmp_path: Path
) -> None:
    written = (stamps[::-1] if newest_first else stamps).strftime(form)
    prepared = read(written, tmp_path, on_unordered="sort" if newest_first else "error")
    expected = range(len(stamps))
    assert rows(prepared) == list(reversed(expected) if newest_first else expected)
    assert f"date: time stamps were read as {form.replace('%B', '%b')}, the only form" in prepared.notes[0]
    assert ("two-digit years from 69 on are of 1969" in prepared.notes[0]) == ("%y" in form)


def test_a_row_that_is_missing_does_not_undo_the_proof(tmp_path: Path) -> None:
    written = HOURS[::-1].delete(100).strftime("%d.%m.%y %H:%M")
    assert rows(read(written, tmp_path, on_unordered="sort")) == list(range(8783 - 1, -1, -1))


def test_zeros_that_tables_of_numbers_drop(tmp_path: Path) -> None:
    for form in ("%d%m%Y", "%m%d%Y", "%d%m%y"):
        written = [stamp.lstrip("0") for stamp in DAYS.strftime(form)]
        assert rows(read(written, tmp_path)) == list(range(400))
    frame = pd.DataFrame({"date": [int(stamp) for stamp in DAYS.strftime("%d%m%Y")], "row": np.arange(400.0)})
    for kind in ("int64", "float64"):
        frame.astype({"date": kind}).to_parquet(tmp_path / "own.parquet")
        prepared = read_source("own", SeriesSource(kind="series", path="own.parquet", values=["row"]), tmp_path)
        assert isinstance(prepared, Prepared) and rows(prepared) == list(range(400))
        assert "%d%m%Y" in prepared.notes[0]


OPEN = [
    ("daily or monthly", list(DAYS[:12].strftime("%d/%m/%Y")), ["%d/%m/%Y", "%m/%d/%Y"]),
    ("first of months", list(pd.date_range("2020-01-01", periods=12, freq="MS").strftime("%m/%d/%Y")),
     ["%d/%m/%Y", "%m/%d/%Y"]),
    ("one month", list(DAYS[:31].strftime("%y-%m-%d")), ["%d-%m-%y", "%y-%m-%d"]),
    ("one day", list(HOURS[24 * 33 : 24 * 34].strftime("%d/%m/%Y %H:%M")), ["%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M"]),
    ("sorted as text", sorted(DAYS[:366].strftime("%d.%m.%y")), ["%d.%m.%y", "%y.%m.%d"]),
    ("shuffled", list(np.random.default_rng(0).permutation(HOURS.strftime("%d.%m.%y %H:%M"))),
     ["%d.%m.%y %H:%M", "%y.%m.%d %H:%M"]),
    ("digits", list(DAYS[:12].strftime("%d%m%Y")), ["%d%m%Y", "%m%d%Y", "number"]),
]  # fmt: skip


@pytest.mark.parametrize(("stamps", "forms"), [case[1:] for case in OPEN], ids=[case[0] for case in OPEN])
@pytest.mark.parametrize("on_unordered", ["error", "sort"])
def test_a_form_that_nothing_proves_is_asked_for(
    stamps: Sequence[str], forms: list[str], on_unordered: Any, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"own\.csv, column `date`: .*`date_format` should name it") as told:
        read(stamps, tmp_path, on_unordered=on_unordered)
    message = str(told.value)
    assert all(form in message for form in forms) and "on_unordered" not in message
    assert repr(stamps[0]) in message and repr(stamps[-1]) in message
    for form in forms[:2]:
        read(stamps, tmp_path, date_format=form, on_unordered="sort")


def test_the_message_shows_how_each_form_reads_the_first_an_open_and_the_last_row(tmp_path: Path) -> None:
    stamps = ["01/01/2020", "02/01/2020", "04/01/2020", "07/01/2020", "09/01/2020"]
    with pytest.raises(DataError) as told:
        read(stamps * 3, tmp_path)
    assert (
        "Of the lines 2, 3, 16, '%d/%m/%Y' reads '01/01/2020' as 2020-01-01, '02/01/2020' as 2020-01-02, "
        "'09/01/2020' as 2020-01-09; '%m/%d/%Y' reads '01/01/2020' as 2020-01-01, '02/01/2020' as 2020-02-01, "
        "'09/01/2020' as 2020-09-01"
    ) in str(told.value)


MIXED = [
    ("%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M", 50), ("%d.%m.%Y", "%d/%m/%Y", 50), ("%d.%m.%Y", "%d.%m.%y", 30),
    ("%d.%m.%Y %H:%M", "%d.%m.%Y", 20), ("%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M%z", 50), ("%Y%m%d", "%Y-%m-%d", 50),
    ("%d/%m/%Y %H:%M", "%m/%d/%Y %I:%M %p", 50),
]  # fmt: skip


@pytest.mark.parametrize(("form", "other", "at"), MIXED)
def test_two_forms_in_one_column_are_refused_with_the_line(form: str, other: str, at: int, tmp_path: Path) -> None:
    stamps = list(HOURS[: 24 * 100 : 24].tz_localize("UTC").strftime(form))
    stamps[at] = HOURS[24 * at].tz_localize("UTC").strftime(other)
    place = rf"own\.csv, line {at + 2}, column `date`"
    with pytest.raises(DataError, match=rf"{place}: .*found '{re.escape(stamps[at])}'"):
        read(stamps, tmp_path)


@pytest.mark.parametrize("wrong", ["31.02.2020", "00.01.2020", "01.13.2020", "32.01.2020", "29.02.2021", "soon"])
def test_a_day_that_does_not_exist_is_refused_with_the_line(wrong: str, tmp_path: Path) -> None:
    stamps = list(DAYS.strftime("%d.%m.%Y"))
    stamps[50] = wrong
    with pytest.raises(DataError, match=rf"line 52, column `date`: should be .* found '{wrong}'"):
        read(stamps, tmp_path)


def test_years_and_weeks_in_numbers_are_told_the_form_that_reads_them(tmp_path: Path) -> None:
    weeks = [(2015 + number // 52, number % 52 + 1) for number in range(200)]
    with pytest.raises(DataError, match=r"line 14, .*found '2015 13': if these are weeks .* as in 2015-W13"):
        read([f"{year} {week}" for year, week in weeks], tmp_path)
    assert rows(read([f"{year}-W{week:02d}" for year, week in weeks], tmp_path)) == list(range(200))


def test_fractions_dates_alone_and_t_are_one_form_in_iso(tmp_path: Path) -> None:
    stamps = ["2020-01-01", "2020-01-01T00:00:00.5", "2020-01-01 00:00:01", "2020-01-01T00:00:02.250000", "2020-01-02"]
    stamps += [f"2020-01-{3 + n:02d}" for n in range(10)]
    prepared = read(stamps, tmp_path)
    assert rows(prepared) == list(range(15)) and not any("read as" in note for note in prepared.notes)


def test_offsets_are_read_as_utc(tmp_path: Path) -> None:
    stamps = pd.date_range("2020-01-01", periods=9000, freq="h", tz="UTC").tz_convert("Europe/Berlin")
    assert read(stamps.strftime("%Y-%m-%d %H:%M:%S%z"), tmp_path).notes == []
    (reading,) = read_every_form(stamps.map(lambda stamp: stamp.isoformat()).tolist())
    assert reading.aware and truth(reading, stamps.tz_convert("UTC"))


@pytest.mark.parametrize(("unit", "words"), [("s", "seconds"), ("ms", "milliseconds"), ("ns", "nanoseconds")])
def test_time_since_1970_is_read_as_such(unit: Any, words: str, tmp_path: Path) -> None:
    prepared = read(HOURS.as_unit(unit).asi8, tmp_path)
    assert prepared.notes == [f"date: time stamps were read as {words} since 1970."]
    gap = read(np.delete(HOURS.as_unit(unit).asi8, 7), tmp_path)
    assert gap.notes[1] == (
        "date: 1 of 8782 steps differ from the usual 0 days 01:00:00, the longest is 0 days 02:00:00; windows run "
        "across them."
    )


@pytest.mark.parametrize("first", [0, 1, 2020, 10_101, 101_010, 20_200_101])
def test_numbers_of_steps_are_no_dates(first: int, tmp_path: Path) -> None:
    assert read(range(first, first + 500), tmp_path).notes == []


def test_numbers_may_be_asked_for(tmp_path: Path) -> None:
    stamps = DAYS[:28].strftime("%Y%m%d")
    assert "read as %Y%m%d" in read(stamps, tmp_path).notes[0]
    assert read(stamps, tmp_path, date_format="number").notes == []
    with pytest.raises(DataError, match=r"line 12, column `date`: should be a number .* found 'x'"):
        read([*range(10), "x", *range(10)], tmp_path, date_format="number")


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("%d.%m. %H:%M", "should have a year"), ("%d/%M/%Y", "should have a month"), ("mixed", "should have a year"),
        ("%Y-%m-%d %m:%M", "should have an hour"), ("%Y-%m-%d %H:%M %p", "%I beside %p"),
        ("%Y-%m-%d %I:%M", "%p beside %I"),
    ],
)  # fmt: skip
def test_forms_that_would_scramble_rows_are_refused(form: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SeriesSource(kind="series", path="own.csv", date_format=form)


def test_a_named_form_is_that_of_all_rows(tmp_path: Path) -> None:
    assert rows(read(FIRST_DAYS.strftime("%m/%d/%Y %H:%M"), tmp_path, date_format="%m/%d/%Y %H:%M"))
    assert read(DAYS[:12].strftime("%d/%m/%Y"), tmp_path, date_format="%d/%m/%Y").notes == []
    with pytest.raises(DataError, match=r"line 2, column `date`: should be a time stamp in %d\.%m\.%Y"):
        read(DAYS.strftime("%d/%m/%Y"), tmp_path, date_format="%d.%m.%Y")
    with pytest.raises(DataError, match=r"line 15, .*should be a time stamp in %m/%d/%Y, found '13/01/2020'"):
        read(["01/01/2020", *DAYS[:13].strftime("%d/%m/%Y")], tmp_path, date_format="%m/%d/%Y")


FORMS = [
    "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f", "%d.%m.%Y %H:%M:%S", "%d.%m.%y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p",
    "%y/%m/%d %H:%M:%S", "%d-%b-%Y %H:%M:%S.%f", "%B %d, %Y %H:%M:%S", "%a %d %b %Y %H:%M:%S", "%H:%M:%S %d/%m/%Y",
    "%Y.%m.%d %H:%M:%S", "%d %m %Y %H:%M:%S", "%Y%m%d %H:%M:%S", "%d%m%Y %H:%M:%S", "%Y-%m-%d %H:%M:%S+0530",
]  # fmt: skip
DIGITS = ["%Y%m%d%H%M%S", "%d%m%Y%H%M%S", "%m%d%Y%H%M%S", "%y%m%d%H%M%S"]


@settings(max_examples=60, deadline=None)
@given(
    form=st.sampled_from(FORMS + DIGITS),
    stamps=st.lists(
        st.datetimes(min_value=datetime(1969, 1, 1), max_value=datetime(2068, 12, 31)), min_size=1, max_size=30
    ),
)
def test_what_is_written_in_a_form_is_among_its_readings(form: str, stamps: list[Any]) -> None:
    written = pd.DatetimeIndex(stamps) if "%f" in form else pd.DatetimeIndex(stamps).floor("s")
    cells = written.strftime(form).tolist()
    readings = read_digits(cells) if form in DIGITS else read_every_form(cells)
    expected = written - pd.Timedelta(minutes=330) if "0530" in form else written
    assert any(reading.whole and truth(reading, expected) for reading in readings)


@pytest.mark.parametrize("options", [{}, {"date_format": "%d.%m.%y"}, {"on_unordered": "sort"}])
def test_years_of_two_digits_that_cross_the_century_of_the_rule(options: dict[str, Any], tmp_path: Path) -> None:
    years = pd.date_range("1950-12-31", periods=60, freq="YE")
    with pytest.raises(DataError, match=r"'31\.12\.68' would be read as 2068-12-31, and '31\.12\.69' as 1969-12-31"):
        read(years.strftime("%d.%m.%y"), tmp_path, **options)
    assert rows(read(years[20:].strftime("%d.%m.%y"), tmp_path)) == list(range(40))


def test_stamps_without_padding() -> None:
    cells = [f"{t.day}.{t.month}.{t.year} {t.hour}:{t.minute:02d}" for t in HOURS]
    whole = [reading for reading in read_every_form(cells) if reading.whole]
    assert [reading.name for reading in whole] == ["%d.%m.%Y %H:%M"] and truth(whole[0], HOURS)


def test_noon_midnight_and_the_end_of_a_day() -> None:
    (reading, _) = read_every_form(["13/01/2020 12:00 AM", "13/01/2020 12:30 PM", "13/01/2020 1:05 pm"])
    assert truth(reading, pd.DatetimeIndex(["2020-01-13 00:00", "2020-01-13 12:30", "2020-01-13 13:05"]))
    (reading,) = read_every_form(["2020-02-28 24:00", "2020-12-31 24:00:00"])
    assert truth(reading, pd.DatetimeIndex(["2020-02-29", "2021-01-01"]))
    assert not any(reading.whole for reading in read_every_form(["2020-01-01 24:01", "2020-01-01 12:00"]))


def test_days_of_the_calendar_are_those_of_numpy() -> None:
    number = np.arange(-700_000, 100_000)
    day = np.datetime64("1970-01-01") + number
    month = day.astype("datetime64[M]")
    year, month_of_year = day.astype("datetime64[Y]").astype(int) + 1970, month.astype(int) % 12 + 1
    np.testing.assert_array_equal(days(year, month_of_year, (day - month).astype(int) + 1), number)
