"""Blocks of samples that count as independent: stretches of a series, groups, single samples."""

import pytest
import torch

from mtl.data.inputs.every import input_of
from mtl.data.inputs.windows import MOST_BLOCKS
from tests.helpers.problems import stored, waves


@pytest.mark.parametrize(
    ("rows", "length", "ahead", "count"),
    [(3200, 64, 6, MOST_BLOCKS), (640, 64, 6, 10), (640, 16, 128, 5), (63, 64, 0, 1), (1000, 64, 1, 15)],
)
def test_a_series_falls_into_long_stretches(rows: int, length: int, ahead: int, count: int) -> None:
    block = input_of(waves()).blocks(torch.arange(100, 100 + rows), length, ahead)
    assert torch.equal(block, block.sort().values) and block.unique().tolist() == list(range(count))
    sizes = torch.bincount(block)
    assert int(sizes.max() - sizes.min()) <= 1 and (count == 1 or int(sizes.min()) >= max(length, ahead))


def test_missing_samples_move_no_border() -> None:
    source, numbers = input_of(waves()), torch.arange(500)
    kept = torch.cat([numbers[:3], numbers[200:410], numbers[490:]])
    assert torch.equal(source.blocks(kept, 8, 4), source.blocks(numbers, 8, 4)[kept])


def test_stored_windows_fall_into_groups() -> None:
    """Windows of 10 rows, of which the last 8 are the sample; the group of two of them is not told."""
    fold = torch.tensor([-1] * 6 + [0, 1])
    groups = torch.tensor([4, 4, 2, -1, 2, -1, 9, 9])
    labels = {"up": torch.tensor([0, 1] * 4)}
    numbers = torch.arange(6) * 10 + 2
    single, grouped = (input_of(stored(8, 10, fold, labels, groups=g)) for g in (None, groups))
    assert len(single.blocks(numbers, 8, 0).unique()) == 6
    assert grouped.blocks(numbers, 8, 0).tolist() == [4, 4, 2, -1, 2, -1]
