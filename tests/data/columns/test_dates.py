"""Forms under which the cells of a column are dates."""

import pytest

from mtl.data.columns.dates import date_readings


@pytest.mark.parametrize(("days", "months", "first"), [(3, 2, "%d/%m/%Y"), (2, 3, "%m/%d/%Y")])
def test_the_form_that_reads_most_cells_stands_first(days: int, months: int, first: str) -> None:
    either = 95
    readings = date_readings(["05/06/2020"] * either + ["13/06/2020"] * days + ["06/13/2020"] * months)
    assert [int(reading.reads.sum()) for reading in readings] == [either + 3, either + 2]
    assert readings[0].name == first
