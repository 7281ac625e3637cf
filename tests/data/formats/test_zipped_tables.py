"""A zip that holds one table is that table; any other is one message."""

from pathlib import Path

import pandas as pd
import pytest

from mtl.config.table_source import TableSource
from mtl.data.columns.inspection import inspect_file
from mtl.data.formats.pieces import table_pieces
from mtl.data.formats.tables import read_table
from mtl.errors import DataError
from tests.helpers.data_files import zip_bytes

TEXT = b"a;b\n" + b"".join(b"%d,5;x%d\n" % (row, row % 3) for row in range(20))
ARFF = b"@relation r\n@attribute a numeric\n@attribute b {x,y}\n@data\n1,x\n2,y\n"


def source(root: Path, files: dict[str, bytes], name: str = "t.zip", **options: str) -> TableSource:
    (root / name).write_bytes(zip_bytes(files))
    return TableSource.model_validate({"kind": "table", "path": name} | options)


@pytest.mark.parametrize("inside", ["t.csv", "folder/T.DATA", "winequality.txt"])
def test_the_one_table_in_a_zip_is_read_as_it_is_alone(tmp_path: Path, inside: str) -> None:
    files = {inside: TEXT, "t.names": b"about it", "__MACOSX/._t.csv": b"\0"}
    config = source(tmp_path, files, separator=";", decimal=",")
    (tmp_path / "t.csv").write_bytes(TEXT)
    alone = read_table(config.model_copy(update={"path": "t.csv"}), tmp_path)
    read = read_table(config, tmp_path)
    pd.testing.assert_frame_equal(read.frame, alone.frame)
    assert read.notes == [f"t.zip: {inside} was read, the one table in it."]
    assert read.lines[3] == 5
    (piece,) = table_pieces(config, tmp_path)
    pd.testing.assert_frame_equal(piece.frame, alone.frame)


def test_its_options_are_found_as_those_of_a_file_are(tmp_path: Path) -> None:
    source(tmp_path, {"t.csv": TEXT})
    seen = inspect_file(tmp_path / "t.zip", {})
    assert seen.options == {"separator": ";", "decimal": ","} and len(seen.table.frame) == 20


def test_arff_in_a_zip(tmp_path: Path) -> None:
    assert read_table(source(tmp_path, {"t.arff": ARFF}), tmp_path).frame["b"].tolist() == ["x", "y"]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"a.csv": TEXT, "b.csv": TEXT}, r"one table, found a\.csv, b\.csv: unpack it and name the one that is meant"),
        ({f"{n}.csv": TEXT for n in range(9)}, r"found 0\.csv, .* and 4 more: unpack it"),
        (
            {"t.parquet": b"PAR1", "readme.md": b"x"},
            r"one table of text \(\.csv, .*found readme\.md, t\.parquet: unpack",
        ),
        ({}, r"found nothing: unpack"),
        ({"t.csv": b"PAR1 and more"}, r"t\.zip, t\.csv should be text, found a Parquet file"),
        ({"t.csv": b""}, r"is empty"),
    ],
)
def test_other_zips_are_refused_with_what_to_do(tmp_path: Path, files: dict[str, bytes], words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_table(source(tmp_path, files), tmp_path)


def test_what_is_no_zip_is_told(tmp_path: Path) -> None:
    (tmp_path / "t.zip").write_bytes(TEXT)
    with pytest.raises(DataError, match=r"t\.zip is not a zip file"):
        read_table(TableSource.model_validate({"kind": "table", "path": "t.zip"}), tmp_path)
