"""Training samples that encoders are fitted to: the same in memory and by way of a file, of one pool and of several."""

import pytest
import torch

from mtl.data.inputs import scratch
from mtl.data.inputs.rows import Rows
from mtl.data.loading.pools import Pool, Target
from mtl.experiment import saved

ENCODED = torch.arange(3000, dtype=torch.float32).reshape(1000, 3)


def pool(name: str, rows: torch.Tensor) -> Pool:
    return Pool(name, "table", Rows(ENCODED, rows), {name: Target(torch.zeros(len(rows), dtype=torch.int64))})


@pytest.mark.parametrize("limit", [0, 1 << 25])
def test_each_sample_once_in_the_order_of_rows(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "IN_MEMORY", limit)
    monkeypatch.setattr(saved, "BLOCK", 64)
    evens, threes = torch.arange(0, 1000, 2), torch.arange(0, 1000, 3)
    samples = saved._gathered([pool("evens", evens), pool("threes", threes), pool("again", evens)])
    both = [row for row in range(1000) if row % 2 == 0 or row % 3 == 0]
    assert torch.equal(samples, ENCODED[both])


def test_a_pool_by_itself_keeps_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved, "BLOCK", 64)
    rows = torch.arange(999, 0, -2)
    assert torch.equal(saved._gathered([pool("odd", rows)]), ENCODED[rows])
