"""Columns of numbers, read as they are written."""

from collections.abc import Iterable
from decimal import Decimal

import numpy as np
import pandas as pd

from mtl.config.table_file import MISSING_NUMBERS
from mtl.data.formats.cell_remedies import for_cell
from mtl.data.formats.marks import Marks
from mtl.data.formats.table import Table
from mtl.data.formats.text_table import raw_rows
from mtl.data.inputs import scratch
from mtl.errors import DataError, shown

TRUTHS = {"true": 1.0, "false": 0.0}
WHOLE = 2.0**53
"""Size from which on a float64 has no decimals."""
FIRST_COLUMNS = 20
FIRST_ROWS = 2000
"""Columns and rows in which it is looked for first what points of a file mean."""


def number_column(table: Table, column: str) -> np.ndarray:
    """The column as float64 [R], NaN where a cell is empty or a marker of a missing value; it may be the table's own.

    Raises:
        DataError: a cell that is no finite number as the options of the file say; names line, column and remedy.
    """
    cells = table.frame[column]
    if pd.api.types.is_bool_dtype(cells) or not pd.api.types.is_numeric_dtype(cells):
        values = _from_text(table, column)
    else:
        values = as_floats(cells)
    if not scratch.every(len(values), lambda rows: ~np.isinf(values[rows])):
        infinite = np.flatnonzero(np.isinf(values))
        row = int(infinite[0])
        raise DataError(
            f"{table.at(row, column)}: should be a finite number, found {values[row]}: empty the cell, or name it "
            "among the texts of `missing`."
        )
    return values


def as_floats(cells: pd.Series) -> np.ndarray:
    """Cells of a column of numbers as float64 [R], NaN where one is missing; those that are so already as they are."""
    if cells.dtype == np.float64:
        return cells.to_numpy()
    return scratch.filled(
        len(cells), np.float64, lambda rows: cells.iloc[rows].to_numpy(dtype=np.float64, na_value=np.nan)
    )


def _from_text(table: Table, column: str) -> np.ndarray:
    """Numbers of a column that holds text, or what else a Parquet file holds."""
    cells, options = table.frame[column].astype(object), table.options
    marks = Marks(options.decimal_mark, options.thousands)
    missing = {*MISSING_NUMBERS, *(options.missing or [])}
    try:
        codes, kinds = pd.factorize(cells)
    except TypeError:
        raise DataError(_no_numbers(table, column)) from None
    truths = _truths(kinds, missing)
    if truths is not None:
        table.notes.append(f"{column}: true and false are read as 1 and 0.")
        return scratch.mapped(codes, truths)
    numbers = np.array([_number(cell, marks, missing) for cell in kinds] + [np.nan], dtype=object)
    wrong = np.array([number is None for number in numbers])
    rows = np.flatnonzero(wrong[codes])
    if len(rows):
        if not all(isinstance(cell, str | bool | int | float) for cell in kinds):
            raise DataError(_no_numbers(table, column))
        row = int(rows[0])
        raise DataError(
            f"{table.at(row, column)}: should be a number or an empty cell, found {shown(cells.iloc[row])}"
            f"{for_cell(table, column, rows)}"
        )
    return scratch.mapped(codes, numbers.astype(np.float64))


def _truths(kinds: Iterable[object], missing: set[str]) -> np.ndarray | None:
    """1 for true, 0 for false and NaN for a missing marker, of each kind of cell and of an empty one at the end; None
    where there are others."""
    words = ["" if isinstance(cell, str) and cell.strip() in missing else str(cell).strip().lower() for cell in kinds]
    if not {*words} & {*TRUTHS} or not {*words} <= {*TRUTHS, ""}:
        return None
    return np.array([*(TRUTHS.get(word, np.nan) for word in words), np.nan])


def _number(cell: object, marks: Marks, missing: set[str]) -> float | None:
    """The number of one cell, NaN for a marker of a missing value, None where it is no number."""
    match cell:
        case bool():
            return None
        case str():
            return np.nan if cell.strip() in missing else marks.number(cell)
        case int() | float() | Decimal():
            return float(cell)
        case _:
            return None


def _no_numbers(table: Table, column: str) -> str:
    cells = table.frame[column]
    return (
        f"{table.path}, column `{column}`: should hold numbers, found {cells.dtype} such as {shown(cells.iloc[0])}: "
        "leave it out of the file, or let `values` name the columns that are read."
    )


def ask_about_points(table: Table) -> None:
    """Raises a DataError where a point may stand between thousands, and says so in the notes where it hardly does.

    1.234 may be a number with three decimals, or 1234 as it is written in half of the world. A number of the file with
    another count of decimals, or with a 0 before the point, settles it; so does `decimal` in the config.
    """
    options = table.options
    if table.text is None or options.decimal is not None or options.thousands is not None:
        return
    floats = [name for name in table.number_columns if name in table.frame.columns
              and pd.api.types.is_float_dtype(table.frame[name])]  # fmt: skip
    first = (floats[:FIRST_COLUMNS], floats[FIRST_COLUMNS:])
    if not floats or any(_settled(raw_rows(table.text, some, FIRST_ROWS)) for some in first if some):
        return  # As in most files.
    if any(_has_other_decimals(table.frame[name].to_numpy()) for name in floats):
        return
    doubtful = [name for name in floats if bool((np.abs(table.frame[name].dropna() % 1) > 0).any())]
    if not doubtful:
        return
    cells = raw_rows(table.text, floats)
    if _settled(cells):
        return
    for name in doubtful:
        doubted = cells[name].str.contains(".", regex=False, na=False).to_numpy()
        whole = cells[name].str.strip().str.fullmatch(r"[+-]?[0-9]{1,3}", na=False).to_numpy()
        row = int(np.flatnonzero(doubted)[0])
        number = cells[name].iloc[row].strip()
        may_be = f"may be {number.replace('.', '')} with a point between thousands, or have three decimals"
        remedy = 'set `thousands: "."` with `decimal: ","`, or `decimal: "."`'
        if whole.any():
            raise DataError(
                f"{table.at(row, name)}: {number} {may_be}, and no other number of the file tells: {remedy}."
            )
        table.notes.append(f"{name}: {number} was read with three decimals; it {may_be}: {remedy} if it is known.")


def _settled(cells: pd.DataFrame) -> bool:
    """True when a number has a point with other than three digits behind it, or more than three or a 0 before it."""
    for name in cells.columns:
        pointed = cells[name].str.contains(".", regex=False, na=False)
        if not bool(cells[name][pointed].str.strip().str.fullmatch(r"[+-]?[1-9][0-9]{0,2}\.[0-9]{3}").all()):
            return True
    return False


def _has_other_decimals(values: np.ndarray) -> bool:
    """True when a number is no multiple of .001, or is below 1 but not 0: its point is no mark between thousands."""
    known = values[np.abs(values) < WHOLE]
    parts = known[:1000]
    for part in (parts, known):
        thousandths = part * 1000
        if bool((np.abs(thousandths - np.round(thousandths)) > 1e-6 * np.maximum(np.abs(thousandths), 1)).any()):
            return True
        if bool(((np.abs(part) < 1) & (part != 0)).any()):
            return True
    return False
