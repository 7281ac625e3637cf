"""`kind: series`: known answers on small tables, and every refusal with its place."""

import gzip
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from pydantic import ValidationError

from mtl.config.sources import FractionBorders, RowBorders, SeriesSource
from mtl.data.build import read_source
from mtl.errors import DataError
from mtl.types import NO_LABEL, Prepared
from tests.helpers.data_files import series_text


def read(folder: Path, text: str | bytes, name: str = "own.csv", **options: Any) -> Prepared:
    data = text.encode() if isinstance(text, str) else text
    (folder / name).write_bytes(gzip.compress(data, mtime=0) if name.endswith(".gz") else data)
    return read_source("own", SeriesSource(kind="series", path=name, **options), folder)


def table(*rows: str, head: str = "date,a,b") -> str:
    """Ten rows; the given ones replace the first."""
    usual = [f"2020-01-01 {n:02d}:00:00,{n},{n * n}" for n in range(10)]
    return "\n".join([head, *rows, *usual[len(rows) :]]) + "\n"


def column(prepared: Prepared, name: str) -> list[float]:
    return prepared.values[:, prepared.columns.index(name)].tolist()


def test_values_labels_and_borders_of_a_small_table(tmp_path: Path) -> None:
    prepared = read(tmp_path, series_text(20), labels=["state"])
    assert prepared.columns == ["load", "temp"]
    assert column(prepared, "load") == list(range(20))
    assert prepared.classes == {"state": ["high", "low"]}
    assert prepared.labels["state"][:5].tolist() == [1, 1, 0, 0, 1]
    # 70 % train and 20 % test, rounded down; validation is the rest.
    assert prepared.borders == (14, 16, 20)
    assert prepared.notes == []


def test_the_same_table_from_csv_gz_and_parquet(tmp_path: Path) -> None:
    text = series_text(20)
    expected = read(tmp_path, text, labels=["state"])
    zipped = read(tmp_path, text, name="own.csv.gz", labels=["state"])
    frame = pd.read_csv(tmp_path / "own.csv", parse_dates=["date"])
    frame.to_parquet(tmp_path / "own.parquet")
    parquet = read_source("own", SeriesSource(kind="series", path="own.parquet", labels=["state"]), tmp_path)
    frame.set_index("date").to_parquet(tmp_path / "indexed.parquet")
    indexed = read_source("own", SeriesSource(kind="series", path="indexed.parquet", labels=["state"]), tmp_path)
    for other in (zipped, parquet, indexed):
        assert other.values.equal(expected.values)
        assert other.labels["state"].equal(expected.labels["state"])
        assert (other.columns, other.classes) == (expected.columns, expected.classes)


def test_numbers_are_read_to_the_last_bit(tmp_path: Path) -> None:
    text = table("2020-01-01 00:00:00,0.1234567890123456789,5.827000141143799")
    assert read(tmp_path, text).values[0].tolist() == [0.1234567890123456789, 5.827000141143799]


def test_separator_values_and_no_date(tmp_path: Path) -> None:
    text = "x;y;note\n" + "".join(f"{n};{-n};hello\n" for n in range(10))
    prepared = read(tmp_path, text, separator=";", date=None, values=["y"])
    assert prepared.columns == ["y"]
    assert column(prepared, "y") == [-n for n in range(10)]


def test_row_borders_leave_later_rows_unused(tmp_path: Path) -> None:
    prepared = read(tmp_path, table(), borders=RowBorders(train=4, val=6, test=8))
    assert (prepared.borders, prepared.rows) == ((4, 6, 8), 10)


@pytest.mark.parametrize(("rows", "borders"), [(52696, (36887, 42157, 52696)), (10, (7, 8, 10)), (11, (7, 9, 11))])
def test_fractions_round_as_the_benchmarks_do(rows: int, borders: tuple[int, int, int], tmp_path: Path) -> None:
    text = "a\n" + "\n".join(str(n) for n in range(rows)) + "\n"
    assert read(tmp_path, text, date=None, borders=FractionBorders(train=0.7, test=0.2)).borders == borders


def test_units_from_names_and_from_the_config(tmp_path: Path) -> None:
    head = "date,T (degC),\xb5 (W/m\xb2)"
    prepared = read(tmp_path, table(head=head).encode("latin-1"), encoding="latin-1", units={"T (degC)": "°C"})
    assert prepared.units == {"T (degC)": "°C", "µ (W/m²)": "W/m²"}


