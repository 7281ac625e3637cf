"""Tables of several files, and rows that stand in the order of time."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from mtl.config.table_source import TableSource
from mtl.data.sources.table import read
from mtl.errors import DataError


def rows(first: int, count: int, names: str = "x,y") -> str:
    return names + "\n" + "".join(f"{number}.5,{number * number}\n" for number in range(first, first + count))


def source(**settings: object) -> TableSource:
    return TableSource.model_validate({"kind": "table", "path": "red.csv"} | settings)


def test_rows_of_more_files_follow_and_a_column_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "red.csv").write_text(rows(0, 30))
    (tmp_path / "white.csv").write_text(rows(30, 20))
    (tmp_path / "amber.csv").write_text(rows(50, 10))
    data = read(source(also=["white.csv", "amber.csv"], file_column="file"), "wine", tmp_path)
    assert data.columns == ["x", "y"]
    assert data.values[:, 0].tolist() == [number + 0.5 for number in range(60)]
    names = data.vocabularies["file"]
    assert data.category_columns == ["file"]
    assert data.categories is not None
    assert [names[code] for code in data.categories[:, 0].tolist()] == ["red"] * 30 + ["white"] * 20 + ["amber"] * 10
    assert read(source(also=["white.csv"]), "wine", tmp_path).category_columns == []


def test_a_message_names_the_file_of_a_row(tmp_path: Path) -> None:
    (tmp_path / "red.csv").write_text(rows(0, 30))
    (tmp_path / "white.csv").write_text(rows(30, 20) + "12,a lot\n")
    (tmp_path / "amber.csv").write_text(rows(50, 10))
    with pytest.raises(DataError, match=r"white\.csv, line 22, column `y`"):
        read(source(also=["white.csv", "amber.csv"], types={"y": "number"}), "wine", tmp_path)


def test_files_of_other_columns_and_a_name_that_is_taken_are_refused(tmp_path: Path) -> None:
    (tmp_path / "red.csv").write_text(rows(0, 30))
    (tmp_path / "white.csv").write_text(rows(30, 20, "x,z"))
    with pytest.raises(DataError, match=r"white\.csv: should have the columns of red\.csv, found no `y`"):
        read(source(also=["white.csv"]), "wine", tmp_path)
    (tmp_path / "white.csv").write_text(rows(30, 20))
    with pytest.raises(DataError, match=r"has a column `y`: let `file_column` be another name"):
        read(source(also=["white.csv"], file_column="y"), "wine", tmp_path)
    with pytest.raises(ValidationError, match="name each file once"):
        source(also=["red.csv"])
    with pytest.raises(ValidationError, match="file_column should be left out"):
        source(file_column="file")


def test_the_last_rows_are_the_test_part_where_rows_stand_in_the_order_of_time(tmp_path: Path) -> None:
    (tmp_path / "red.csv").write_text(rows(0, 30))
    data = read(source(split={"kind": "time", "test": 7}, folds=2), "flow", tmp_path)
    assert data.fold.tolist() == [0] * 11 + [1] * 12 + [-1] * 7
    assert data.columns == ["x", "y"]
    shared = read(source(split={"kind": "time", "test": 0.2}, folds=2), "flow", tmp_path)
    assert shared.fold.tolist() == [0] * 12 + [1] * 12 + [-1] * 6
    with pytest.raises(DataError, match=r"30 different times, too few .* with 30 test rows"):
        read(source(split={"kind": "time", "test": 30}), "flow", tmp_path)
