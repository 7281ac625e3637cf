"""Long texts through a window: what is read of a table, and what is said of it, is the same as of the whole file."""

import gzip
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from mtl.config.table_source import TableSource
from mtl.data.build import read_source
from mtl.data.columns.infer import column_facts
from mtl.data.formats import growing, records, text_table, windowed
from mtl.data.formats.tables import read_table
from mtl.data.formats.windowed import Windowed, windowed_text
from mtl.data.sources import table_files
from mtl.data.sources.table_files import read_files
from mtl.errors import UserError
from mtl.types import RowSet

RANDOM = np.random.default_rng(0)
NUMBERS = [f"{number:.4f}" for number in RANDOM.standard_normal(60)]


def rows(*columns: list[str], ending: str = "\n", header: str = "") -> str:
    names = ",".join(f"c{place}" for place in range(len(columns)))
    return ending.join([header or names, *map(",".join, zip(*columns, strict=True))]) + ending


def repeated(*cells: str) -> list[str]:
    return [cells[place % len(cells)] for place in range(60)]


def late(cell: str, *cells: str) -> list[str]:
    """The cells again and again, and another one in row 40."""
    return [cell if place == 40 else text for place, text in enumerate(repeated(*cells))]


DAYS = [f"{1 + place % 28:02d}.{1 + place % 12:02d}.2020" for place in range(60)]
FILES = {
    "numbers": rows(NUMBERS, repeated("1", "2", "3")),
    "whole numbers, then decimals": rows(NUMBERS, late("2.5", "1", "2", "3")),
    "numbers, then a text": rows(NUMBERS, late("many", "1", "2", "3")),
    "numbers, then nothing": rows(NUMBERS, [*repeated("1", "2", "3")[:30], *[""] * 30]),
    "nothing, then names": rows(NUMBERS, [*[""] * 30, *repeated("ash", "elm")[30:]]),
    "nothing, then numbers": rows(NUMBERS, [*["NA"] * 30, *repeated("1", "7", "3")[30:]]),
    "names": rows(NUMBERS, repeated("ash", "elm", " ash", "NA", "", "Elm", "None")),
    "truth values": rows(NUMBERS, repeated("True", "False", "True")),
    "truth values and none": rows(NUMBERS, repeated("True", "False", "")),
    "truth values, then none": rows(NUMBERS, late("", "True", "False", "true")),
    "truth values, then a number": rows(NUMBERS, late("1", "True", "False")),
    "truth values, then a text": rows(NUMBERS, late("maybe", "True", "False")),
    "yes and no": rows(NUMBERS, repeated("yes", "no", "YES", "?")),
    "zeros in front": rows(NUMBERS, late("0712", "1712", "2712", "3712")),
    "large whole numbers": rows(NUMBERS, late("18446744073709551615", "1", "2", "3")),
    "larger ones": rows(NUMBERS, late("184467440737095516150", "1", "2", "3")),
    "infinite": rows(NUMBERS, late("inf", "1", "2", "3")),
    "dates": rows(NUMBERS, DAYS),
    "dates and none": rows(NUMBERS, [day if place % 7 else "-" for place, day in enumerate(DAYS)]),
    "dates of two readings": rows(NUMBERS, [f"0{1 + place % 9}/0{1 + place % 8}/2020" for place in range(60)]),
    "a date that is none": rows(NUMBERS, [*DAYS[:50], "31.02.2020", *DAYS[51:]]),
    "dates with and without times": rows(
        NUMBERS, [f"2020-01-{1 + place // 3:02d}{(' 08:00', '', ' 16:00')[place % 3]}" for place in range(60)]
    ),
    "years and months in digits": rows(NUMBERS, ["".join(day.split(".")[::-1]) for day in DAYS]),
    "a code of its own in every row": rows(NUMBERS, [f"k{place:03d}x" for place in range(60)]),
    "sentences": rows(NUMBERS, [f"the row {place} of the table is long" for place in range(60)]),
    "quotes": rows(NUMBERS, repeated('"ash, the tree"', "elm", '"a ""wide"" oak"', '"two\nlines"')),
    "a quote that is never closed": rows(NUMBERS, late('"ash', "elm", "oak")),
    "a mark inside": rows(NUMBERS, repeated('5" pipe', "elm", "oak")),
    "carriage returns": rows(NUMBERS, repeated("ash", "elm"), ending="\r\n"),
    "letters": rows(NUMBERS, repeated("Größe", "Weiß", "東京")),
    "a row too long": rows(NUMBERS, late("elm,7", "ash", "elm")),
    "rows too short": rows(NUMBERS, repeated("1", "2")) + "5\n7\n",
    "separators at the end": rows(NUMBERS, repeated("1,", "2,"), header="c0,c1"),
    "one separator at the end": rows(NUMBERS, late("1,", "1", "2"), header="c0,c1"),
    "a column without a name": rows(NUMBERS, repeated("1", "2"), [""] * 60, header="c0,c1,"),
    "a row without cells": rows([*NUMBERS[:40], "", *NUMBERS[:19]], late("", "1", "2")),
    "a blank line": rows(NUMBERS, repeated("1", "2")) + "\n1,2\n",
    "blank lines at the end": rows(NUMBERS, repeated("1", "2")) + "\n\n,\n",
    "blank lines at the end of names": rows(NUMBERS, repeated("ash", "elm")) + "\n\n\n",
    "missing at the end": rows(NUMBERS, repeated("1", "2")) + "NA,NA\n",
    "one column": rows(repeated("4", "5", "", "7")),
    "no line break at the end": rows(NUMBERS, repeated("1", "2")).rstrip(),
    "a comment": rows(NUMBERS, repeated("1", "2")) + "# end\n",
    "a footer": rows(NUMBERS, repeated("1", "2")) + "written by hand\n",
    "units": "c0,c1\nm,s\n" + rows(NUMBERS, repeated("1", "2")).partition("\n")[2],
    "points": rows([f"{place % 9 + 1}.{place + 100}" for place in range(60)], repeated("1", "2")),
    "another separator": rows(NUMBERS, repeated("1", "2")).replace(",", ";"),
    "bytes that are no text": rows(NUMBERS, late("\udcff", "ash", "elm")),
    "a mark of the order of bytes": "\ufeff" + rows(NUMBERS, repeated("1", "2")),
}  # fmt: skip
BY_WINDOWS = ["numbers", "numbers, then a text", "truth values", "quotes", "dates", "names", "letters", "one column"]