def test_markers_become_missing_and_are_interpolated(tmp_path: Path) -> None:
    text = table(
        "2020-01-01 00:00:00,1,0", "2020-01-01 01:00:00,-9999,1", "2020-01-01 02:00:00,,4", "2020-01-01 03:00:00,4,9"
    )
    prepared = read(tmp_path, text, missing_markers=[-9999], on_missing="interpolate")
    assert column(prepared, "a")[:4] == [1.0, 2.0, 3.0, 4.0]
    (note,) = prepared.notes
    assert note.startswith(
        "a: 2 missing values are interpolated between the rows around them, as inputs alone (train 2"
    )


def test_ffill_repeats_the_last_known_value_and_looks_at_nothing_later(tmp_path: Path) -> None:
    text = table("2020-01-01 00:00:00,1,0", "2020-01-01 01:00:00,,1", "2020-01-01 02:00:00,nan,4")
    assert column(read(tmp_path, text, on_missing="ffill"), "a")[:4] == [1.0, 1.0, 1.0, 3.0]
    first = read(tmp_path, table("2020-01-01 00:00:00,,0"), on_missing="ffill")
    assert math.isnan(column(first, "a")[0]) and "not filled; windows that read them are left out" in first.notes[0]


def test_kept_markers_stay_numbers(tmp_path: Path) -> None:
    text = table("2020-01-01 00:00:00,-9999,0")
    prepared = read(tmp_path, text, missing_markers=[-9999], on_missing="keep_markers")
    assert column(prepared, "a")[0] == -9999
    assert prepared.notes == ["a: 1 missing markers are left in as numbers."]
    with pytest.raises(DataError, match=r"line 3, column `a`: the value is missing"):
        read(tmp_path, table(text.splitlines()[1], "2020-01-01 01:00:00,,1"), on_missing="keep_markers")


TWICE = ["2020-01-01 00:00:00,1,0", "2020-01-01 00:00:00,5,4", "2020-01-01 02:00:00,2,4"]


@pytest.mark.parametrize(
    ("policy", "first", "rows"), [("first", [1, 0], 9), ("last", [5, 4], 9), ("mean", [3, 2], 9), ("keep", [1, 0], 10)]
)
def test_duplicate_stamps(policy: str, first: list[float], rows: int, tmp_path: Path) -> None:
    prepared = read(tmp_path, table(*TWICE), on_duplicate=policy)
    assert prepared.values[0].tolist() == first
    assert prepared.rows == rows
    assert "1 rows repeat a time stamp" in prepared.notes[0]


def test_mean_of_duplicates_skips_missing_cells_and_refuses_kept_markers(tmp_path: Path) -> None:
    rows = ["2020-01-01 00:00:00,-1,0", "2020-01-01 00:00:00,5,4"]
    prepared = read(tmp_path, table(*rows), on_duplicate="mean", missing_markers=[-1], on_missing="interpolate")
    assert prepared.values[0].tolist() == [5, 2]
    with pytest.raises(DataError, match="would average missing markers"):
        read(tmp_path, table(*rows), on_duplicate="mean", missing_markers=[-1], on_missing="keep_markers")


def test_sorting_carries_labels_along(tmp_path: Path) -> None:
    lines = series_text(20).splitlines()
    shuffled = [lines[0], *(lines[1 + i] for i in np.random.default_rng(0).permutation(20))]
    expected = read(tmp_path, series_text(20), labels=["state"])
    prepared = read(tmp_path, "\n".join(shuffled), labels=["state"], on_unordered="sort")
    assert prepared.values.equal(expected.values)
    assert prepared.labels["state"].equal(expected.labels["state"])


@pytest.mark.parametrize(("policy", "columns"), [("keep", ["a", "b"]), ("drop", ["b"])])
def test_constant_columns(policy: str, columns: list[str], tmp_path: Path) -> None:
    text = "a,b\n" + "".join(f"{7 if n < 8 else n},{n}\n" for n in range(10))
    prepared = read(tmp_path, text, date=None, on_constant=policy)
    assert prepared.columns == columns
    assert "a: constant in train" in prepared.notes[0]


