"""Facts on columns of numbers: which of them are names, row numbers, dates or yes and no.

R rows.
"""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from mtl.config.table_file import MISSING_TEXTS
from mtl.data.columns.cells import texts_of, written_cells
from mtl.data.columns.dates import DIGITS, date_readings, said
from mtl.data.columns.doubts import CUT_FROM, cut_example, time_doubt
from mtl.data.columns.facts import ColumnFacts, group_warning, share_warnings
from mtl.data.columns.markers import likely_markers
from mtl.data.columns.names import COUNTER_NAME, has_code_name, has_id_name, names_things
from mtl.data.columns.words import cut_facts
from mtl.data.formats.labels import shortest
from mtl.data.formats.numbers import as_floats
from mtl.data.formats.table import Table
from mtl.data.formats.text_file import TextFile
from mtl.data.formats.text_table import raw_pieces
from mtl.data.formats.windowed import Windowed
from mtl.data.inputs import scratch

SURE = 100
"""Rows in which whole numbers that follow each other are row numbers, whatever the column's name."""
FEW = 12
"""Different whole numbers up to which they may as well be codes of categories."""
LEAST_ROWS = 3
PADDED = re.compile(rb"""[^0-9A-Za-z.:+/-]0[0-9]""")
"""A zero in front of a digit that does not belong to the decimals, a date or a time of day."""


def number_facts(table: Table, column: str, values: np.ndarray, padded: bool) -> ColumnFacts:
    """Facts on a column of numbers.

    Args:
        table: as it was read.
        column: of numbers.
        values: the numbers as they were read, integers or float64 [R]; NaN is a missing cell.
        padded: some are written with zeros in front, as 01234.
    """
    rows = len(values)
    absent = np.isnan(values) if values.dtype.kind == "f" else np.zeros(rows, dtype=bool)
    if table.options.missing_markers:
        absent = absent | np.isin(values, table.options.missing_markers)
    known = scratch.chosen(values, ~absent) if absent.any() else values
    missing = rows - len(known)
    if not len(known):
        return ColumnFacts(column, "ignore", "every cell is empty", missing, 0)
    tally = scratch.Tally(known)
    distinct = tally.distinct
    low, high = float(known.min()), float(known.max())
    example = shortest(float(known[0]))
    if padded:
        return _of_names(table, column, "written with zeros in front, as codes are")
    if distinct == 1 and not missing:
        return ColumnFacts(column, "ignore", f"every row holds {example}", 0, 1, low, high, example)
    told = share_warnings(rows, missing, tally.most, shortest(float(tally.often)))
    if distinct <= 2 and {float(tally.lowest), float(tally.highest)} <= {0.0, 1.0}:
        why = "0 and 1" if distinct == 2 else f"{example} or nothing"
        why = "true and false" if pd.api.types.is_bool_dtype(table.frame[column]) else why
        return ColumnFacts(column, "boolean", why, missing, distinct, low, high, example, tuple(told))
    if np.isinf(low) or np.isinf(high):
        return _with_infinite(column, known, missing, distinct, told)
    whole = low % 1 == 0 and _all_whole(known)
    if whole and high >= CUT_FROM and table.text is not None:
        written = texts_of(written_cells(table, [column])[column]).names
        if (cut := cut_example(column, written)) is not None:
            return cut_facts(column, missing, distinct, cut)
    if whole and (reason := _row_number(column, known, distinct, missing)) is not None:
        return ColumnFacts(column, "ignore", reason, missing, distinct, low, high, example)
    if whole and distinct < len(known) and names_things(column, distinct):
        return _of_things(
            table, column, _of_names(table, column, "whole numbers under the name of an id, which repeat")
        )
    if whole and not table.typed and has_code_name(column):
        return _of_names(table, column, "whole numbers under the name of codes")
    if whole and (dates := _dates(column, known, missing, told, distinct)) is not None:
        return dates
    marked = np.where(absent, np.nan, values) if table.options.missing_markers and missing else values
    told += [marker.doubt for marker in likely_markers(marked[:, None], [column])]
    why = "numbers"
    if whole:
        why = (
            f"whole numbers, {distinct} different; `category` if they are codes" if distinct <= FEW else "whole numbers"
        )
    doubt = time_doubt(column, known)
    doubts = () if doubt is None else (doubt,)
    return ColumnFacts(column, "number", why, missing, distinct, low, high, example, (*doubts, *told), doubts=doubts)


def may_be_padded(table: Table, columns: Sequence[str]) -> list[str]:
    """The columns of whole numbers, if the file holds a number with a zero in front at all; most files hold none."""
    if table.text is None:
        return []
    whole = [name for name in columns if _is_whole(table, name)]
    return whole if whole and _holds(table.text, PADDED) else []