def through(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (windowed, growing, records, text_table, table_files):
        monkeypatch.setattr(module, "WINDOW", size)


def said_of(folder: Path, path: str = "t.csv", also: tuple[str, ...] = ()) -> list[object]:
    """Facts on the columns and the prepared rows, or the messages in their place."""
    source = TableSource.model_validate({"kind": "table", "path": path, "also": also, "folds": 2})
    told: list[object] = []
    try:
        table, _ = read_files(source, folder)
        told += [*column_facts(table), *table.notes, table.at(50), len(table.frame)]
    except UserError as error:
        told.append(str(error))
    try:
        read = read_source("t", source, folder)
        assert isinstance(read, RowSet)
        told += [read.values.numpy().tobytes()]
        told += [read.columns, read.fold.tolist(), read.vocabularies, read.notes]
        told += [None if read.categories is None else read.categories.tolist()]
    except UserError as error:
        told.append(str(error))
    return told


@pytest.mark.parametrize("name", FILES)
def test_a_window_changes_nothing(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "t.csv").write_bytes(FILES[name].encode("utf-8", errors="surrogateescape"))
    expected = said_of(tmp_path)
    through(100, monkeypatch)
    assert said_of(tmp_path) == expected


@pytest.mark.parametrize("name", FILES)
def test_a_window_on_a_packed_text_changes_nothing(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = gzip.compress(FILES[name].encode("utf-8", errors="surrogateescape"), mtime=0)
    (tmp_path / "t.csv.gz").write_bytes(packed)
    expected = said_of(tmp_path, "t.csv.gz")
    through(100, monkeypatch)
    assert said_of(tmp_path, "t.csv.gz") == expected
    (tmp_path / "t.csv.gz").write_bytes(packed[:-12])
    with pytest.raises(UserError, match=r"t\.csv\.gz is not a gzip file that can be read"):
        read_table(TableSource(kind="table", path="t.csv.gz"), tmp_path)


@pytest.mark.parametrize("name", FILES)
def test_a_window_on_several_files_changes_nothing(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    header, *others = FILES[name].encode("utf-8", errors="surrogateescape").splitlines(keepends=True)
    for file, lines in {"t.csv": others[:30], "u.csv.gz": others[30:45], "v.csv": others[45:]}.items():
        text = b"".join([header, *lines])
        (tmp_path / file).write_bytes(gzip.compress(text, mtime=0) if file.endswith("z") else text)
    expected = said_of(tmp_path, also=("u.csv.gz", "v.csv"))
    through(100, monkeypatch)
    assert said_of(tmp_path, also=("u.csv.gz", "v.csv")) == expected


def test_what_a_temporary_folder_cannot_hold_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(FILES["numbers"].encode()))
    through(100, monkeypatch)

    class Full(BytesIO):
        def write(self, block: object) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(windowed.tempfile, "TemporaryFile", Full)
    with pytest.raises(UserError, match="cannot be written: No space left on device"):
        read_table(TableSource(kind="table", path="t.csv.gz"), tmp_path)


@pytest.mark.parametrize("name", BY_WINDOWS)
def test_usual_texts_are_never_read_as_a_whole(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "t.csv").write_text(FILES[name], encoding="utf-8")
    (tmp_path / "u.csv.gz").write_bytes(gzip.compress(FILES[name].encode()))
    through(100, monkeypatch)
    monkeypatch.delattr(Windowed, "__bytes__")
    parsed = text_table._parse
    lengths: list[int] = []

    def noted(file: text_table.TextFile, *others: object) -> object:
        lengths.append(len(file.data) - file.body)
        return parsed(file, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(text_table, "_parse", noted)
    read_files(TableSource(kind="table", path="t.csv", also=["u.csv.gz"]), tmp_path)
    assert max(lengths) <= 200
    assert len(lengths) > 1


def test_a_window_finds_and_counts_what_stands_across_its_borders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = b"ab\r\ncd\n\nend, ab\rlast"
    (tmp_path / "t.csv").write_bytes(text)
    for size in range(1, 9):
        through(size, monkeypatch)
        data = windowed_text(tmp_path / "t.csv", "utf-8") or Windowed(tmp_path / "t.csv")
        assert len(data) == len(text)
        assert list(records.lines_of(data, 4)) == list(records.lines_of(text, 4))
        assert [data.find(part) for part in (b"ab", b"cd\n\n", b"x")] == [0, 4, -1]
        assert data.find(b"ab", 1) == text.find(b"ab", 1)
        assert data.count(b"\n") == 3
        assert (b"end" in data, ord("#") in data, data[2:5]) == (True, False, text[2:5])
