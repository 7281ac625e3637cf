"""Cells of columns as they are written: 01234 keeps its zero, and `None` and `-` may be names.

R rows, D different texts.
"""

from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mtl.data.formats.factorized import factorized
from mtl.data.formats.labels import shortest
from mtl.data.formats.table import Table
from mtl.data.formats.text_table import raw_rows
from mtl.data.inputs import scratch


@dataclass(frozen=True)
class Texts:
    """The different texts of a column.

    Args:
        codes: text of each row, a place in `names` [R]; -1 for a missing cell.
        names: each text without blanks around it, in the order of the rows [D].
        counts: rows of each [D].
    """

    codes: np.ndarray
    names: list[str]
    counts: np.ndarray

    @property
    def missing(self) -> int:
        """Rows without a text."""
        return len(self.codes) - int(self.counts.sum())

    def without(self, missing: AbstractSet[str]) -> "Texts":
        """The same texts, of which some hold nothing."""
        return self if missing.isdisjoint(self.names) else _mapped(self.codes, self.names, missing)

    @property
    def most(self) -> int:
        """Place of the most frequent text; of equally frequent ones, of the first in the order of letters."""
        often = np.flatnonzero(self.counts == self.counts.max())
        return int(min(often, key=lambda place: self.names[place]))


def written_cells(table: Table, columns: Sequence[str], keep: bool = False) -> dict[str, pd.Series]:
    """Cells of some columns as texts, as the file writes them; NaN where a file of another format than text holds none.

    Args:
        table: as it was read.
        columns: of its frame.
        keep: the cells stay with the file, for those who ask for single columns: each reading goes through all of it.
    """
    if table.text is None:
        return {name: _as_texts(table.frame[name]) for name in columns}
    there = set(table.text.names)
    read = table.text.written
    absent = [name for name in columns if name in there and name not in read]
    if absent:
        raw = raw_rows(table.text, absent)
        fresh = {name: raw[name] for name in absent}
        read = read | fresh
        if keep:
            table.text.written.update(fresh)
    rows = table.lines.rows
    cells = {name: read[name] if name in there else _as_texts(table.frame[name]) for name in columns}
    count = next((len(read[name]) for name in columns if name in there), 0)
    if count and not scratch.counts_from_0(rows, count):
        taken = {name: texts.iloc[rows].reset_index(drop=True) for name, texts in cells.items() if name in there}
        return cells | taken
    return cells


def _as_texts(cells: pd.Series) -> pd.Series:
    """Texts of cells that a file holds as numbers, dates and the like: 1 for 1.0."""
    if isinstance(cells.dtype, pd.StringDtype):
        codes, texts = factorized(cells)
        return pd.Series(pd.Categorical.from_codes(codes, pd.Index(texts)), copy=False)
    objects = cells.astype(object)
    known = objects.notna()
    texts = [_text(cell) for cell in objects[known]]
    written = pd.Series(np.full(len(cells), np.nan, dtype=object), index=cells.index, dtype=object)
    written[known] = texts
    return written


def _text(cell: object) -> str:
    if isinstance(cell, str):
        return cell
    return shortest(float(cell)) if isinstance(cell, float | np.floating) else str(cell)


def texts_of(cells: pd.Series, missing: Collection[str] = ()) -> Texts:
    """The different texts among the cells, without blanks around them.

    Args:
        cells: [R] texts; NaN is a missing cell.
        missing: texts that hold nothing.
    """
    codes, distinct = factorized(cells)
    return _mapped(codes, [text.strip() for text in distinct], missing)


def _mapped(codes: np.ndarray, spellings: list[str], missing: Collection[str]) -> Texts:
    """The texts of the spellings that are not missing, each once.

    Args:
        codes: place of each row in the spellings [R]; -1 for none.
        spellings: texts, of which several may be equal.
        missing: texts that hold nothing.
    """
    place: dict[str, int] = {}
    mapped = [-1 if text in missing else place.setdefault(text, len(place)) for text in spellings]
    if mapped != list(range(len(spellings))):
        codes = scratch.mapped(codes, np.array([*mapped, -1], dtype=np.int32))
    return Texts(codes, list(place), scratch.counted(codes, len(place)))
