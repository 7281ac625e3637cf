"""Names of columns in two lines: what is told of them reads every number under its own name."""

from pathlib import Path

import numpy as np
import openpyxl
import pytest

from mtl.config.table_source import TableSource
from mtl.data.columns.inspection import inspect_file
from mtl.data.formats.tables import read_table
from mtl.errors import LayoutError, OptionValue

NUMBERS = np.random.default_rng(0).uniform(1, 9, (20, 3)).round(3)
TOWNS = ["Ulm", "Jena"] * 10
HEADERS: dict[str, tuple[list[list[str]], dict[str, OptionValue], list[str]]] = {
    "groups": ([["flat", "flat", "flat", "sale"], ["size", "age", "town", "price"]], {"skip_rows": 1},
               ["size", "age", "town", "price"]),
    "groups named once": ([["flat", "", "", "sale"], ["size", "age", "town", "price"]], {"skip_rows": 1},
                          ["size", "age", "town", "price"]),
    "the same names in each group": (
        [["old", "old", "old", "new"], ["size", "age", "town", "size"]],
        {"skip_rows": 2, "columns": ["old size", "old age", "old town", "new size"]},
        ["old size", "old age", "old town", "new size"],
    ),
    "units below a name that comes again": (
        [["size", "size", "town", "price"], ["feet", "metres", "name", "EUR"]],
        {"skip_rows": 2, "columns": ["size feet", "size metres", "town name", "price EUR"]},
        ["size feet", "size metres", "town name", "price EUR"],
    ),
    "names and units that are no others": (
        [["size", "size", "town", "price"], ["m", "m", "name", "EUR"]],
        {"skip_rows": 2, "columns": ["size m", "size m_2", "town name", "price EUR"]},
        ["size m", "size m_2", "town name", "price EUR"],
    ),
    "a title": ([["flats", "", "", ""], ["size", "age", "town", "price"]], {"skip_rows": 1},
                ["size", "age", "town", "price"]),
}  # fmt: skip


def lines(header: list[list[str]]) -> list[list[object]]:
    rows = [[row[0], row[1], town, row[2]] for row, town in zip(NUMBERS.tolist(), TOWNS, strict=True)]
    return [*header, *rows]


def write(path: Path, rows: list[list[object]]) -> None:
    if path.suffix == ".csv":
        path.write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
        return
    book = openpyxl.Workbook()
    for row in rows:
        book.worksheets[0].append([None if cell == "" else cell for cell in row])
    book.save(path)


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
@pytest.mark.parametrize("name", HEADERS)
def test_each_number_gets_its_name(name: str, ending: str, tmp_path: Path) -> None:
    header, options, names = HEADERS[name]
    path = tmp_path / f"t.{ending}"
    write(path, lines(header))
    with pytest.raises(LayoutError) as refused:
        read_table(TableSource(kind="table", path=path.name), tmp_path)
    assert refused.value.options == options
    assert all(f"`{option}: " in str(refused.value) for option in options)
    seen = inspect_file(path, {})
    assert seen.options == options
    assert list(seen.table.frame.columns) == names
    read = seen.table.frame[[names[0], names[1], names[3]]].to_numpy(dtype=float)
    assert np.array_equal(read, NUMBERS)
    assert [fact.kind for fact in seen.facts] == ["number", "number", "category", "number"]
    assert list(seen.table.frame[names[2]]) == TOWNS


@pytest.mark.parametrize("first", ["NA", "3"])
def test_a_row_of_data_names_no_columns(first: str, tmp_path: Path) -> None:
    write(tmp_path / "t.csv", lines([["size", "size", "town", "price"], [first, "NA", "Ulm", "4.5"]]))
    with pytest.raises(LayoutError, match="rename one, or set `skip_rows: 1`") as refused:
        read_table(TableSource(kind="table", path="t.csv"), tmp_path)
    assert refused.value.options == {"skip_rows": 1, "columns": ["size", "size_2", "town", "price"]}
