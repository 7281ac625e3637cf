"""Columns of Parquet and Feather that are read some at a time: the frame is the one that all at once make."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mtl.config.table_source import TableSource
from mtl.data.build import read_source
from mtl.data.formats import arrow_columns
from mtl.data.formats.tables import read_table
from mtl.errors import DataError
from mtl.types import RowSet

RANDOM = np.random.default_rng(0)
FRAME = pd.DataFrame({
    "x": RANDOM.standard_normal(60), "a.b": RANDOM.standard_normal(60), "a": np.arange(60) % 7,
    "gaps": [None if place % 9 == 0 else place / 7 for place in range(60)],
    "whole with gaps": pd.array([None if place % 8 == 0 else place for place in range(60)], dtype="Int64"),
    "kind": pd.Categorical([None if place % 11 == 0 else "cab"[place % 3] for place in range(60)], ["b", "c", "a"]),
    "text": [None if place % 10 == 0 else f"town {place % 4}" for place in range(60)],
    "when": pd.date_range("2020-01-01", periods=60),
    "there": pd.date_range("2020-01-01", periods=60, tz="Europe/Berlin"),
    "yes": RANDOM.random(60) < 0.4, "perhaps": [None, True, False] * 20, "small": np.arange(60, dtype=np.int8),
    "single": RANDOM.standard_normal(60).astype(np.float32), "empty": [None] * 60,
})  # fmt: skip
INDICES = {
    "counted": FRAME, "every other": FRAME.set_axis(np.arange(60) * 2), "named": FRAME.set_index("text"),
    "of two levels": FRAME.set_index(["when", "a"]), "unnamed times": FRAME.set_axis(FRAME["when"].rename(None)),
}  # fmt: skip


def write(frame: pd.DataFrame, path: Path) -> None:
    """As pandas does; Feather, for which it refuses an index, from the same table of Arrow."""
    if path.suffix == ".parquet":
        frame.to_parquet(path, row_group_size=25)
        return
    packed = BytesIO()
    frame.to_parquet(packed)
    table = pq.read_table(packed)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=25)


def said_of(path: Path) -> tuple[pd.DataFrame, list[str]]:
    table = read_table(TableSource(kind="table", path=path.name), path.parent)
    return table.frame, table.notes


@pytest.mark.parametrize("ending", ["parquet", "feather"])
@pytest.mark.parametrize("name", INDICES)
def test_some_columns_at_a_time_change_nothing(
    name: str, ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(INDICES[name], tmp_path / f"t.{ending}")
    whole, notes = said_of(tmp_path / f"t.{ending}")
    assert len(whole.columns) in (12, 13, 14)
    for size in (1, 3 * 60 * 8):
        monkeypatch.setattr(arrow_columns, "TOGETHER", size)
        frame, said = said_of(tmp_path / f"t.{ending}")
        pd.testing.assert_frame_equal(frame, whole)
        assert said == notes


@pytest.mark.parametrize("ending", ["parquet", "feather"])
def test_the_frame_is_that_of_pandas(ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / f"t.{ending}"
    write(FRAME, path)
    monkeypatch.setattr(arrow_columns, "TOGETHER", 1)
    expected = pd.read_parquet(path) if ending == "parquet" else pd.read_feather(path)
    pd.testing.assert_frame_equal(said_of(path)[0], expected, check_column_type=False)


def test_a_column_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    twice = pa.table([pa.array([1.0, 2.0]), pa.array([3.0, 4.0])], names=["x", "x"])
    pq.write_table(twice, tmp_path / "t.parquet")
    with pytest.raises(DataError, match="column `x` is there more than once"):
        said_of(tmp_path / "t.parquet")


def test_files_of_several_formats_are_joined_column_by_column(tmp_path: Path) -> None:
    write(FRAME[["x", "a", "kind", "small"]], tmp_path / "t.parquet")
    write(FRAME[["small", "kind", "a", "x"]], tmp_path / "u.feather")
    FRAME[["x", "a", "kind", "small"]].to_csv(tmp_path / "v.csv", index=False)
    source = TableSource.model_validate(
        {"kind": "table", "path": "t.parquet", "also": ["u.feather", "v.csv"], "folds": 2}
    )
    read = read_source("t", source, tmp_path)
    assert isinstance(read, RowSet)
    assert np.array_equal(read.values[:, read.columns.index("x")].numpy(), np.tile(FRAME["x"], 3))
    assert read.categories is not None
    names = [None if code < 0 else read.vocabularies["kind"][code] for code in read.categories[:, 0].tolist()]
    assert names == [None if pd.isna(name) else name for name in FRAME["kind"]] * 3
