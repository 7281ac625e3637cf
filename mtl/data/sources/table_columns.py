"""Columns of a table as a source holds them: numbers, or categories with their names. S rows."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mtl.config.table_source import ONCE, TableSource
from mtl.data.columns.booleans import boolean_column, truth
from mtl.data.columns.categories import category_column
from mtl.data.columns.cells import written_cells
from mtl.data.columns.dates import date_numbers
from mtl.data.columns.facts import ColumnFacts
from mtl.data.columns.infer import NAMES
from mtl.data.columns.markers import likely_markers
from mtl.data.formats.factorized import factorized
from mtl.data.formats.numbers import number_column
from mtl.data.formats.table import Table
from mtl.data.inputs import scratch
from mtl.errors import DataError

NO_CATEGORY = -1
FEW_CATEGORIES = 1000
"""Categories of a column from which on it is told of: nearly each row may have one of its own."""


@dataclass(frozen=True)
class Column:
    """A column of the source.

    Args:
        name: of the column; parts of a date have their own.
        origin: name of the column of the file that it was made from.
        values: [S] float64 numbers (NaN is missing), or int32 places in `names` (-1 is missing).
        names: categories in their order; None for numbers.
    """

    name: str
    origin: str
    values: np.ndarray
    names: list[str] | None = None

    @property
    def missing(self) -> np.ndarray:
        """Mask [S] of the rows without a value."""
        mask: np.ndarray = np.isnan(self.values) if self.names is None else self.values == NO_CATEGORY
        return mask

    @property
    def codes(self) -> np.ndarray:
        """Number of the value of each row [S] int64, from 0; -1 is missing."""
        if self.names is not None:
            return self.values
        codes = np.full(len(self.values), NO_CATEGORY, dtype=np.int64)
        known = ~self.missing
        codes[known] = np.unique(self.values[known], return_inverse=True)[1]
        return codes


def read_columns(table: Table, facts: Sequence[ColumnFacts], config: TableSource, notes: list[str]) -> list[Column]:
    """The usable columns of the table, each read as its type says.

    Args:
        table: as it was read.
        facts: of its columns, in their order.
        config: the source.
        notes: takes what was left out or unified.

    Raises:
        DataError: a cell that is not what its column's type says, or a column of text or images; names a remedy.
    """
    _refuse_text(table, [column for column in facts if column.kind in ONCE and column.name not in config.once], config)
    written_cells(table, [column.name for column in facts if column.kind in NAMES], keep=True)
    columns: list[Column] = []
    for column in facts:
        columns += _read(table, column, config, notes)  # Says the line of a cell that cannot be read.
        if column.problem is not None:
            raise DataError(f"{table.path}, column `{column.name}`: {column.problem}.")
    return columns


def _read(table: Table, column: ColumnFacts, config: TableSource, notes: list[str]) -> list[Column]:
    name = column.name
    if column.kind != "ignore" and name not in config.types:
        notes += [f"{name}: {doubt}." for doubt in column.doubts]
    match column.kind:
        case "number":
            values = _without_markers(number_column(table, name), config)
            doubts = likely_markers(values[:, None], [name]) if column.problem is None else []
            notes += [f"{name}: {marker.doubt}." for marker in doubts if not marker.sure]
            return [Column(name, name, values)]
        case "boolean":
            return [_boolean(table, name, notes)]
        case "category":
            codes, names = category_column(table, name, name in config.exact_labels, notes)
            if len(names) > FEW_CATEGORIES:
                notes.append(f"{name}: has {len(names):,} categories; `ignore` leaves it out if each row names itself.")
            return [Column(name, name, _int32(codes), names)]
        case "text" if name == config.text_column:
            return [_texts(table, name)]
        case "date":
            parts = date_numbers(table, name, config.date_format.get(name), notes)
            return [Column(part, name, values) for part, values in parts.items()]
        case _:
            if name not in config.ignore and config.declared.get(name) != "ignore":
                called = name.strip() or "the column without a name"
                takes = column.distinct > 1 and pd.api.types.is_numeric_dtype(table.frame[name])
                remedy = f"; `types: {{{json.dumps(name, ensure_ascii=False)}: number}}` takes it in" if takes else ""
                notes.append(f"{called}: left out, for {column.why}{remedy}.")
            return []


def _boolean(table: Table, name: str, notes: list[str]) -> Column:
    """A column of no (0) and yes (1), named as most of its cells spell them."""
    truths = boolean_column(table, name)
    codes, spellings = category_column(table, name, exact=False, notes=[])
    counts = scratch.counted(codes, len(spellings))
    names = []
    for place, word in enumerate(("no", "yes")):
        spelt = [number for number, spelling in enumerate(spellings) if truth(spelling) == place]
        names.append(spellings[max(spelt, key=lambda number: counts[number])] if spelt else word)
        if len(spelt) > 1:
            others = ", ".join(repr(spellings[number]) for number in spelt if spellings[number] != names[-1])
            notes.append(f"{name}: `{names[-1]}` is also spelt {others}, which is the same here.")
    places = scratch.filled(
        len(truths), np.int32, lambda rows: np.where(np.isnan(truths[rows]), NO_CATEGORY, truths[rows]).astype(np.int32)
    )
    return Column(name, name, places, names)


def _int32(codes: np.ndarray) -> np.ndarray:
    return scratch.filled(len(codes), np.int32, lambda rows: codes[rows])


def _texts(table: Table, name: str) -> Column:
    """A column of texts, as the file writes them; a cell that holds nothing, or what `missing` of the file names, is
    missing."""
    codes, names = factorized(written_cells(table, [name])[name])
    missing = {"", *(table.options.missing or [])}
    place = [NO_CATEGORY if text.strip() in missing else number for number, text in enumerate(names)]
    return Column(name, name, scratch.mapped(codes, np.array([*place, NO_CATEGORY], dtype=np.int32)), names)


def _without_markers(values: np.ndarray, config: TableSource) -> np.ndarray:
    if config.missing_markers:
        markers = config.missing_markers
        return scratch.filled(
            len(values), np.float64, lambda rows: np.where(np.isin(values[rows], markers), np.nan, values[rows])
        )
    return values


def _refuse_text(table: Table, columns: Sequence[ColumnFacts], config: TableSource) -> None:
    """Raises a DataError on columns that no network reads yet, or that are read alone, unless `inputs` names the inputs
    and none of these."""
    if not columns or (config.inputs is not None and not any(column.name in config.inputs for column in columns)):
        return
    first = columns[0]
    names = ", ".join(f"`{column.name}`" for column in columns)
    those = "each of them" if len(columns) > 1 else "it"
    named = json.dumps(first.name, ensure_ascii=False)
    beside = " with `images: {folder: FOLDER}`" if first.kind == "image" else ""
    raise DataError(
        f"{table.path}, column `{first.name}`: is taken for {first.kind} ({first.why}), such as {first.example!r}: "
        f"`inputs: {{{named}: {first.kind}}}`{beside} learns from it alone, `encoder: {{kind: fusion}}` also "
        f"beside other inputs; else name {those} in `ignore` (found "
        f"{names}), or say "
        f"`types: {{{first.name}: category}}` if its {first.distinct:,} texts are categories."
    )
