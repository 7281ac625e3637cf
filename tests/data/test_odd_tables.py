"""Generated tables: each is read as it was planted, or refused with a message whose remedy reads it."""

from pathlib import Path
from typing import Any

import numpy as np

from mtl.config.table_source import TableSource
from mtl.data.build import read_source
from mtl.errors import DataError
from mtl.types import NO_CATEGORY, RowSet
from tests.helpers.cases import few_and_many, for_all, place
from tests.helpers.odd_tables import OddTable, odd_tables, planted


def read(folder: Path, table: OddTable, options: dict[str, Any]) -> RowSet | str:
    """The rows, or the message that refuses them."""
    (folder / "own.csv").write_bytes(table.data)
    section = {"kind": "table", "path": "own.csv", "folds": 1} | options
    try:
        rows = read_source("own", TableSource.model_validate(section), folder)
    except DataError as error:
        return str(error)
    assert isinstance(rows, RowSet)
    return rows


def check(table: OddTable) -> None:
    with place() as folder:
        rows = read(folder, table, table.options)
        if isinstance(rows, str):
            assert table.remedy, f"{rows}\n{planted(table)}"
            assert "own.csv" in rows and table.word in rows, f"{rows}\n{planted(table)}"
        if table.remedy:
            assert isinstance(rows, str), f"read without a word\n{planted(table)}"
            rows = read(folder, table, table.options | table.remedy)
            assert not isinstance(rows, str), f"{rows}\n{planted(table)}"
    assert not isinstance(rows, str)
    compare(table, rows)


def compare(table: OddTable, rows: RowSet) -> None:
    """Holds what was read against what was planted; columns that never change in training are no inputs."""
    told = " ".join(rows.notes)
    count = len(rows.values)
    for column, values in table.numbers.items():
        if column not in rows.columns:
            assert f"{column}: left out" in told, f"{column} is gone\n{planted(table)}"
            continue
        expected = np.array([np.nan if value is None else value for value in values[:count]])
        assert np.allclose(rows.values[:, rows.columns.index(column)].numpy(), expected, equal_nan=True), planted(table)
    for column, names in table.names.items():
        if column not in rows.category_columns:
            assert f"{column}: left out" in told, f"{column} is gone\n{planted(table)}"
            continue
        assert rows.categories is not None
        codes = rows.categories[:, rows.category_columns.index(column)].tolist()
        vocabulary = rows.vocabularies[column]
        assert [None if c == NO_CATEGORY else vocabulary[c] for c in codes] == names[:count], planted(table)
    for column in table.left_out:
        assert column not in (*rows.columns, *rows.category_columns) and f"{column}: left out" in told


@few_and_many(25, 400)
def test_tables_are_read_as_planted_or_refused_with_a_remedy_that_reads_them(cases: int) -> None:
    for_all(odd_tables(), cases, check)
