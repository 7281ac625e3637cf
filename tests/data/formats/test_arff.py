"""ARFF files: known answers of every type, sparse rows against dense ones, and one message on what is wrong."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st
from scipy.io import arff as oracle

from mtl.config.table_source import TableSource
from mtl.data.formats.table import Table
from mtl.data.formats.tables import read_table
from mtl.errors import DataError
from tests.helpers.cases import few_and_many, for_all, place

WEATHER = """\
% A comment with 'quotes" and a {brace}
@RELATION 'the weather'

@attribute  "'T' in °C"   NUMERIC
@attribute 'wind''s' string
@attribute sky {sunny, 'partly cloudy', "it's grey" , 'rain\\'y'}

@ATTRIBUTE humid INTEGER   % in percent
@attribute day date 'dd.MM.yyyy HH:mm'
@data
% the rows
21.5, 'strong, from \\'NW\\'', sunny, 40, '31.12.2020 23:45'
 -3  ,?,'partly cloudy',?,?  % night, and 'fog'

?,"calm",'it\\'s grey',7e1,"01.01.2021 00:00"
"""


def read(root: Path, text: str | bytes, name: str = "t.arff", **options: object) -> Table:
    data = text.encode() if isinstance(text, str) else text
    (root / name).write_bytes(data)
    return read_table(TableSource.model_validate({"kind": "table", "path": name} | options), root)


def header(*attributes: str) -> str:
    return "@relation r\n" + "".join(f"@attribute {attribute}\n" for attribute in attributes) + "@data\n"


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_every_type_of_column_with_quotes_comments_and_missing_cells(tmp_path: Path, ends: str) -> None:
    text = WEATHER.replace("'wind''s'", "'wind\\'s'")
    table = read(tmp_path, text.replace("\n", ends))
    frame = table.frame
    assert list(frame.columns) == ["'T' in °C", "wind's", "sky", "humid", "day"]
    assert np.array_equal(frame["'T' in °C"], [21.5, -3, np.nan], equal_nan=True)
    assert frame["wind's"].tolist() == ["strong, from 'NW'", None, "calm"]
    assert frame["sky"].tolist() == ["sunny", "partly cloudy", "it's grey"]
    assert list(frame["sky"].cat.categories) == ["sunny", "partly cloudy", "it's grey", "rain'y"]
    assert np.array_equal(frame["humid"], [40, np.nan, 70], equal_nan=True)
    assert frame["day"].tolist() == [pd.Timestamp("2020-12-31 23:45"), pd.NaT, pd.Timestamp("2021-01-01")]
    assert [table.lines[row] for row in range(3)] == [12, 13, 15]


def test_line_ends_that_differ_and_gzip_are_read(tmp_path: Path) -> None:
    text = header("a real", "b real").encode() + b"1,2\r\n3,4\r\n"
    for name, data in (("t.arff", text), ("t.arff.gz", gzip.compress(text))):
        assert read(tmp_path, data, name).frame.to_numpy().tolist() == [[1, 2], [3, 4]]


def test_a_sparse_row_holds_zeros_and_first_values(tmp_path: Path) -> None:
    text = header("a real", "b {no, 'y es', ?}", "c real", "d {x,y}") + "{0 1.5, 1 'y es'}\n{}\n{ 2 ?,3 y }\n"
    frame = read(tmp_path, text).frame
    assert np.array_equal(frame[["a", "c"]], [[1.5, 0], [0, 0], [0, np.nan]], equal_nan=True)
    assert frame["b"].tolist() == ["y es", "no", "no"] and frame["d"].tolist() == ["x", "x", "y"]


def test_weights_in_braces_become_a_column(tmp_path: Path) -> None:
    text = header("a real", "b real") + "1,2,{5}\n3,4\n{1 7}, {0.5}\n"
    table = read(tmp_path, text)
    assert table.frame.to_numpy().tolist() == [[1, 2, 5], [3, 4, 1], [0, 7, 0.5]]
    assert any("`weight: weight`" in note for note in table.notes)


def test_blanks_part_cells_as_in_weka(tmp_path: Path) -> None:
    assert read(tmp_path, header("a real", "b real") + "1 2\n3\t4\n").frame.to_numpy().tolist() == [[1, 2], [3, 4]]


def test_lines_of_keel_are_told(tmp_path: Path) -> None:
    text = "@relation r\n@attribute a real [0.0, 1.0]\n@attribute b {x, y}\n@inputs a\n@outputs b\n@data\n0.5,x\n"
    table = read(tmp_path, text)
    assert table.frame["a"].tolist() == [0.5]
    assert sum("was not read" in note for note in table.notes) == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (header("a real", "b real") + "1,2\n\n1,2,3\n", "line 7: should have 2 cells"),
        (header("a real", "b real") + "1\n", "line 5: should have 2 cells"),
        (header("a real") + "% c\nx\n", "line 5, column `a`: should be a number or ?, found 'x'"),
        (header("a real") + "1_0\n", "line 4, column `a`: should be a number"),
        (header("a {x, y}") + "x\nz\n", "line 5, column `a`: should be one of the values in the header (x, y), found"),
        (header("a date") + "2020-13-01T00:00:00\n", "line 4, column `a`: should be a date in the form %Y-%m-%dT%H"),
        (header("a date 'yyyy-DDD'"), "an unknown field, DDD"),
        (header("a real", "a real") + "1,2\n", "line 3: column `a` is there more than once"),
        (header("a {x, x}") + "x\n", "line 2: should list each value of `a` once"),
        (header("a {x, y") + "x\n", "line 2: should list the values of `a` up to a `}`"),
        (header("a relational") + "x\n", "line 2: `a` should be numeric"),
        ("@relation r\n@attribute a real\n1\n", "line 3: should be `@attribute NAME TYPE`, `@data`"),
        ("@relation r\n@attribute a real\n", "should have a line `@data`"),
        ("a,b\n1,2\n", "line 1: should be `@relation` or `@attribute`"),
        ("@relation r\n@data\n1\n", "line 2: should name columns by `@attribute`"),
        (header("a real", "b real") + "{0 1\n", "line 5: should end a sparse row with `}`"),
        (header("a real", "b real") + "{2 1}\n", "line 5: should name columns from 0 to 1, found 2"),
        (header("a real", "b real") + "{1 1, 1 2}\n", "line 5: should name column 1 once"),
        (header("a real", "b real") + "{x 1}\n", "line 5: should hold the number of a column and its value"),
        (header("a real", "b string") + "{0 1}\n", "line 5, column `b`: a sparse row should hold its string"),
        (header("a string", "b real") + "'x,2\n", "line 5: should end each cell that begins with a quotation mark"),
        (header("a real", "b real") + "1,2,{x}\n", "line 5: should end in the weight"),
        (header("a real"), "there are no rows"),
        ("", "is empty"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(DataError) as error:
        read(tmp_path, text)
    assert told in str(error.value)
    assert str(error.value).startswith("t.arff")


def test_a_text_that_stands_for_a_missing_number_is_named(tmp_path: Path) -> None:
    text = header("a real", "b real") + "1,n.v.\n2,5\n"
    with pytest.raises(DataError, match=r"`missing: \[n\.v\.\]`"):
        read(tmp_path, text)
    assert np.array_equal(read(tmp_path, text, missing=["n.v."]).frame["b"], [np.nan, 5], equal_nan=True)


CELLS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=8)


def check_written(rows: list[tuple[float | None, str, str]]) -> None:
    """Asserts that what is written with every value in quotes is read back."""

    def quoted(text: str) -> str:
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

    values = sorted({value for _, _, value in rows})
    text = header("n numeric", "s string", "v {" + ",".join(map(quoted, values)) + "}") + "".join(
        f"{'?' if number is None else repr(number)},{quoted(word)},{quoted(value)}\n" for number, word, value in rows
    )
    with place() as root:
        frame = read(root, text).frame
    assert [None if np.isnan(number) else number for number in frame["n"]] == [number for number, _, _ in rows]
    assert frame["s"].tolist() == [word for _, word, _ in rows]
    assert frame["v"].tolist() == [value for _, _, value in rows]


@few_and_many(25, 300)
def test_quoted_values_of_any_letters_are_read_back(cases: int) -> None:
    number = st.none() | st.floats(allow_nan=False, allow_infinity=False)
    for_all(st.lists(st.tuples(number, CELLS, CELLS), min_size=1, max_size=6), cases, check_written)


def check_sparse(rows: list[list[int]]) -> None:
    names = [f"c{number} numeric" for number in range(len(rows[0]))]
    dense = header(*names) + "".join(",".join(map(str, row)) + "\n" for row in rows)
    sparse = header(*names) + "".join(
        "{" + ", ".join(f"{number} {cell}" for number, cell in enumerate(row) if cell) + "}\n" for row in rows
    )
    with place() as root:
        assert read(root, dense).frame.equals(read(root, sparse).frame)


@few_and_many(15, 100)
def test_sparse_rows_are_the_dense_ones(cases: int) -> None:
    rows = st.integers(1, 6).flatmap(
        lambda width: st.lists(st.lists(st.integers(-2, 2), min_size=width, max_size=width), min_size=1, max_size=6)
    )
    for_all(rows, cases, check_sparse)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "rows", "columns", "missing"),
    [("atp1d", 337, 417, 0), ("enb", 768, 10, 0), ("jura", 359, 18, 0), ("oes97", 334, 279, 0), ("wq", 1060, 30, 0),
     ("rf1", 9125, 72, 3264), ("scm20d", 8966, 77, 0)],
)  # fmt: skip
def test_public_sets_are_read_as_scipy_reads_them(
    mirror: Path, name: str, rows: int, columns: int, missing: int
) -> None:
    path = mirror / f"{name}.arff"
    if not path.exists():
        pytest.skip(f"{name}.arff is not in the mirror")
    frame = read_table(TableSource(kind="table", path=path.name), mirror).frame
    assert frame.shape == (rows, columns) and int(frame.isna().sum().sum()) == missing
    # Names in quotes inside quotes are too much for scipy, which reads the cells by place.
    data, _ = oracle.loadarff(path) if name != "atp1d" else (None, None)
    if data is not None:
        for place_, column in enumerate(frame.columns):
            assert np.array_equal(frame[column], data[data.dtype.names[place_]].astype(float), equal_nan=True)
