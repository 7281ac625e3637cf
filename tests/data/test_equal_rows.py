"""Rows that equal each other: by keys of 64 bits, and right where keys of different rows are the same."""

import numpy as np
import pytest

from mtl.data.sources import table_rows
from mtl.data.sources.table_columns import Column
from mtl.data.sources.table_rows import equal_rows


def columns_of(*values: np.ndarray) -> list[Column]:
    return [Column(f"c{place}", f"c{place}", given, None if given.dtype.kind == "f" else ["a"]) for place, given in
            enumerate(values)]  # fmt: skip


@pytest.mark.parametrize("mixed", [table_rows.MIXED, ((0, 1),)], ids=["keys that differ", "one key for all"])
@pytest.mark.parametrize("block", [1 << 17, 7])
def test_equal_rows_have_one_number_in_the_order_of_the_table(
    mixed: tuple[tuple[int, int], ...], block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_rows, "MIXED", mixed)
    monkeypatch.setattr(table_rows, "BLOCK", block)
    random = np.random.default_rng(0)
    numbers = random.choice([0.0, -0.0, 1.5, np.nan, -np.nan, np.inf], size=200)
    codes = random.integers(-1, 3, size=200).astype(np.int32)
    rows = ["nan" if np.isnan(number) else number + 0.0 for number in numbers.tolist()]
    seen: dict[object, int] = {}
    expected = [seen.setdefault(row, len(seen)) for row in zip(rows, codes.tolist(), strict=True)]
    assert equal_rows(columns_of(numbers, codes), 200).tolist() == expected


def test_rows_that_all_differ_are_counted() -> None:
    assert equal_rows(columns_of(np.array([3.0, 1.0, np.nan]), np.zeros(3, dtype=np.int32)), 3).tolist() == [0, 1, 2]
    assert equal_rows([], 3).tolist() == [0, 0, 0]
