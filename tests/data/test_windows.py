"""Batches of a pool against slices of the series cut by hand."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mtl.data.inputs.window_samples import Windows, pad_rows
from mtl.data.loading.pools import Pool, Target
from tests.helpers.problems import counting

ROWS, LENGTH = 30, 5
FLAT = counting(ROWS, 3).float()
LABELS = torch.arange(ROWS) % 3


def pool() -> Pool:
    """Forecasts of two lengths and a label over starts 0…25; the last four have no row to forecast."""
    starts = torch.arange(ROWS - LENGTH + 1)
    whole = starts <= ROWS - LENGTH - 4
    return Pool(
        "line/all",
        "line",
        Windows(pad_rows(FLAT, 4), LENGTH, starts),
        {
            "all": Target(None, 4, valid=whole),
            "some": Target(None, 2, torch.tensor([2, 0]), starts <= ROWS - LENGTH - 2),
            "label": Target(LABELS[starts + LENGTH - 1]),
        },
    )


@settings(deadline=None)
@given(st.lists(st.integers(0, ROWS - LENGTH), min_size=1, max_size=8))
def test_a_batch_is_what_slicing_gives(numbers: list[int]) -> None:
    batch = pool().batch(torch.tensor(numbers))
    padded = torch.cat([FLAT, torch.zeros(4, 3)])
    for k, start in enumerate(numbers):
        end = start + LENGTH
        assert torch.equal(batch.x[k], FLAT[start:end].T)
        assert torch.equal(batch.target("all")[k], padded[end : end + 4].T)
        assert torch.equal(batch.target("some")[k], padded[end : end + 2, [2, 0]].T)
        assert batch.target("label")[k] == LABELS[end - 1], "a label belongs to the last row of its window"
        assert batch.valid is not None
        assert batch.valid[k].tolist() == [end + 4 <= ROWS, end + 2 <= ROWS, True]
    assert batch.pool == "line/all"
    assert batch.tables[0].tasks == ("label",) and torch.equal(batch.index, torch.tensor(numbers))


def test_only_narrows_tasks_and_keeps_samples() -> None:
    kept = pool().only(["label", "some", "unknown"])
    assert kept is not None and kept.tasks == ("some", "label") and len(kept) == len(pool())
    batch = kept.batch(torch.tensor([0, 25]))
    whole = pool().batch(torch.tensor([0, 25]))
    assert torch.equal(batch.x, whole.x) and torch.equal(batch.target("some"), whole.target("some"))
    assert pool().only(["unknown"]) is None


@pytest.mark.parametrize("count", [1, 2, 7, 25])
def test_at_most_spreads_evenly_and_carries_targets_along(count: int) -> None:
    few = pool().at_most(count)
    assert len(few) == count
    starts = few.samples.starts.tolist()
    assert starts == sorted(set(starts)) and starts[0] == 0
    if count > 1:
        gaps = torch.tensor(starts).diff()
        assert starts[-1] == 25 and gaps.max() - gaps.min() <= 1
    batch, whole = few.batch(torch.arange(count)), pool().batch(few.samples.starts)
    assert torch.equal(batch.x, whole.x)
    for name in few.tasks:
        assert torch.equal(batch.target(name), whole.target(name))
    assert batch.valid is not None and whole.valid is not None and torch.equal(batch.valid, whole.valid)


def test_at_most_leaves_a_small_pool_alone() -> None:
    small = pool()
    assert small.at_most(26) is small and small.at_most(1000) is small


def test_at_most_is_exact_beyond_the_integers_of_float32() -> None:
    count = 2**24 + 2
    huge = replace(pool(), samples=Windows(FLAT, LENGTH, torch.arange(count)), targets={})
    assert huge.at_most(3).samples.starts.tolist() == [0, 2**23, 2**24 + 1]


@pytest.mark.parametrize("rows", [0, 3])
def test_padding_appends_zeros(rows: int) -> None:
    padded: Tensor = pad_rows(FLAT, rows)
    assert torch.equal(padded[:ROWS], FLAT) and padded.shape == (ROWS + rows, 3)
    assert padded[ROWS:].abs().sum() == 0


def test_a_pool_moves_with_everything_it_holds() -> None:
    moved = pool().to(torch.device("meta"))
    assert isinstance(moved.samples, Windows)
    tensors = [moved.samples.flat, moved.samples.starts]
    for target in moved.targets.values():
        tensors += [t for t in (target.channels, target.values, target.valid) if t is not None]
    assert len(tensors) == 6 and {t.device.type for t in tensors} == {"meta"}
    here = pool()
    there = here.to(torch.device("cpu"))
    assert isinstance(there.samples, Windows) and isinstance(here.samples, Windows)
    assert there.samples.flat is here.samples.flat, "no copy of what is there already"
