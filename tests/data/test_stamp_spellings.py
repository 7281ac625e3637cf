"""Time stamps as people and programs spell them: names in ten languages, spans, weeks, zones, and dates that a
spreadsheet turned round."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtl.config.sources import SeriesSource
from mtl.data.build import read_source
from mtl.data.timeline.plain import plain
from mtl.data.timeline.readings import read_every_form
from mtl.errors import DataError
from mtl.types import Prepared

HOURS = pd.date_range("2020-01-01", periods=800, freq="h")
DAYS = pd.date_range("2020-01-01", periods=400)
WEEKS = pd.date_range("2019-12-30", periods=120, freq="7D")
QUARTERS = pd.date_range("1990-01-01", periods=80, freq="QS")

MONTHS = {
    "German": "Jan Feb Mrz Apr Mai Jun Jul Aug Sep Okt Nov Dez",
    "German in full": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "French": "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.",
    "Spanish": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "Italian": "gen feb mar apr mag giu lug ago set ott nov dic",
    "Portuguese": "jan fev mar abr mai jun jul ago set out nov dez",
    "Dutch": "jan feb mrt apr mei jun jul aug sep okt nov dec",
    "Swedish": "januari februari mars april maj juni juli augusti september oktober november december",
}
ORDINALS = {1: "st", 2: "nd", 3: "rd", 21: "st", 22: "nd", 23: "rd", 31: "st"}


def read(stamps: Iterable[str], folder: Path, **options: Any) -> Prepared:
    """A series whose only value is the number of the row in the file."""
    lines = [f'"{stamp}",{row}\n' for row, stamp in enumerate(stamps)]
    (folder / "own.csv").write_text("date,row\n" + "".join(lines), encoding="utf-8")
    prepared = read_source("own", SeriesSource(kind="series", path="own.csv", values=["row"], **options), folder)
    assert isinstance(prepared, Prepared)
    return prepared


def check(stamps: list[str], expected: pd.DatetimeIndex) -> None:
    whole = [reading for reading in read_every_form(stamps) if reading.whole]
    assert len({tuple(reading.when.tolist()) for reading in whole}) == 1, "one meaning"
    assert np.array_equal(whole[0].when, expected.as_unit(whole[0].unit).asi8)


@pytest.mark.parametrize("language", list(MONTHS))
def test_names_of_months_in_other_languages(language: str) -> None:
    names = MONTHS[language].split()
    check([f"{day.day}. {names[day.month - 1]} {day.year}" for day in DAYS], DAYS)


SPELLINGS: dict[str, tuple[pd.DatetimeIndex, Callable[[pd.Timestamp], str]]] = {
    "weekdays in German": (
        HOURS,
        lambda t: f"{['Mo', 'Di', 'Mi', 'Do', 'Fr', 'Sa', 'So'][t.day_of_week]}, {t:%d.%m.%Y %H:%M}",
    ),
    "mar. is Tuesday and March": (
        DAYS,
        lambda t: (
            f"{['lun.', 'mar.', 'mer.', 'jeu.', 'ven.', 'sam.', 'dim.'][t.day_of_week]} {t.day} "
            f"{MONTHS['French'].split()[t.month - 1]} {t.year}"
        ),
    ),
    "ordinals": (DAYS, lambda t: f"{t.day}{ORDINALS.get(t.day, 'th')} {t:%B %Y}"),
    "prepositions": (DAYS, lambda t: f"{t.day} de {MONTHS['Spanish'].split()[t.month - 1]} de {t.year}"),
    "a.m.": (HOURS, lambda t: t.strftime("%m/%d/%Y %I:%M %p").replace("AM", "a.m.").replace("PM", "p.m.")),
    "ctime": (HOURS, lambda t: f"{t:%a %b} {t.day:2d} {t:%H:%M:%S %Y}"),
    "date of the shell": (HOURS, lambda t: f"{t:%a %b} {t.day:2d} {t:%H:%M:%S} UTC {t.year}"),
    "hours with h": (HOURS, lambda t: f"{t:%d/%m/%Y %H}h{t:%M}"),
    "Uhr": (HOURS, lambda t: f"{t:%d.%m.%Y %H:%M} Uhr"),
    "weeks": (WEEKS, lambda t: t.strftime("%G-W%V")),
    "days of weeks": (DAYS, lambda t: t.strftime("%G-W%V-%u")),
    "days of the year": (DAYS, lambda t: t.strftime("%Y-%j")),
    "quarters first": (QUARTERS, lambda t: f"Q{t.quarter} {t.year}"),
    "months by number": (QUARTERS, lambda t: f"{t.year}M{t.month:02d}"),
    "year and month": (QUARTERS, lambda t: f"{t.year} {t.month}"),
    "parts joined": (HOURS, lambda t: f"{t.year} {t.month} {t.day} {t.hour} {t.minute}"),
    "East Asia": (HOURS, lambda t: f"{t.year}年{t.month}月{t.day}日 {t:%H}时{t:%M}分"),
    "wide digits": (DAYS, lambda t: "".join(chr(ord(c) + 0xFEE0) if c.isdigit() else c for c in f"{t:%Y-%m-%d}")),
    "blanks of typesetters": (HOURS, lambda t: f"{t:%m/%d/%Y}\u00a0{t:%I:%M}\u202f{t:%p}"),
    "spans": (HOURS, lambda t: f"{t:%d.%m.%Y %H:%M} - {t + pd.Timedelta('1h'):%d.%m.%Y %H:%M}"),
    "spans of a day": (HOURS, lambda t: f"{t:%d.%m.%Y %H:%M} - {t + pd.Timedelta('1h'):%H:%M}"),
    "midnight left out": (HOURS, lambda t: f"{t:%d.%m.%Y}" + (f" {t:%H:%M:%S}" if t.hour else "")),
}


@pytest.mark.parametrize("spelling", list(SPELLINGS))
def test_other_spellings(spelling: str) -> None:
    times, spelt = SPELLINGS[spelling]
    check([spelt(time) for time in times], times)


def test_zones_by_name_tell_the_hour_that_clocks_repeat() -> None:
    times = pd.date_range("2020-10-30", periods=90, freq="h", tz="America/New_York")
    check([f"{time:%Y-%m-%d %H:%M %Z}" for time in times], times.tz_convert("UTC"))


def test_what_was_made_of_spans_and_midnights_is_said(tmp_path: Path) -> None:
    _, spelt = SPELLINGS["spans"]
    note = "date: time stamps were read as %d.%m.%Y %H:%M, at the beginning of each span, the only form"
    assert any(told.startswith(note) for told in read(map(spelt, HOURS), tmp_path).notes)
    _, spelt = SPELLINGS["midnight left out"]
    note = "date: time stamps were read as %d.%m.%Y %H:%M:%S, with 34 dates alone as midnight, the only form"
    assert any(told.startswith(note) for told in read(map(spelt, HOURS), tmp_path).notes)


@pytest.mark.parametrize(
    "wrong", ["2020-W54", "2021-W53", "2020-W00", "2021-366", "Q5 2020", "30. Feb 2020", "2020M13"]
)
def test_what_no_calendar_has(wrong: str) -> None:
    assert not any(reading.whole for reading in read_every_form([wrong]))


@pytest.mark.parametrize("times", [DAYS, HOURS], ids=["days", "hours"])
@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("form", ["%m/%d/%Y %H:%M", "%Y-%m-%d %H:%M"])
def test_dates_of_which_a_spreadsheet_exchanged_day_and_month(
    times: pd.DatetimeIndex, newest_first: bool, form: str, tmp_path: Path
) -> None:
    turned = form.replace("%m", "%x").replace("%d", "%m").replace("%x", "%d")
    stamps = [time.strftime(turned if time.day <= 12 else form) for time in times]
    for on_unordered in ("error", "sort"):
        with pytest.raises(DataError, match=r"day and month of every date with a day up to 12 are exchanged"):
            read(stamps[::-1] if newest_first else stamps, tmp_path, on_unordered=on_unordered)


def test_a_shuffled_table_is_sorted(tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(len(DAYS))
    prepared = read([f"{DAYS[row]:%Y-%m-%d}" for row in order], tmp_path, on_unordered="sort")
    assert prepared.values[:, 0].tolist() == np.argsort(order).tolist()


@pytest.mark.parametrize(
    ("stamp", "remedy"),
    [
        ("{0} stycznia 2020", "names in English, German, French, Spanish"),
        ("'2020-01-{0:02d}'", "quotation are double"),
        ("2020@01@{0}", "name their form by `date_format`, as in %d"),
    ],
)  # fmt: skip
def test_a_stamp_of_no_known_form(stamp: str, remedy: str, tmp_path: Path) -> None:
    stamps = [stamp.format(day) for day in range(1, 29)]
    with pytest.raises(DataError, match=rf"line 2, column `date`: .* found .*{re.escape(remedy)}"):
        read(stamps, tmp_path)


def test_a_span_of_days_is_its_first_also_with_short_years() -> None:
    days = ["01.02.20 - 05.02.20", "31.12.20 - 04.01.21"]
    assert plain(days) == ["01.02.20", "31.12.20"]
    assert plain(["1.2.20 - 3", "2.2.20 - 4"]) == ["1.2.20 - 3", "2.2.20 - 4"], "the second end is no day"
