"""Columns of categories: names, by the same rules as those of classes."""

from collections.abc import Sequence

import numpy as np

from mtl.data.columns.cells import written_cells
from mtl.data.formats.factorized import factorized
from mtl.data.formats.labels import numbers_of_classes
from mtl.data.formats.table import Table
from mtl.data.inputs import scratch


def category_column(table: Table, column: str, exact: bool, notes: list[str]) -> tuple[np.ndarray, list[str]]:
    """Category of each row and the names of all of them.

    Blanks around a name, letter case and spellings of one number tell no categories apart unless `exact`; `missing` of
    the file replaces the usual texts that stand for nothing.

    Args:
        table: as it was read.
        column: of names, or of numbers that are names.
        exact: every spelling is a category of its own.
        notes: takes what was unified or left out.

    Returns:
        [R] int64 places in the names, -1 where a cell is missing; names in their order.
    """
    codes, texts = factorized(written_cells(table, [column])[column])
    if not exact:
        counts = scratch.counted(codes, len(texts))
        blanks = sum(int(count) for text, count in zip(texts, counts, strict=True) if text != text.strip())
        if blanks:
            notes.append(f"{column}: blanks around {blanks:,} of its cells were taken off.")
        place: dict[str, int] = {}
        mapped = [place.setdefault(text.strip(), len(place)) for text in texts]
        codes, texts = scratch.mapped(codes, np.array([*mapped, -1], dtype=np.int32)), list(place)
    numbers, names = numbers_of_classes(codes, texts, column, notes, exact, table.options.missing)
    return _without_markers(numbers, names, table.options.missing_markers)


def _without_markers(numbers: np.ndarray, names: list[str], markers: Sequence[float]) -> tuple[np.ndarray, list[str]]:
    """The same without the names that are numbers which stand for a missing value."""
    marked = [name for name in names if markers and _number(name) in markers]
    if not marked:
        return numbers, names
    kept = [name for name in names if name not in marked]
    places = {name: place for place, name in enumerate(kept)}
    mapped = np.array([*(places.get(name, -1) for name in names), -1], dtype=np.int64)
    return scratch.mapped(numbers, mapped), kept


def _number(name: str) -> float | None:
    try:
        return float(name)
    except ValueError:
        return None
