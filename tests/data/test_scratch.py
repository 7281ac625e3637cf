"""Arrays as long as a table: the same numbers in memory and in files, at once and block by block."""

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl.config.table_source import TableSource
from mtl.data.build import read_source
from mtl.data.formats import growing, records, text_table, windowed
from mtl.data.formats.factorized import factorized
from mtl.data.formats.tables import read_table
from mtl.data.inputs import scratch
from mtl.data.loading.store import ARRAYS, META, write_prepared
from mtl.data.sources import table_files
from mtl.errors import DataError
from tests.data.formats.test_arrow_columns import FRAME, INDICES, write

RANDOM = np.random.default_rng(0)


@pytest.fixture
def in_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every array lies in a file, and blocks are short."""
    monkeypatch.setattr(scratch, "IN_MEMORY", 0)
    monkeypatch.setattr(scratch, "BLOCK", 7)


def test_a_long_array_lies_in_a_file_without_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "IN_MEMORY", 99)
    scratch.beside(tmp_path / "not" / "yet")
    try:
        assert scratch.empty(12, np.float64).base is None
        array = scratch.empty((5, 4), np.float64)
        array[:] = np.arange(20).reshape(5, 4)
        assert array.base is not None and array[3, 2] == 14
        assert list(tmp_path.iterdir()) == []
    finally:
        scratch.beside(Path("/nowhere"))


def test_a_full_disk_is_told_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(scratch, "IN_MEMORY", 0)
    monkeypatch.setattr(scratch, "_reserve", full)
    with pytest.raises(DataError, match="cannot be written: No space left on device"):
        scratch.empty(3, np.int64)


def test_room_is_taken_where_the_system_cannot_reserve_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "IN_MEMORY", 0)
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    assert scratch.empty(300_000, np.int64).sum() == 0


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from([0.0, -0.0, 1.0, 2.5, -3.0, np.inf, -np.inf, 1e300]), min_size=1, max_size=40))
def test_a_tally_is_that_of_all_at_once(numbers: list[float]) -> None:
    values = np.array(numbers)
    different, counts = np.unique(values, return_counts=True)
    for block in (1, 2, 7, 100):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(scratch, "BLOCK", block)
            tally = scratch.Tally(values)
        assert (tally.distinct, tally.most) == (len(different), counts.max())
        assert tally.often == different[counts == counts.max()].min()
        assert (tally.lowest, tally.highest) == (values.min(), values.max())


@pytest.mark.usefixtures("in_files")
def test_blocks_give_what_the_whole_gives() -> None:
    values, mask = RANDOM.standard_normal(50), RANDOM.random(50) < 0.3
    codes = RANDOM.integers(-1, 4, 50)
    table = np.array([7, 5, 3, 1, -1], dtype=np.int16)
    cells = pd.Series(RANDOM.choice(np.array(["ash", "elm", None, "oak"], dtype=object), 50))
    assert np.array_equal(scratch.chosen(values, mask), values[mask])
    assert np.array_equal(scratch.in_order(values), np.sort(values))
    assert np.array_equal(scratch.mapped(codes, table), table[codes])
    assert np.array_equal(scratch.counted(codes, 4), np.bincount(codes[codes >= 0], minlength=4))
    assert np.array_equal(scratch.counting(50, 3), np.arange(3, 53))
    assert scratch.counts_from_0(np.arange(50), 50) and not scratch.counts_from_0(np.arange(50), 51)
    assert not scratch.counts_from_0(np.append(np.arange(49), 0), 50)
    made, names = factorized(cells)
    expected, different = pd.factorize(cells)
    assert names == different.tolist() and np.array_equal(made, expected)
    assert scratch.empty(3, object).tolist() == [None] * 3


def csv(path: Path) -> None:
    """Numbers, whole ones with a decimal further down, names, truths, dates, gaps, and rows that come again."""
    frame = FRAME[["x", "a", "gaps", "text", "yes", "perhaps"]].assign(
        late=[*range(55), 5.5, *range(4)], day=FRAME["when"].dt.strftime("%Y-%m-%d"), code=FRAME["a"] % 3
    )
    pd.concat([frame, frame.iloc[::3], frame.iloc[:9]]).to_csv(path, index=False)


def columns(path: Path) -> None:
    write(pd.concat([FRAME, FRAME.iloc[::3]], ignore_index=True).drop(columns=["there"]), path)


def prepared(path: Path, out: Path, **options: Any) -> list[bytes]:
    """Files that `prepare` writes of a table."""
    config = TableSource.model_validate({"kind": "table", "path": path.name} | options)
    write_prepared(read_source("t", config, path.parent), out, {})
    return [(out / name).read_bytes() for name in (ARRAYS, META)]


OPTIONS: dict[str, dict[str, Any]] = {
    "folds": {"folds": 3},
    "one fold": {"folds": 1, "types": {"a": "category"}},
    "copies together": {"split": {"kind": "random", "test": 0.25, "duplicates": "together"}, "folds": 2},
    "strata": {"split": {"kind": "random", "test": 0.25, "stratify": "text"}, "folds": 2},
    "groups": {"split": {"kind": "group", "column": "a"}, "folds": 1},
    "cross-validation": {"split": {"kind": "cross", "folds": 3}},
    "in order": {"split": {"kind": "time", "column": None}, "folds": 2},
    "ranks": {"folds": 1, "numbers": "quantile", "missing_markers": [3.0]},
}


@pytest.mark.parametrize("ending", ["csv", "parquet", "feather"])
@pytest.mark.parametrize("options", OPTIONS)
def test_tables_in_files_are_prepared_to_the_same_bytes(
    options: str, ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"t.{ending}"
    (csv if ending == "csv" else columns)(path)
    for module in (growing, records, table_files, text_table, windowed):
        if hasattr(module, "WINDOW"):
            monkeypatch.setattr(module, "WINDOW", 1 << 9)
    whole = prepared(path, tmp_path / "whole", **OPTIONS[options])
    monkeypatch.setattr(scratch, "IN_MEMORY", 0)
    monkeypatch.setattr(scratch, "BLOCK", 7)
    assert prepared(path, tmp_path / "parts", **OPTIONS[options]) == whole


@pytest.mark.usefixtures("in_files")
@pytest.mark.parametrize("ending", ["parquet", "feather"])
@pytest.mark.parametrize("name", INDICES)
def test_frames_of_arrow_are_the_same_in_files(
    name: str, ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(INDICES[name], tmp_path / f"t.{ending}")
    config = TableSource(kind="table", path=f"t.{ending}")
    streamed = read_table(config, tmp_path)
    monkeypatch.setattr(scratch, "IN_MEMORY", 1 << 25)
    whole = read_table(config, tmp_path)
    pd.testing.assert_frame_equal(streamed.frame, whole.frame)
    assert streamed.notes == whole.notes