def test_labels_may_be_missing_numeric_or_called_none(tmp_path: Path) -> None:
    text = "x,n,s\n" + "".join(f"{n},{['10', '9', ''][n % 3]},{['None', 'on', 'NaN'][n % 3]}\n" for n in range(12))
    prepared = read(tmp_path, text, date=None, labels=["n", "s"])
    assert prepared.classes == {"n": ["9", "10"], "s": ["None", "on"]}
    assert prepared.labels["n"][:3].tolist() == [1, 0, NO_LABEL]
    assert prepared.labels["s"][:3].tolist() == [0, 1, NO_LABEL]


def test_labels_with_gaps_from_parquet_are_whole_numbers(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": np.arange(12.0), "n": [1.0, 0.0, np.nan] * 4})
    frame.to_parquet(tmp_path / "own.parquet")
    source = SeriesSource(kind="series", path="own.parquet", date=None, labels=["n"])
    assert read_source("own", source, tmp_path).classes == {"n": ["0", "1"]}


@pytest.mark.parametrize("stamps", [[f"{n}" for n in range(10)], [f"{1 + n:02d}.02.2020" for n in range(10)]])
def test_stamps_may_be_numbers_or_follow_a_format(stamps: list[str], tmp_path: Path) -> None:
    text = "date,a\n" + "".join(f"{s},{n}\n" for n, s in enumerate(stamps))
    assert read(tmp_path, text, date_format="%d.%m.%Y" if "." in stamps[0] else None).rows == 10


def test_clock_changes_are_no_step_back(tmp_path: Path) -> None:
    stamps = ["2020-10-25 01:00:00+02:00", "2020-10-25 02:00:00+02:00", "2020-10-25 02:00:00+01:00"]
    stamps += [f"2020-10-25 {n:02d}:00:00+01:00" for n in range(3, 10)]
    assert read(tmp_path, "date,a\n" + "".join(f"{s},{n}\n" for n, s in enumerate(stamps))).notes == []


def test_uneven_steps_are_noted(tmp_path: Path) -> None:
    lines = table().splitlines()
    prepared = read(tmp_path, "\n".join(lines[:4] + lines[5:]))
    assert prepared.notes == [
        "date: 1 of 8 steps differ from the usual 0 days 01:00:00, the longest is 0 days 02:00:00; windows run "
        "across them."
    ]


def test_blank_lines_at_the_end_are_no_rows(tmp_path: Path) -> None:
    assert read(tmp_path, table() + "\n\n").rows == 10


TARGETED = "date,a,rul (h),grade\n" + "".join(
    f"2020-01-01 {n:02d}:00:00,{n * n % 7},{['', 'NaN', '-9999'][n] if n < 3 else n / 2},{n}\n" for n in range(10)
)


def test_targets_are_no_inputs_and_may_be_missing(tmp_path: Path) -> None:
    prepared = read(
        tmp_path, TARGETED, targets=["rul (h)", "grade"], missing_markers=[-9999], units={"grade": "points"}
    )
    assert prepared.columns == ["a"]
    assert list(prepared.numbers) == ["rul (h)", "grade"]
    assert prepared.numbers["rul (h)"][:3].isnan().all()
    assert prepared.numbers["rul (h)"][3:].tolist() == [n / 2 for n in range(3, 10)]
    assert prepared.units == {"rul (h)": "h", "grade": "points"}
    assert prepared.notes == []
    kept = read(tmp_path, TARGETED, targets=["rul (h)"], missing_markers=[-9999], on_missing="keep_markers")
    assert kept.columns == ["a", "grade"] and kept.numbers["rul (h)"][:3].isnan().all()


def test_targets_go_with_their_rows(tmp_path: Path) -> None:
    lines = TARGETED.splitlines()
    shuffled = [lines[0], *(lines[1 + i] for i in np.random.default_rng(0).permutation(10))]
    options: dict[str, Any] = {"targets": ["rul (h)"], "missing_markers": [-9999]}
    expected = read(tmp_path, TARGETED, **options).numbers["rul (h)"].numpy()
    sorted_again = read(tmp_path, "\n".join(shuffled), on_unordered="sort", **options).numbers["rul (h)"].numpy()
    np.testing.assert_array_equal(sorted_again, expected)
    twice = "\n".join([*lines[:5], "2020-01-01 03:00:00,3,2.5,3", *lines[5:]])
    for policy, third in (("first", 1.5), ("last", 2.5), ("mean", 2.0)):
        merged = read(tmp_path, twice, on_duplicate=policy, **options).numbers["rul (h)"]
        assert merged[3:].tolist() == [third, *expected[4:]] and merged[:3].isnan().all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"targets": ["b", "b"]}, r"targets should name each column once, found 'b' more than once"),
        ({"targets": ["b"], "values": ["a", "b"]}, r"nothing else, found 'b', which is in `values` too"),
        ({"targets": ["b"], "labels": ["b"]}, r"nothing else, found 'b', which is in `labels` too"),
        ({"targets": ["date"]}, r"nothing else, found 'date', which is in `date` too"),
    ],
)
def test_a_target_is_nothing_else(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SeriesSource(kind="series", path="own.csv", **options)


BAD: list[tuple[str, dict[str, Any], str]] = [
    (
        table("2020-01-01 00:00:00,one,0"),
        {},
        r"own\.csv, line 2, column `a`: should be a number or an empty cell, found 'one'",
    ),
    (table("2020-01-01 00:00:00,True,0"), {}, r"line 2, column `a`: should be a number or an empty cell, found 'True'"),
    (table("2020-01-01 00:00:00,1,0", "2020-01-01 01:00:00,1,inf"), {}, r"line 3, column `b`: .*finite.*found inf"),
    (table("2020-01-01 00:00:00,1,"), {}, r"line 2, column `b`: the value is missing; `on_missing`"),
    (table("2020-01-01 00:00:00,-1,0"), {"missing_markers": [-1.0]}, r"line 2, column `a`: .*\(a missing marker\)"),
    (table("2020-01-01 00:00:00,1,0", ",1,0"), {}, r"line 3, column `date`: the time stamp is missing: fill it in"),
    (table("2020-01-01 00:00:00,1,0", ",,"), {}, r"line 3, column `date`: .*the row holds nothing, leave it out"),
    (table("2020-01-01 00:00:00,1,0", "soon,1,1"), {}, r"line 3, column `date`: .*found 'soon'"),
    (table("2020-01-01 05:00:00,1,0"), {}, r"line 3, column `date`: 2020-01-01 01:00:00 is before.*`on_unordered`"),
    (table(*TWICE), {}, r"line 3, column `date`: 2020-01-01 00:00:00 is there twice; `on_duplicate`"),
    (table("2020-01-01 00:00:00,1,0,9"), {}, r"own\.csv, line 2: should have 3 cells as the header has, found 4"),
    ("a,b\n" + "1,2,3\n" * 9, {"date": None}, r"own\.csv, line 2: should have 2 cells"),
    ("x,y\n" + "".join(f"7,{n}\n" for n in range(10)), {"date": None}, r"line 2, column `x` to line 8: .*constant"),
    (table(head="date,a,a"), {}, r"line 1: column `a` is there more than once"),
    (table(head="when,a,b"), {}, r"no column `date`; found: when, a, b. `date` .* or be null"),
    (table(), {"values": ["c"]}, r"there is no column `c`"),
    (table(), {"labels": ["c"]}, r"there is no column `c`"),
    (table(), {"targets": ["c"]}, r"there is no column `c`"),
    (
        table("2020-01-01 00:00:00,1,tall"),
        {"targets": ["b"]},
        r"`b`: should be a number or an empty cell, found 'tall': empty the cell, or name the column in `labels`",
    ),
    (
        table("2020-01-01 00:00:00,1,-inf"),
        {"targets": ["b"]},
        r"line 2, column `b`: should be a finite number, found -inf",
    ),
    (
        table(*(f"2020-01-01 {n:02d}:00:00,{n},3" for n in range(10))),
        {"targets": ["b"]},
        r"own\.csv: target `b`: the training part should have at least two different values, found 7, all 3: "
        "choose other `borders`, or leave the target out",
    ),
    (
        table(*(f"2020-01-01 {n:02d}:00:00,{n},{n * n % 5 if n < 7 else ''}" for n in range(10))),
        {"targets": ["b"]},
        r"own\.csv: target `b`: the validation part should have a row with a value, found none: choose other `borders`",
    ),
    (table(), {"targets": ["a", "b"]}, r"should have value columns beside date, labels and targets, found none"),
    (table(), {"units": {"c": "m"}}, r"`units` names no column of the file: 'c'"),
    (table(), {"borders": RowBorders(train=4, val=6, test=11)}, r"`borders.test` should be at most its 10 rows"),
    ("date,a\n2020-01-01,1\n2020-01-02,2\n", {}, r"too few rows: 2 cannot be cut"),
    ("date,a\n", {}, r"there are no rows"),
    ("", {}, r"own\.csv is empty"),
    ("date\n2020-01-01\n", {}, r"should have value columns beside date, labels and targets, found none"),
    (table(), {"encoding": "klingon"}, r"`encoding` should be one that Python knows, found 'klingon'"),
]


@pytest.mark.parametrize(("text", "options", "message"), BAD)
def test_refusals_name_the_place(text: str, options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, text, **options)


def test_wrong_encoding_names_the_line(tmp_path: Path) -> None:
    text = table("2020-01-01 00:00:00,1,0").encode() + b"2020-01-02 00:00:00,\xb0,1\n"
    with pytest.raises(DataError, match=r"own\.csv, line 12: is not utf-8 .*latin-1"):
        read(tmp_path, text)


def test_a_class_missing_from_train_is_refused(tmp_path: Path) -> None:
    text = "x,y\n" + "".join(f"{n},{'late' if n > 7 else 'early' if n % 2 else 'other'}\n" for n in range(10))
    with pytest.raises(DataError, match=r"label `y`: class `late` is missing from the training part"):
        read(tmp_path, text, date=None, labels=["y"])
    numbers = "x,y\n" + "".join(f"{n % 7},{n / 8}\n" for n in range(50))
    with pytest.raises(
        DataError, match=r"label `y` has 50 classes in 50 rows.* a number to predict belongs in `targets`"
    ):
        read(tmp_path, numbers, date=None, labels=["y"])


def test_missing_and_unknown_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.csv is missing"):
        read_source("own", SeriesSource(kind="series", path="gone.csv"), tmp_path)
    with pytest.raises(DataError, match=r"should end in \.csv"):
        read(tmp_path, table(), name="own.xls")
    with pytest.raises(DataError, match="not a Parquet file"):
        read(tmp_path, b"nonsense", name="own.parquet")


@pytest.mark.parametrize("marker", [-999.9, -9999.0, 1e20, 9.969209968386869e36])
def test_a_marker_of_missing_values_is_asked_about_until_it_is_named(marker: float, tmp_path: Path) -> None:
    numbers = [marker if n in (3, 30) else 99 if n == 8 else n % 7 + n / 8 for n in range(40)]
    text = "a,b\n" + "".join(f"{number!r},{99 - n * 3 % 50}\n" for n, number in enumerate(numbers))
    place = r"own\.csv, line 5, column `a`: .* is there 2 times, far from all others \(0 to 99\)"
    with pytest.raises(DataError, match=place) as told:
        read(tmp_path, text, date=None)
    named = yaml.safe_load(re.findall("`(missing_markers.*?)`", str(told.value))[0])
    assert named == {"missing_markers": [marker]}
    prepared = read(tmp_path, text, date=None, on_missing="ffill", **named)
    assert column(prepared, "a")[3] == numbers[2] and not any("far from" in note for note in prepared.notes)
    kept = read(tmp_path, text, date=None, on_missing="keep_markers", **named)
    assert column(kept, "a")[3] == marker and not any("far from" in note for note in kept.notes)


@pytest.mark.parametrize(("marker", "times"), [(-999.0, 1), (9999.0, 2), (32767.0, 2), (-32768.0, 3)])
def test_a_number_that_may_be_a_marker_is_told(marker: float, times: int, tmp_path: Path) -> None:
    numbers = [marker if n < times else n % 7 + n / 8 for n in range(40)]
    text = "a,b\n" + "".join(f"{number},{99 - n * 3 % 50}\n" for n, number in enumerate(numbers))
    (told,) = [note for note in read(tmp_path, text, date=None).notes if "missing_markers" in note]
    assert f"`missing_markers: [{marker:.0f}]`" in told
