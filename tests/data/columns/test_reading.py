"""Columns as what networks read: parts of dates, yes and no, names of categories."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtl.config.table_source import TableSource
from mtl.data.columns.booleans import boolean_column
from mtl.data.columns.categories import category_column
from mtl.data.columns.dates import date_numbers
from mtl.data.formats.table import Table
from mtl.data.formats.tables import read_table
from mtl.errors import DataError


def table(root: Path, *cells: str, **options: Any) -> Table:
    (root / "t.csv").write_text("".join(f"{line}\n" for line in ["c;v", *(f"{cell};1" for cell in cells)]))
    return read_table(TableSource.model_validate({"kind": "table", "path": "t.csv", "separator": ";"} | options), root)


@pytest.mark.parametrize(
    ("cells", "form", "hours"),
    [
        (["2000-01-01", "NA", "2020-02-29"], None, None),
        (["01.01.2000", "", "29.02.2020"], None, None),
        (["01.01.2000", "", "29.02.2020"], "%d.%m.%Y", None),
        (["20000101", "", "20200229"], None, None),
        (["2000-01-01 00:00", "-", "2020-02-29 18:30"], None, [0, np.nan, 18.5]),
    ],
)
def test_a_date_becomes_its_age_and_its_parts(
    tmp_path: Path, cells: list[str], form: str | None, hours: list[float] | None
) -> None:
    numbers = date_numbers(table(tmp_path, *cells), "c", form, [])
    late = 18.5 / 24 if hours is not None else 0
    expected = {
        "c (days)": [0, np.nan, 7364 + late], "c (month)": [1, np.nan, 2], "c (day of the month)": [1, np.nan, 29],
    }  # fmt: skip
    # Both days are Saturdays, so the day of the week tells nothing and is left out.
    expected |= {} if hours is None else {"c (hour)": hours}
    assert list(numbers) == list(expected)
    for name, values in expected.items():
        assert np.allclose(numbers[name], values, rtol=0, atol=1e-12, equal_nan=True)


def test_dates_of_a_zone_are_read_by_its_clock(tmp_path: Path) -> None:
    pd.DataFrame({"c": pd.date_range("2020-06-01 23:30", periods=3, freq="D", tz="Europe/Berlin")}).to_parquet(
        tmp_path / "t.parquet"
    )
    read = read_table(TableSource(kind="table", path="t.parquet"), tmp_path)
    numbers = date_numbers(read, "c", None, [])
    assert numbers["c (day of the month)"].tolist() == [1, 2, 3]
    assert numbers["c (day of the week)"].tolist() == [0, 1, 2], "1 June 2020 was a Monday"


def test_numbers_that_are_no_dates_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 2, column `c`: should be a date such as 2020-12-31, found 1\.5"):
        date_numbers(table(tmp_path, "1.5", "2.5"), "c", None, [])


@pytest.mark.parametrize(
    "cells", [["yes", "No", "NA"], ["T", "f", ""], ["1", "0", "?"], ["1.0", "0", ""], ["true", "FALSE", "-"]]
)
def test_yes_and_no_become_1_and_0(tmp_path: Path, cells: list[str]) -> None:
    assert np.array_equal(boolean_column(table(tmp_path, *cells), "c"), [1, 0, np.nan], equal_nan=True)


def test_another_word_than_yes_and_no_is_refused_with_a_remedy_that_reads_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 4, column `c`: should be yes or no .*`missing: \[perhaps\]`"):
        boolean_column(table(tmp_path, "yes", "no", "perhaps"), "c")
    read = table(tmp_path, "yes", "no", "perhaps", missing=["perhaps"])
    assert np.array_equal(boolean_column(read, "c"), [1, 0, np.nan], equal_nan=True)


def test_categories_keep_their_zeros_and_unify_spellings(tmp_path: Path) -> None:
    codes, names = category_column(table(tmp_path, "01067", "80331", "", "01067"), "c", False, [])
    assert [names[code] if code >= 0 else None for code in codes] == ["01067", "80331", None, "01067"]
    notes: list[str] = []
    codes, names = category_column(table(tmp_path, "Rom", "rom ", "Rom", "?", "None"), "c", False, notes)
    assert [names[code] if code >= 0 else None for code in codes] == ["Rom", "Rom", "Rom", None, "None"]
    assert any("also spelt" in note for note in notes)
    exact, names = category_column(table(tmp_path, "Rom", "rom", "Rom"), "c", True, [])
    assert len(names) == 2 and exact[0] == exact[2] != exact[1]


def test_numbers_that_stand_for_nothing_are_no_category(tmp_path: Path) -> None:
    codes, names = category_column(table(tmp_path, "1", "2", "-9", missing_markers=[-9]), "c", False, [])
    assert [names[code] if code >= 0 else None for code in codes] == ["1", "2", None]


def test_rows_of_a_part_of_a_table_are_the_same_cells(tmp_path: Path) -> None:
    part = table(tmp_path, "a", "b", "c", "b").take(np.array([3, 0]))
    codes, names = category_column(part, "c", False, [])
    assert [names[code] for code in codes] == ["b", "a"]
