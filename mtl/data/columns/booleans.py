"""Columns of yes and no, in the words in which files write them."""

import numpy as np
import pandas as pd

from mtl.config.table_file import MISSING_NUMBERS
from mtl.data.columns.cells import texts_of, written_cells
from mtl.data.formats.numbers import as_floats
from mtl.data.formats.table import Table
from mtl.data.inputs import scratch
from mtl.errors import DataError, shown

TRUE = frozenset(("true", "t", "yes", "y", "on", "1", "1.0", "ja", "wahr", "oui", "vrai", "sí", "si", "sim"))
FALSE = frozenset(("false", "f", "no", "n", "off", "0", "0.0", "nein", "falsch", "non", "faux", "não"))


def truth(text: str) -> float | None:
    """1 for a word that says yes, 0 for one that says no, None for others; letter case tells none apart."""
    word = text.casefold()
    return 1.0 if word in TRUE else 0.0 if word in FALSE else None


def boolean_column(table: Table, column: str) -> np.ndarray:
    """The column as 0 and 1, float64 [R], NaN where a cell is missing.

    Raises:
        DataError: a cell that is neither yes nor no; names the line.
    """
    cells = table.frame[column]
    if pd.api.types.is_bool_dtype(cells):
        return as_floats(cells)
    missing = {*MISSING_NUMBERS, *(table.options.missing or [])}
    texts = texts_of(written_cells(table, [column])[column], missing)
    markers = table.options.missing_markers
    values = [np.nan if _marked(name, markers) else truth(name) for name in texts.names]
    wrong = np.array([value is None for value in [*values, np.nan]])
    if wrong.any():
        row = int(np.flatnonzero(wrong[texts.codes])[0])
        name = texts.names[texts.codes[row]]
        raise DataError(
            f"{table.at(row, column)}: should be yes or no (true, false, 1, 0, …), found {shown(name)}: let the column "
            f"be a category, or set `missing: [{name}]` if it stands for a missing value."
        )
    return scratch.mapped(texts.codes, np.array([*values, np.nan], dtype=np.float64))


def _marked(text: str, markers: list[float]) -> bool:
    try:
        return float(text) in markers
    except ValueError:
        return False
