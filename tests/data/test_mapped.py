"""Sources that are too large to be kept scaled in memory: their batches are read from the file, to the same bits."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mtl.config import Task, parse_config
from mtl.data.inputs import scaling
from mtl.data.inputs.every import input_of
from mtl.data.inputs.rows import MappedRows
from mtl.data.inputs.scaling import fit_rows, where
from mtl.data.inputs.window_samples import MappedWindows
from mtl.data.loading.pools import Pool
from mtl.data.loading.store import load_prepared, write_prepared
from mtl.data.loading.tasks import build_tasks
from mtl.types import Batch, Prepared, RowSet, SourceData
from tests.data.test_filling import series, walk
from tests.helpers.tables import mixed, tasks


def forecasts(source: str) -> dict[str, Task]:
    """Two forecasts; the longer one reaches behind the last window of the shorter."""
    raw = {
        "prepare": {"sources": {source: {"kind": "series", "path": "own.csv"}}},
        "tasks": {
            "near": {"kind": "forecast", "source": source, "input_len": 4, "horizon": 2},
            "far": {"kind": "forecast", "source": source, "input_len": 4, "horizon": 5},
        },
        "encoder": {"kind": "linear", "input_len": 4, "width": 16},
        "finetune": {"methods": {"all": {"kind": "equal"}}},
    }  # fmt: skip
    return parse_config(raw).tasks


def whole(folder: Path) -> tuple[Prepared, dict[str, Task]]:
    return series(folder, {"a": walk(), "b": walk(1)}), forecasts("own")


def with_gaps(folder: Path) -> tuple[Prepared, dict[str, Task]]:
    a, b = walk(), walk(1)
    a[[10, 30, 31, 58, 59, 60, 61, 79, 99]], b[[0, 31, 32, 62]] = np.nan, np.nan
    return series(folder, {"a": a, "b": b}), forecasts("own")


def several(folder: Path) -> tuple[Prepared, dict[str, Task]]:
    hours = np.tile(np.arange(100), 2)
    stamps = np.datetime64("2020-01-01T00", "h") + hours
    columns = {"date": stamps, "who": np.repeat(["x", "y"], 100), "a": walk(rows=200), "b": walk(1, rows=200)}
    return series(folder, columns, id="who"), forecasts("own")


def table(folder: Path) -> tuple[RowSet, dict[str, Task]]:
    return mixed(), tasks()


def ranked(folder: Path) -> tuple[RowSet, dict[str, Task]]:
    return replace(mixed(), scaling="quantile"), tasks()


def targets_between(folder: Path) -> tuple[RowSet, dict[str, Task]]:
    """The columns of numbers that are left do not lie side by side."""
    return mixed(), tasks(
        middle={"kind": "regression", "target": "b"}, shape={"kind": "classification", "label": "shape"}
    )


def targets_at_the_end(folder: Path) -> tuple[RowSet, dict[str, Task]]:
    return mixed(), tasks(last={"kind": "regression", "target": "c"})


def batches(tasks: dict[str, Task], data: SourceData) -> Iterator[tuple[Pool, Batch]]:
    """Every sample of every pool, in an order of its own, in batches of 7."""
    sets = build_tasks(tasks, {data.name: data}, 0)
    for split in ("train", "val", "test"):
        for pool in sets.pools[split]:
            for index in torch.randperm(len(pool), generator=torch.Generator().manual_seed(3)).split(7):
                yield pool, pool.batch(index)


def parts(batch: Batch) -> list[torch.Tensor]:
    return [batch.x, *batch.ahead.values(), *(table.values for table in batch.tables)]


@pytest.mark.parametrize("make", [whole, with_gaps, several, table, ranked, targets_between, targets_at_the_end])
def test_batches_are_those_of_memory_bit_by_bit(make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared, of = make(tmp_path)
    write_prepared(prepared, tmp_path / "prepared" / prepared.name, {})
    data = load_prepared(prepared.name, tmp_path / "prepared")
    in_memory = [parts(batch) for _, batch in batches(of, data)]
    monkeypatch.setattr(scaling, "IN_MEMORY", 0)
    mapped = list(batches(of, data))
    assert {type(pool.samples) for pool, _ in mapped} <= {MappedRows, MappedWindows}
    assert len(mapped) == len(in_memory) > 5
    for (_, batch), others in zip(mapped, in_memory, strict=True):
        for mine, other in zip(parts(batch), others, strict=True):
            assert mine.dtype == other.dtype and mine.stride() == other.stride()
            assert torch.equal(mine.nan_to_num(-99.0), other.nan_to_num(-99.0))


def test_nothing_of_the_source_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The samples hold the very tensor that was mapped."""
    monkeypatch.setattr(scaling, "IN_MEMORY", 0)
    prepared, of = whole(tmp_path)
    sets = build_tasks(of, {"own": prepared}, 0)
    for split in ("train", "val", "test"):
        for pool in sets.pools[split]:
            assert isinstance(pool.samples, MappedWindows)
            assert pool.samples.flat.data_ptr() == prepared.values.data_ptr()


@pytest.mark.parametrize(("make", "left"), [(targets_between, [0, 2]), (targets_at_the_end, None)])
def test_no_input_of_a_table_is_copied_because_of_a_target(make, left, monkeypatch: pytest.MonkeyPatch) -> None:
    """Targets are taken out of the inputs; what is left is read where it lies."""
    monkeypatch.setattr(scaling, "IN_MEMORY", 0)
    rows, of = make(Path())
    data = input_of(rows).for_tasks(list(of.values())).data
    assert isinstance(data, RowSet)
    assert data.values.untyped_storage().data_ptr() == rows.values.untyped_storage().data_ptr()
    assert data.places == left
    cells = input_of(data).cells()
    assert cells is not None
    kept = rows.values[:, [rows.columns.index(name) for name in data.columns]].numpy()
    assert np.array_equal(cells[1][:, : len(data.columns)], kept, equal_nan=True)


def test_training_rows_that_lie_together_are_a_view_and_others_a_copy() -> None:
    rows = torch.arange(30, dtype=torch.float64).reshape(10, 3)
    together = torch.tensor([False] * 2 + [True] * 5 + [False] * 3)
    apart = together.clone()
    apart[4] = False
    for mask in (together, apart, torch.zeros_like(together), torch.ones_like(together)):
        assert torch.equal(where(mask, rows), rows[mask])
    assert where(together, rows).data_ptr() == rows[2].data_ptr()
    assert torch.equal(fit_rows(where(together, rows)).mean, rows[2:7].mean(dim=0))
