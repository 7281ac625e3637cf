"""Workbooks and Feather files: what comes back, and one message on what cannot be read."""

import builtins
import datetime
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from openpyxl import Workbook

from mtl.config.sources import SeriesSource
from mtl.config.table_source import TableSource
from mtl.data.build import read_source
from mtl.data.columns.infer import column_facts
from mtl.data.formats.table import Table
from mtl.data.formats.tables import read_table
from mtl.errors import DataError

DAY = datetime.datetime(2020, 12, 31)
ROWS: list[list[Any]] = [
    ["x", "kind", "when", "flag"], [1.5, "a", DAY, True], [2, "b", DAY, False], [None, " ", None, None],
]  # fmt: skip


def write(root: Path, sheets: dict[str, list[list[Any]]], name: str = "t.xlsx") -> Workbook:
    book = Workbook()
    assert book.active is not None
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(root / name)
    return book


def read(root: Path, name: str = "t.xlsx", **options: Any) -> Table:
    return read_table(TableSource.model_validate({"kind": "table", "path": name} | options), root)


def test_cells_of_every_type_come_back(tmp_path: Path) -> None:
    write(tmp_path, {"Data": [*ROWS, ROWS[1]], "Empty": []})
    table = read(tmp_path)
    frame = table.frame
    assert np.array_equal(frame["x"], [1.5, 2, np.nan, 1.5], equal_nan=True)
    assert frame["kind"].tolist() == ["a", "b", None, "a"]
    assert frame["when"].tolist() == [DAY, DAY, pd.NaT, DAY]
    assert frame["flag"].tolist() == [True, False, pd.NA, True]
    assert (table.at(3, "x"), table.unit) == ("t.xlsx, row 5, column `x`", "row")
    assert [facts.kind for facts in column_facts(table)] == ["number", "category", "date", "boolean"]


def test_one_of_several_sheets_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"Notes": [["read me"]], "2020": ROWS})
    with pytest.raises(DataError, match=r"several sheets hold cells \('Notes', '2020'\): set `sheet: Notes`"):
        read(tmp_path)
    with pytest.raises(DataError, match="there is no sheet 'data'; found: 'Notes', '2020'"):
        read(tmp_path, sheet="data")
    assert list(read(tmp_path, sheet="2020").frame.columns) == ROWS[0]


def test_a_hidden_sheet_is_left_out_and_told(tmp_path: Path) -> None:
    book = write(tmp_path, {"Data": ROWS, "Old": ROWS})
    book["Old"].sheet_state = "hidden"
    book["Data"].row_dimensions[3].hidden = True
    book.save(tmp_path / "t.xlsx")
    table = read(tmp_path)
    assert len(table.frame) == 2
    assert any("hidden sheets were not read: 'Old'" in note for note in table.notes)
    assert any("1 rows that the sheet hides" in note for note in table.notes)


def test_titles_units_and_footers_are_asked_about(tmp_path: Path) -> None:
    rows = [["Sales of 2020"], [], ["x", "y", "z"], ["kg", "m", "s"], [1, 2, 5], [3, 4, 6], ["sum", None, None]]
    write(tmp_path, {"Data": rows})
    with pytest.raises(DataError, match=r"row 1: should name the 3 columns, found one cell.*`skip_rows: 2`"):
        read(tmp_path)
    with pytest.raises(DataError, match=r"row 4: should be a row of data, found 'kg, m, s'.*`units_row: true`"):
        read(tmp_path, skip_rows=2)
    table = read(tmp_path, skip_rows=2, units_row=True, skip_footer=1)
    assert table.frame.to_numpy().tolist() == [[1, 2, 5], [3, 4, 6]]
    assert table.units == {"x": "kg", "y": "m", "z": "s"} and table.lines[1] == 6
    table = read(tmp_path, skip_rows=4, columns=["a", "b", "c"], skip_footer=1)
    assert table.frame.to_numpy().tolist() == [[1, 2, 5], [3, 4, 6]]


@pytest.mark.parametrize(
    ("merged", "told"),
    [
        ("A1:D1", r"row 1: cells A1:D1 are merged: if they are a title .*`skip_rows: 1`"),
        ("B3:B4", r"row 3: cells B3:B4 are merged: split them, and write the value into each"),
    ],
)
def test_merged_cells_are_refused(tmp_path: Path, merged: str, told: str) -> None:
    book = write(tmp_path, {"Data": ROWS})
    book["Data"].merge_cells(merged)
    book.save(tmp_path / "t.xlsx")
    with pytest.raises(DataError, match=told):
        read(tmp_path)


def test_a_merged_title_that_is_skipped_is_fine(tmp_path: Path) -> None:
    book = write(tmp_path, {"Data": [["Title"], *ROWS]})
    book["Data"].merge_cells("A1:D1")
    book.save(tmp_path / "t.xlsx")
    assert list(read(tmp_path, skip_rows=1).frame.columns) == ROWS[0]


