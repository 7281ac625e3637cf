"""Files in every layout that the options of a table name: the same frame is read back, and a wrong cell is found."""

import gzip
import re
from pathlib import Path

import numpy as np
import pytest

from mtl.config.sources import SeriesSource
from mtl.data.build import read_source
from mtl.errors import DataError
from mtl.types import Prepared
from tests.helpers.cases import few_and_many, for_all, place
from tests.helpers.table_files import Layout, layouts


def read(root: Path, layout: Layout, data: bytes) -> Prepared:
    (root / layout.name).write_bytes(data)
    return read_source("own", SeriesSource(kind="series", path=layout.name, **layout.section), root)


def filled(values: np.ndarray) -> np.ndarray:
    """Missing values as the last known ones."""
    copy = values.copy()
    for row in range(1, len(copy)):
        copy[row] = np.where(np.isnan(copy[row]), copy[row - 1], copy[row])
    return copy


def check_same(layout: Layout) -> None:
    with place() as root:
        prepared = read(root, layout, layout.data)
    assert prepared.columns == layout.columns
    assert np.array_equal(prepared.values.numpy(), filled(layout.values))
    names = [prepared.classes["state"][number] for number in prepared.labels["state"].tolist()]
    assert names == [" ".join(state.split()) for state in layout.states]
    assert {name: unit for name, unit in prepared.units.items() if name in layout.columns} == layout.units


@few_and_many(25, 400)
def test_the_same_table_is_read_from_every_layout(cases: int) -> None:
    for_all(layouts(), cases, check_same)


def check_line(layout: Layout) -> None:
    row = len(layout.values) // 2
    text = layout.text.replace(f"{row:02d}:30", "soon")
    data = text.encode(layout.section.get("encoding", "utf-8-sig"))
    lines = re.split("\r\n|\r|\n", text)
    line = next(number for number, words in enumerate(lines, 1) if f"2020-01-{row + 1:02d}" in words)
    with place() as root, pytest.raises(DataError, match=rf"own\.csv(\.gz)?, line {line}, column `day \+ time`"):
        read(root, layout, gzip.compress(data, mtime=0) if layout.name.endswith(".gz") else data)


@few_and_many(25, 400)
def test_a_wrong_cell_is_found_in_the_line_where_its_row_begins(cases: int) -> None:
    for_all(layouts(), cases, check_line)


def test_line_breaks_in_quotes_and_blank_lines_count() -> None:
    rows = [f'"a{n}\r\n{n}\n",{n},"x"\r\n' for n in range(12)]
    data = ('n,"lo\nad",t\r\n' + "".join(rows[:8]) + "a,one,x\r\n" + "".join(rows[8:])).encode()
    with place() as root:
        (root / "own.csv").write_bytes(data)
        source = SeriesSource(kind="series", path="own.csv", date=None, values=["lo\nad"])
        line = 1 + data[: data.index(b"a,one")].count(b"\n")
        assert line == 27
        with pytest.raises(DataError, match=r"own\.csv, line 27, column `lo\nad`: should be a number .* found 'one'"):
            read_source("own", source, root)
        (root / "own.csv").write_bytes(data.replace(b"a,one,x", b"\r\na,1,x,y"))
        with pytest.raises(DataError, match=r"own\.csv, line 28: should have 3 cells as the header has, found 4"):
            read_source("own", source, root)
        (root / "own.csv").write_bytes(data + b'a,1,"x')
        with pytest.raises(DataError, match=r"own\.csv, line 40: should end each cell that begins with a quotation"):
            read_source("own", source, root)