def _holds(text: TextFile, pattern: re.Pattern[bytes]) -> bool:
    """True where a pattern of three bytes matches below the header."""
    if isinstance(text.data, Windowed):
        return text.data.search(pattern, text.body, 3) is not None
    return pattern.search(text.data, text.body) is not None


def padded_columns(table: Table, columns: list[str]) -> set[str]:
    """The columns in which some cell is written with a zero in front of other digits."""
    if not columns or table.text is None:
        return set()
    by_windows = isinstance(table.text.data, Windowed)
    pieces = raw_pieces(table.text, columns) if by_windows else [written_cells(table, columns)]
    return {name for piece in pieces for name in columns if _is_padded(piece[name])}


def _is_padded(cells: pd.Series) -> bool:
    return bool(cells.str.match(r"\s*0[0-9]+\s*$", na=False).any())


def _is_whole(table: Table, column: str) -> bool:
    cells = table.frame[column]
    if pd.api.types.is_bool_dtype(cells) or not pd.api.types.is_numeric_dtype(cells):
        return False
    if pd.api.types.is_integer_dtype(cells):
        return True
    values = as_floats(cells)
    return scratch.every(len(values), lambda rows: (values[rows] == np.floor(values[rows])) | np.isnan(values[rows]))


def _all_whole(known: np.ndarray) -> bool:
    return scratch.every(len(known), lambda rows: known[rows] == np.floor(known[rows]))


def _of_names(table: Table, column: str, why: str) -> ColumnFacts:
    """The facts on a column of numbers that are names."""
    texts = texts_of(written_cells(table, [column])[column], {*(table.options.missing or MISSING_TEXTS), ""})
    told = share_warnings(len(texts.codes), texts.missing, int(texts.counts.max()), texts.names[texts.most])
    known = len(texts.codes) - texts.missing
    if len(texts.names) == known >= LEAST_ROWS:
        return ColumnFacts(
            column, "ignore", "a code of its own in every row", texts.missing, known, example=texts.names[0]
        )
    return ColumnFacts(
        column, "category", why, texts.missing, len(texts.names), example=texts.names[texts.most], warnings=tuple(told)
    )


def _of_things(table: Table, column: str, facts: ColumnFacts) -> ColumnFacts:
    """The facts on an id that repeats, with what keeps its rows together."""
    told = group_warning(column, facts.distinct, len(table.frame))
    return ColumnFacts(
        column, facts.kind, facts.why, facts.missing, facts.distinct, example=facts.example,
        warnings=(*facts.warnings, told), group=True,
    )  # fmt: skip


def _with_infinite(column: str, known: np.ndarray, missing: int, distinct: int, told: list[str]) -> ColumnFacts:
    finite = known[np.isfinite(known)]
    infinite = len(known) - len(finite)
    names = [name for name, value in (("inf", known.max()), ("-inf", known.min())) if np.isinf(value)]
    problem = (
        f"{infinite:,} infinite cells among the numbers: empty them, or name them in `missing` as they are written"
    )
    low = float(finite.min()) if len(finite) else None
    high = float(finite.max()) if len(finite) else None
    return ColumnFacts(
        column, "number", "numbers", missing, distinct, low, high, shortest(float(known[0])), tuple(told),
        problem, {"missing": names},
    )  # fmt: skip


def _row_number(column: str, known: np.ndarray, distinct: int, missing: int) -> str | None:
    """Reason why whole numbers only tell one row from the others; None where they may tell more."""
    count = len(known)
    if count < LEAST_ROWS or distinct < count:
        return None
    following = not missing and float(known.max()) - float(known.min()) == count - 1
    if has_id_name(column):
        return "it counts the rows" if following else "a number of its own in every row"
    # From 0 or 1 on: years also follow each other, and each may be there once.
    counts_rows = following and float(known.min()) in (0.0, 1.0)
    if counts_rows and (count >= SURE or COUNTER_NAME.fullmatch(column.strip().lower())):
        return "it counts the rows"
    return None


def _dates(column: str, known: np.ndarray, missing: int, told: list[str], distinct: int) -> ColumnFacts | None:
    """The facts on numbers such as 20201231 that are dates; None if they are none."""
    if not known.min() > 0 or known.max() >= 2**53:
        return None
    if {len(str(int(number))) for number in (known.min(), known.max())} - set(DIGITS):
        return None
    readings = date_readings([str(int(number)) for number in pd.unique(known)])
    if not readings:
        return None
    when = readings[0].when.astype(f"datetime64[{readings[0].unit}]")
    why = f"digits that are dates as {readings[0].name}, in every row"
    example = str(int(known[0]))
    low, high = said(when.min()), said(when.max())
    return ColumnFacts(column, "date", why, missing, distinct, low, high, example, tuple(told))
