"""Notes on a table that is read all the same: names that look alike, labels that inputs tell, blank lines."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtl.config.sources import SeriesSource
from mtl.data.build import read_source
from mtl.data.formats.labels import class_numbers
from mtl.data.inputs.label_hints import label_hints
from mtl.data.sources.columns import no_inputs
from mtl.errors import DataError
from mtl.types import NO_LABEL, Prepared

ROWS = 240
DRAWN = np.random.default_rng(0)
NOISE = DRAWN.normal(size=ROWS)
COIN = DRAWN.integers(0, 2, ROWS)
STAMPS = [f"{day:%Y-%m-%d}" for day in pd.date_range("2020-01-01", periods=ROWS)]


def read(folder: Path, text: str, **options: Any) -> Prepared:
    (folder / "own.csv").write_text(text, encoding="utf-8")
    prepared = read_source("own", SeriesSource(kind="series", path="own.csv", **options), folder)
    assert isinstance(prepared, Prepared)
    return prepared


def told(names: list[str], **options: Any) -> list[str]:
    notes: list[str] = []
    class_numbers(names, "state", notes, **options)
    return notes


@pytest.mark.parametrize(
    ("first", "second"),
    [("True", "1"), ("yes", "y"), ("'on'", "on"), ("50 %", "50%"), ("1,000", "1000"), ("no-load", "no load")],
)
def test_classes_that_may_be_one(first: str, second: str) -> None:
    others = {"True": ["False"], "yes": ["no"]}.get(first, ["else"])
    (note,) = told([first, second, *others] * 3)
    assert f"`{first}` (3 cells) and `{second}` (3 cells) look alike" in note
    assert told([first, second, *others] * 3, exact=True) == []


@pytest.mark.parametrize("pair", [("-1", "1"), ("1.5", "15"), ("a", "b"), ("t", "1")])
def test_classes_that_are_two(pair: tuple[str, str]) -> None:
    assert told([*pair, "else"] * 3) == []


def test_classes_whose_names_stand_for_no_label_at_times() -> None:
    names = ["on", "off", "None", "none", "NULL", "-999"] * 3
    notes = told(names)
    assert "state: 3 cells 'NULL' hold no label." in notes and any("is also spelt" in note for note in notes)
    assert notes[-1] == (
        'state: `none` (6 cells), `-999` (3 cells): a class like the others, unless `missing: ["NULL", "None", "none", '
        '"-999"]` says that it stands for no label.'
    )
    numbers, classes = class_numbers(names, "state", [], missing=["NULL", "-999", "None", "none"])
    assert classes == ["off", "on"] and int((numbers == NO_LABEL).sum()) == 12


@pytest.mark.parametrize(
    ("column", "clause"),
    [
        (np.where(COIN == 1, np.abs(NOISE), -np.abs(NOISE)), "lies on its own side of"),
        (np.array([0, 5, 7, 1])[2 * (np.arange(ROWS) % 2) + COIN], "has values each of which belongs to one class"),
    ],
)
def test_inputs_that_tell_a_label(column: np.ndarray, clause: str) -> None:
    values = np.stack([NOISE, column], axis=1)
    (note,) = label_hints(values, ["noise", "told"], "state", COIN, ())
    assert note.startswith(f"told: {clause}")
    assert list(label_hints(values, ["noise", "told"], "state", COIN, ["told"])) == []
    flipped = np.where(np.arange(ROWS) == 100, 1 - COIN, COIN)
    assert list(label_hints(values, ["noise", "told"], "state", flipped, ())) == []


def test_indicators_of_three_classes() -> None:
    label = np.arange(ROWS) % 3
    values = np.stack([label == 1, NOISE], axis=1).astype(float)
    (note,) = label_hints(values, ["is one", "noise"], "state", label, ())
    assert note.startswith("is one: has one value for each class of the label `state`")


def left_out(cells: Any) -> bool:
    return "v" in no_inputs(pd.DataFrame({"v": cells, "w": NOISE}), ["v", "w"])


def test_row_numbers_of_a_table_from_which_rows_were_taken() -> None:
    counted = np.delete(np.arange(ROWS + 8), [3, 40, 41, 42, 90, 150, 151, 200])
    holes = np.arange(ROWS, dtype=float)
    holes[[5, 77]] = np.nan
    assert left_out(counted) and left_out(counted[::-1]) and left_out(1000 + 10 * counted) and left_out(holes)
    meter = np.cumsum(DRAWN.integers(1, 4, ROWS))
    holes[78] += 0.5
    assert not left_out(meter) and not left_out(holes)


def test_blank_lines_between_rows_are_no_rows(tmp_path: Path) -> None:
    lines = [f"{stamp},{value}\n" for stamp, value in zip(STAMPS, NOISE, strict=True)]
    text = "date,v\n" + "".join(line + " \n" * (row % 100 == 99) for row, line in enumerate(lines))
    prepared = read(tmp_path, text)
    assert prepared.values[:, 0].tolist() == NOISE.tolist()
    assert prepared.notes == ["own.csv: 2 blank lines between its rows are no rows (the first: line 102)."]
    wrong = text.replace(f"{STAMPS[150]},{NOISE[150]}", f"{STAMPS[150]},soon")
    line = wrong[: wrong.index("soon")].count("\n") + 1
    with pytest.raises(DataError, match=rf"line {line}, column `v`: should be a number"):
        read(tmp_path, wrong)
    short = text.replace(f"{STAMPS[150]},{NOISE[150]}", STAMPS[150])
    notes = read(tmp_path, short, on_missing="interpolate").notes
    assert any(f"1 rows have fewer cells than the 2 columns, the first in line {line}:" in note for note in notes)


def test_a_footer_below_a_blank_line(tmp_path: Path) -> None:
    rows = "".join(f"{stamp},{value}\n" for stamp, value in zip(STAMPS, NOISE, strict=True))
    text = f"date,v\n{rows}\nSource: a station\n(c) 2020\n"
    with pytest.raises(DataError, match=rf"line {ROWS + 3}, column `date`: .*`skip_footer: 2`"):
        read(tmp_path, text)
    assert len(read(tmp_path, text, skip_footer=2).values) == ROWS
    unknown = "".join(f"2020-09-{day},\n" for day in range(10, 13))
    assert len(read(tmp_path, f"date,v\n{rows}{unknown}", on_missing="interpolate").values) == ROWS + 3


def test_true_and_false_are_numbers(tmp_path: Path) -> None:
    cells = ["TRUE" if one else "false" for one in COIN]
    rows = "".join(f"{stamp},{cell},{one}\n" for stamp, cell, one in zip(STAMPS, cells, NOISE, strict=True))
    prepared = read(tmp_path, "date,open,v\n" + rows)
    assert prepared.values[:, 0].tolist() == COIN.tolist()
    assert "open: true and false are read as 1 and 0." in prepared.notes


def test_series_whose_names_differ_in_letter_case_alone(tmp_path: Path) -> None:
    rows = "".join(f"{stamp},{store},{value}\n" for store in ("a", "A ", "b") for stamp, value in zip(STAMPS, NOISE,
                   strict=True))  # fmt: skip
    prepared = read(tmp_path, "date,store,v\n" + rows, id="store")
    assert prepared.segment_names == ["a", "A", "b"]
    (note,) = prepared.notes
    assert note == "store: 'a' and 'A' are series of their own; if they are one, write them alike in the file."


def long(times: list[str], columns: dict[str, list[Any]]) -> str:
    """A table with a row for each time and each entry of the columns."""
    names = list(columns)
    rows = [
        f"{time},{','.join(map(str, entry))},{DRAWN.normal():.3f}\n"
        for time in times
        for entry in zip(*columns.values(), strict=True)
    ]
    return f"date,{','.join(names)},v\n" + "".join(rows)


EIGHT = [(a, b, c) for a in "xy" for b in "pq" for c in "mn"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (long(STAMPS[:60], {"HE": list(range(1, 25))}), r"counts within it: .*`date: \[date, HE\]` .*`id: HE`"),
        (long(STAMPS[:60], {"period": list(range(1, 49))}), r"a column with the whole time, .*; .*`id: period`"),
        (
            long([str(year) for year in range(1960, 2020)], {"month": list(range(1, 13))}),
            r"`date: \[date, month\]` joins",
        ),
        (long(STAMPS[:60], {"parameter": ["no2", "o3"]}), r"`id: parameter` .* names quantities .* a column for each"),
        (
            long(STAMPS[:60], {name: [key[n] for key in EIGHT] for n, name in enumerate("abc")}),
            r"`a` and `b` and `c`: `id: \[a, b, c\]`",
        ),
    ],
)
def test_what_tells_the_rows_of_a_stamp_apart(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("head", "cells", "setting"),
    [
        ("Year,Month,Day", "{0:%Y},{0:%m},{0:%d}", "`date: [Year, Month, Day]`"),
        ("Datum,Uhrzeit", "{0:%d.%m.%Y},{0:%H:%M}", "`date: [Datum, Uhrzeit]`"),
        ("when", "{0:%d.%m.%Y}", "`date: when`"),
    ],
)  # fmt: skip
def test_columns_of_dates_under_another_name(head: str, cells: str, setting: str, tmp_path: Path) -> None:
    days = pd.date_range("2020-01-01", periods=ROWS)
    rows = "".join(f"{cells.format(day)},{value}\n" for day, value in zip(days, NOISE, strict=True))
    with pytest.raises(DataError) as message:
        read(tmp_path, f"{head},v\n{rows}")
    assert setting in str(message.value)


def test_control_characters_of_latin_1_are_letters_of_windows(tmp_path: Path) -> None:
    rows = "".join(f"{stamp},{value}\n" for stamp, value in zip(STAMPS, NOISE, strict=True))
    (tmp_path / "own.csv").write_bytes(f"date,Preis \u20ac\n{rows}".encode("cp1252"))
    for encoding, told in (("latin-1", True), ("cp1252", False)):
        source = SeriesSource(kind="series", path="own.csv", encoding=encoding)
        notes = read_source("own", source, tmp_path).notes
        assert any("'date,Preis \u20ac' as cp1252: is `encoding: latin-1` right?" in note for note in notes) == told
    with pytest.raises(DataError, match=r"'date,Preis \u20ac' as cp1252.*; or to another one, such as cp850"):
        read_source("own", SeriesSource(kind="series", path="own.csv"), tmp_path)
