"""A table of many columns of names goes through the reader a few times, and not once for each column."""

from pathlib import Path

import numpy as np
import pytest

from mtl.config.table_source import TableSource
from mtl.data.build import read_source
from mtl.data.columns import cells
from mtl.types import RowSet

ROWS = 30


@pytest.mark.parametrize("columns", [4, 40])
def test_the_file_is_read_as_often_for_many_columns_as_for_few(
    columns: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (["ash", "elm"], ["yes", "no"], ["0", "1"], ["01", "02"])
    kinds = [words[column % 4] for column in range(columns)]
    lines = [",".join(f"c{column}" for column in range(columns)) + ",size"]
    lines += [",".join(kind[(row + column) % 2] for column, kind in enumerate(kinds)) + f",{row}.5"
              for row in range(ROWS)]  # fmt: skip
    (tmp_path / "own.csv").write_text("\n".join(lines) + "\n")
    whole = 0
    read = cells.raw_rows

    def counted(*arguments: object) -> object:
        nonlocal whole
        whole += 1
        return read(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(cells, "raw_rows", counted)
    section = TableSource(kind="table", path="own.csv", folds=1, types={"c2": "category"})
    rows = read_source("own", section, tmp_path)
    assert isinstance(rows, RowSet) and rows.categories is not None
    assert rows.category_columns == [f"c{column}" for column in range(columns)]
    for column, kind in enumerate(kinds):
        held = np.array(rows.vocabularies[f"c{column}"])[rows.categories[:, column].numpy()]
        assert held.tolist() == [kind[(row + column) % 2] for row in range(ROWS)]
    assert whole <= 3