def test_a_formula_without_its_value_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {"Data": [["x", "y"], [1, 2], [3, "=A2+A3"]]})
    with pytest.raises(DataError, match=r"row 3, column B: should hold the value of its formula '=A2\+A3', found none"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([["x", "x"], [1, 2]], "column `x` is there more than once"),
        ([["x", None, None], [1, 2, 3]], "should name the 3 columns, found one cell"),
        ([["x", "y", None, None], [1, 2, 3, 4]], "should name every column, found none for columns 3 and 4"),
        ([[], ["x"], [1]], "row 1: should name the columns, found a blank row: set `skip_rows: 1`"),
        ([["x", "y"]], "there are no rows below the header"),
        ([[]], "is empty"),
        ([[1.5, 2.5], [3, 4]], r"should name the columns, found data .*`columns: \[c1, c2\]`"),
    ],
)
def test_headers_that_name_no_columns_are_refused(tmp_path: Path, rows: list[list[Any]], told: str) -> None:
    write(tmp_path, {"Data": rows})
    with pytest.raises(DataError, match=told):
        read(tmp_path)


def test_cells_of_mixed_types_are_told_and_excels_errors_are_missing(tmp_path: Path) -> None:
    cells = [*range(30), "unknown", "#DIV/0!"]
    write(tmp_path, {"Data": [["x", "y"], *([cell, number] for number, cell in enumerate(cells))]})
    facts = column_facts(read(tmp_path))[0]
    assert facts.kind == "number" and facts.missing == 1 and facts.options == {"missing": ["unknown"]}
    assert facts.problem is not None and "t.xlsx, row 32, column `x`" in facts.problem
    solved = column_facts(read(tmp_path, missing=["unknown"]))[0]
    assert (solved.kind, solved.problem, solved.missing, solved.high) == ("number", None, 2, 29)


def test_other_files_under_the_name_of_a_workbook_are_refused(tmp_path: Path) -> None:
    for data, told in (
        (b"a,b\n1,2\n", "is not an Excel workbook"), (b"\xd0\xcf\x11\xe0" * 9, "old Excel workbook"),
        (b"PK\x03\x04" * 9, "not a zip file that can be read"),
    ):  # fmt: skip
        (tmp_path / "t.xlsx").write_bytes(data)
        with pytest.raises(DataError, match=told):
            read(tmp_path)
    write(tmp_path, {"Data": ROWS})
    shutil.copy(tmp_path / "t.xlsx", tmp_path / "t.csv")
    with pytest.raises(DataError, match=r"found an Excel workbook \(\.xlsx\): register it under a name that ends in"):
        read(tmp_path, "t.csv")


def test_a_missing_package_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"Data": ROWS})
    whole = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("openpyxl"):
            raise ImportError(name)
        return whole(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DataError, match=r"pip install mtl\[excel\]"):
        read(tmp_path)


def test_feather_files_come_back_as_parquet_files_do(tmp_path: Path) -> None:
    frame = pd.DataFrame({
        "x": [1.5, None, 3], "kind": pd.Categorical(["a", "b", None]), "n": [1, 2, 3], "text": ["u", None, "w"],
        "when": pd.to_datetime(["2020-01-01", "2020-01-02", None]), "yes": [True, False, True],
    })  # fmt: skip
    frame.to_feather(tmp_path / "t.feather")
    frame.to_parquet(tmp_path / "t.parquet")
    feather, parquet = read(tmp_path, "t.feather"), read(tmp_path, "t.parquet")
    pd.testing.assert_frame_equal(feather.frame, parquet.frame)
    assert feather.at(1, "x") == "t.feather, row 2, column `x`"


def test_files_that_are_no_feather_files_are_refused(tmp_path: Path) -> None:
    good = tmp_path / "good.feather"
    pd.DataFrame({"x": range(1000)}).to_feather(good)
    for data, told in (
        (b"FEA1" + bytes(90), "Feather file of the first version"), (b"\x1f\x8b" + bytes(90), "found a gzip file"),
        (b"a,b\n1,2\n", "found text"), (b"PAR1" + bytes(90), "is not a Feather file, found a Parquet file"),
        (good.read_bytes()[:-40], "is not a Feather file that can be read"),
    ):  # fmt: skip
        (tmp_path / "t.feather").write_bytes(data)
        with pytest.raises(DataError, match=told):
            read(tmp_path, "t.feather")


def test_series_are_read_from_every_format(tmp_path: Path) -> None:
    frame = pd.DataFrame({
        "date": pd.date_range("2020-01-01", periods=40, freq="h"), "a": np.sin(np.arange(40)).round(6),
        "b": np.cos(np.arange(40)).round(6) * 2,
    })  # fmt: skip
    frame.to_feather(tmp_path / "t.feather")
    frame.to_excel(tmp_path / "t.xlsx", index=False)
    rows = "".join(f"'{date}',{a!r},{b!r}\n" for date, a, b in frame.itertuples(index=False))
    kinds = "@attribute date date 'yyyy-MM-dd HH:mm:ss'\n@attribute a real\n@attribute b real\n"
    (tmp_path / "t.arff").write_text(f"@relation r\n{kinds}@data\n{rows.replace('np.float64(', '').replace(')', '')}")
    for name in ("t.feather", "t.xlsx", "t.arff"):
        prepared = read_source("own", SeriesSource(kind="series", path=name), tmp_path)
        assert prepared.columns == ["a", "b"]
        assert np.array_equal(prepared.values.numpy(), frame[["a", "b"]].to_numpy())
