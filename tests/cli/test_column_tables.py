"""Columns of a file as they are printed."""

from io import StringIO

import pytest
from rich.console import Console

from mtl.cli.column_tables import print_columns
from mtl.data.columns.facts import ColumnFacts


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (1.0, 12345.0, "1 to 12,345"),
        (0.25, 1e12, "0.25 to 1e+12"),
        (5.0, 5.0, "5"),
        ("2020-01-31 10:00", "2021-02-28 11:30", "2020-01-31 to 2021-02-28"),
        ("2020-01-31 10:00", "2020-01-31 11:30", "2020-01-31"),
        (None, None, "-"),
    ],
)
def test_a_range_says_one_end_where_both_read_alike(
    low: float | str | None, high: float | str | None, shown: str
) -> None:
    said = StringIO()
    fact = ColumnFacts("height", "number", "whole numbers", 0, 2, low, high, "an example")
    print_columns([fact], 10, [], Console(file=said, width=120))
    line = next(line for line in said.getvalue().splitlines() if "an example" in line)
    cells = line.removesuffix("an example").split(maxsplit=4)
    assert cells[:4] == ["height", "number", "-", "2"]
    assert cells[4].strip() == shown
