"""`time_zone`: an hour that clocks repeat, told apart by the order of the rows, and one that they leave out."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from mtl.config.sources import SeriesSource
from mtl.data.build import read_source
from mtl.errors import DataError
from mtl.types import Prepared
from tests.data.test_time_stamps import read, rows

AUTUMN = {"Europe/Berlin": "2020-10-24", "America/New_York": "2020-10-31", "Australia/Sydney": "2020-04-04"}
"""Place → the day before its clock repeats an hour."""


def clock(zone: str, step: str, first: str | None = None, count: int = 400) -> pd.DatetimeIndex:
    """The clock at a place, every `step`, from before its change on."""
    start = pd.Timestamp(first or AUTUMN[zone], tz=zone)
    return pd.date_range(start, periods=count, freq=step).tz_localize(None)


def said(stamps: Iterable[object], folder: Path, **options: Any) -> str:
    with pytest.raises(DataError) as told:
        read(stamps, folder, **options)
    return str(told.value)


@pytest.mark.parametrize("zone", AUTUMN)
@pytest.mark.parametrize("step", ["h", "30min", "10min", "7min"])
@pytest.mark.parametrize("newest_first", [False, True])
def test_both_passes_keep_their_order(zone: str, step: str, newest_first: bool, tmp_path: Path) -> None:
    stamps = clock(zone, step)[::-1] if newest_first else clock(zone, step)
    written = stamps.strftime("%Y-%m-%d %H:%M")
    prepared = read(written, tmp_path, time_zone=zone, on_unordered="sort" if newest_first else "error")
    assert rows(prepared) == list(range(400))[:: -1 if newest_first else 1]
    assert not any("differ from the usual" in note or "there once" in note for note in prepared.notes)
    # Without a time zone nothing is said that would mix the passes.
    for policy in ("error", "sort") if not newest_first else ("sort",):
        message = said(written, tmp_path, on_unordered=policy)
        assert "`time_zone` should name the place of the clock, for example" in message
        assert "on_duplicate" not in message and "on_unordered" not in message


def test_every_place_that_the_messages_know_repeats_an_hour() -> None:
    from mtl.data.timeline.stamps import Stamps
    from mtl.data.timeline.zones import REPRESENTATIVE, place_that_repeats

    for zone in REPRESENTATIVE:
        local = pd.date_range("2000-01-01", "2025-01-01", freq="30min", tz="UTC").tz_convert(zone).tz_localize(None)
        twice = local[local.duplicated()].as_unit("us")
        assert len(twice) > 0
        stamps = Stamps(twice.asi8[-1:], "us", local=True)
        assert place_that_repeats(stamps, np.array([0]))[0] is not None


def test_series_of_a_long_table_pass_the_hour_each(tmp_path: Path) -> None:
    local = clock("Europe/Berlin", "30min", count=300).strftime("%d.%m.%Y %H:%M")
    parts = [pd.DataFrame({"date": local, "store": store, "row": float(n)}) for n, store in enumerate("ab")]
    for number, part in enumerate(parts):
        part["row"] += 1000 * number + np.arange(300)
    below = pd.concat(parts, ignore_index=True)
    in_turn = below.iloc[np.arange(600).reshape(2, 300).T.reshape(-1)].reset_index(drop=True)
    for frame in (below, in_turn):
        frame.to_csv(tmp_path / "long.csv", index=False)
        source = {"kind": "series", "path": "long.csv", "id": "store", "values": ["row"]}
        with pytest.raises(DataError, match="`time_zone` should name the place"):
            read_source("own", SeriesSource.model_validate(source), tmp_path)
        prepared = read_source("own", SeriesSource.model_validate(source | {"time_zone": "Europe/Berlin"}), tmp_path)
        assert isinstance(prepared, Prepared)
        assert rows(prepared) == [number + row for number in (0, 1001) for row in range(300)]
        assert not any("differ" in note for note in prepared.notes)


def test_an_hour_that_clocks_leave_out_is_refused_with_its_line(tmp_path: Path) -> None:
    stamps = pd.date_range("2020-03-28", periods=100, freq="h").strftime("%Y-%m-%d %H:%M")
    message = said(stamps, tmp_path, time_zone="Europe/Berlin")
    assert message.startswith("own.csv, line 28, column `date`: 2020-03-29 02:00:00 is a time that clocks leave out")
    assert rows(read(stamps, tmp_path)) == list(range(100))
    assert rows(read(clock("Europe/Berlin", "h", "2020-03-28"), tmp_path, time_zone="Europe/Berlin"))


def test_another_place_than_the_stamps_show(tmp_path: Path) -> None:
    stamps = clock("Europe/Berlin", "h")
    message = said(stamps, tmp_path, time_zone="America/New_York")
    assert "in Europe/Berlin, but not in America/New_York: `time_zone` should name" in message


def test_rows_whose_order_does_not_tell_the_passes(tmp_path: Path) -> None:
    stamps = clock("Europe/Berlin", "15min")
    shuffled = stamps[np.random.default_rng(0).permutation(400)]
    for written in (shuffled, stamps.sort_values()):
        message = said(written, tmp_path, time_zone="Europe/Berlin", on_unordered="sort")
        assert "do not stand pass after pass" in message and "offset" in message


def test_an_hour_that_is_there_once_is_said(tmp_path: Path) -> None:
    stamps = clock("Europe/Berlin", "h").drop_duplicates()
    prepared = read(stamps, tmp_path, time_zone="Europe/Berlin")
    assert "1 of the hours that clocks repeat in Europe/Berlin are there once" in prepared.notes[0]


def test_other_duplicates_keep_their_remedy(tmp_path: Path) -> None:
    stamps = list(pd.date_range("2020-10-20", periods=300, freq="h").strftime("%Y-%m-%d %H:%M"))
    assert "`on_duplicate` may be" in said([*stamps[:9], stamps[8], *stamps[9:]], tmp_path)
    assert "`on_unordered` may be" in said([*stamps[:9], stamps[2], *stamps[9:]], tmp_path)


def test_a_place_is_known_and_has_stamps() -> None:
    with pytest.raises(ValidationError, match="IANA database, such as Europe/Berlin; found 'Berlin'"):
        SeriesSource(kind="series", path="own.csv", time_zone="Berlin")
    with pytest.raises(ValidationError, match="time_zone is for time stamps"):
        SeriesSource(kind="series", path="own.csv", time_zone="Europe/Berlin", date=None)
