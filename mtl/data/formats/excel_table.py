"""A table from a sheet of an Excel workbook: names in the first row that is read, a row of data in each below.

openpyxl, which reads workbooks, is an extra: `pip install mtl[excel]`.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mtl.config.table_file import TableFile
from mtl.data.formats.archives import Archive
from mtl.data.formats.double_header import check_second_line, needs_second_line
from mtl.data.formats.packing import check_text
from mtl.data.formats.reading import check_count
from mtl.data.formats.records import Form
from mtl.data.formats.text_file import TextFile, column_names
from mtl.data.formats.text_table import without_unnamed
from mtl.errors import DataError, LayoutError, shown

if TYPE_CHECKING:
    from openpyxl.workbook import Workbook
    from openpyxl.worksheet.worksheet import Worksheet

MOST_NAMED = 8
"""Sheets that a message names."""
Cell = Any
"""A number, truth value, text, date, time, or None."""


def read_excel(path: Path, config: TableFile, notes: list[str]) -> tuple[pd.DataFrame, np.ndarray, dict[str, str]]:
    """The frame, its index counting from 0, the row of the sheet that each of its rows stands in, and the units.

    Values of formulas are those that the program which saved the workbook has worked out.

    Raises:
        DataError: no workbook, several sheets of which `sheet` names none, merged cells, a formula without its value.
    """
    book = _workbook(path, config, formulas=True)
    sheet = _sheet(book, config, notes)
    check_count(sheet.max_row * sheet.max_column, config.path)
    rows: list[Sequence[Cell]] = [list(row) for row in sheet.iter_rows(min_row=1, min_col=1, values_only=True)]
    if any(cell.data_type == "f" for row in sheet.iter_rows() for cell in row):
        rows = _with_values(path, config, sheet, rows)
    while rows and _is_blank(rows[-1]):
        rows.pop()
    rows = rows[: len(rows) - config.skip_footer] if config.skip_footer else rows
    first = config.skip_rows
    if first >= len(rows):
        raise DataError(f"{config.path}: should have a row below the first {first}, found none: lower `skip_rows`.")
    _check_merged(sheet, first + 1, config)
    _note_hidden(sheet, config, notes)
    width = max((at for row in rows[first:] for at, cell in enumerate(row, 1) if cell is not None), default=0)
    units: dict[str, str] = {}
    if config.columns is not None:
        names = list(config.columns)
        if len(names) != width:
            raise DataError(
                f"{config.path}: `columns` should name {width} columns, as the sheet {shown(sheet.title)} has, found "
                f"{len(names)}."
            )
        body = first
    else:
        names, units, body = _named(rows, first, width, config, notes)
    kept = [(number, row[:width]) for number, row in enumerate(rows[body:], body + 1)]
    frame = pd.DataFrame({name: _column([row[at] for _, row in kept]) for at, name in enumerate(names)})
    header = TextFile(config.path, b"", Form(","), names, first + 1, 0, 0, notes=notes)
    return without_unnamed(frame, header), np.array([number for number, _ in kept], dtype=np.int64), units


def _workbook(path: Path, config: TableFile, formulas: bool) -> "Workbook":
    """The workbook with its formulas, or with the values that they had when it was saved."""
    try:
        import openpyxl
    except ImportError:
        raise DataError(
            f"{config.path}: workbooks are read with openpyxl, which is not installed: `pip install mtl[excel]`, or "
            "save the sheet as CSV."
        ) from None
    with path.open("rb") as file:
        head = file.read(512)
    if not head.startswith(b"PK"):
        check_text(head, config.path)
        raise DataError(f"{config.path} is not an Excel workbook (.xlsx), found other bytes: save its sheet as CSV.")
    if "xl/workbook.xml" not in Archive(path, config.path).names:  # Its size unpacked is bounded as well.
        raise DataError(f"{config.path} is not an Excel workbook (.xlsx), found another zip archive.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Of menus and formats in the file that openpyxl does not keep.
            return openpyxl.load_workbook(path, data_only=not formulas)
    # What openpyxl raises on damaged parts is of no one kind.
    except Exception as error:
        raise DataError(f"{config.path} is not an Excel workbook that can be read: {error}") from None


def _sheet(book: "Workbook", config: TableFile, notes: list[str]) -> "Worksheet":
    """The sheet that the config names, or the only visible one that holds cells."""
    sheets = {sheet.title: sheet for sheet in book.worksheets}
    titles = ", ".join(shown(title) for title in list(sheets)[:MOST_NAMED])
    if config.sheet is not None:
        if config.sheet not in sheets:
            raise DataError(f"{config.path}: there is no sheet {shown(config.sheet)}; found: {titles}.")
        return sheets[config.sheet]
    visible = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
    filled = [sheet for sheet in visible if any(not _is_blank(row) for row in sheet.iter_rows(values_only=True))]
    if not filled:
        raise DataError(f"{config.path} is empty: none of its visible sheets holds a cell.")
    if len(filled) > 1:
        raise DataError(
            f"{config.path}: several sheets hold cells ({titles}): set `sheet: {filled[0].title}`, or the one that is "
            "meant."
        )
    hidden = [sheet.title for sheet in book.worksheets if sheet not in visible]
    if hidden:
        notes.append(f"{config.path}: hidden sheets were not read: {', '.join(map(shown, hidden[:MOST_NAMED]))}.")
    return filled[0]


def _with_values(
    path: Path, config: TableFile, sheet: "Worksheet", formulas: list[Sequence[Cell]]
) -> list[Sequence[Cell]]:
    """The rows with the values of their formulas."""
    valued = _workbook(path, config, formulas=False)[sheet.title]
    rows: list[Sequence[Cell]] = [list(row) for row in valued.iter_rows(min_row=1, min_col=1, values_only=True)]
    for number, (row, written) in enumerate(zip(rows, formulas, strict=True), 1):
        for at, (cell, formula) in enumerate(zip(row, written, strict=True)):
            if cell is None and isinstance(formula, str) and formula.startswith("="):
                raise DataError(
                    f"{config.path}, row {number}, column {_letters(at)}: should hold the value of its formula "
                    f"{shown(formula)}, found none: open the workbook in a spreadsheet program and save it, or save "
                    "the sheet as CSV."
                )
    return rows


def _check_merged(sheet: "Worksheet", header: int, config: TableFile) -> None:
    """Raises a DataError on merged cells from the header on: only the first of them holds the value."""
    for merged in sheet.merged_cells.ranges:
        if merged.max_row < header:
            continue
        remedy, options = "split them, and write the value into each", {}
        if merged.min_row == header and config.columns is None:
            remedy = (
                f"if they are a title above the names of the columns, set `skip_rows: {merged.max_row}`; otherwise "
                "split them, and give each column a name"
            )
            options = {"skip_rows": merged.max_row}
        message = f"{config.path}, row {merged.min_row}: cells {merged.coord} are merged: {remedy}."
        raise LayoutError(message, options)


def _note_hidden(sheet: "Worksheet", config: TableFile, notes: list[str]) -> None:
    hidden = sum(bool(row.hidden) for row in sheet.row_dimensions.values())
    if hidden:
        notes.append(f"{config.path}: {hidden:,} rows that the sheet hides, as filters do, were read as well.")


def _named(
    rows: list[Sequence[Cell]], first: int, width: int, config: TableFile, notes: list[str]
) -> tuple[list[str], dict[str, str], int]:
    """Names of the columns, their units, and the place of the first row of data."""
    header = rows[first][:width]
    if _is_blank(header):
        message = f"should name the columns, found a blank row: set `skip_rows: {first + 1}`."
        raise LayoutError(f"{config.path}, row {first + 1}: {message}", {"skip_rows": first + 1})
    filled = sum(cell is not None for cell in header)
    if filled == 1 < width and any(sum(cell is not None for cell in row[:width]) == width for row in rows[first + 1 :]):
        below = next(at for at, row in enumerate(rows[first + 1 :], first + 1) if sum(c is not None for c in row) > 1)
        raise LayoutError(
            f"{config.path}, row {first + 1}: should name the {width} columns, found one cell, "
            f"{shown(next(cell for cell in header if cell is not None))}: set `skip_rows: {below}` if it is a title.",
            {"skip_rows": below},
        )
    raw, lines = [_name(cell) for cell in header], (first + 1, first + 1)
    if needs_second_line(raw) and not config.units_row:
        check_second_line(
            raw, [[_name(cell) for cell in row[:width]] for row in rows[first + 1 : first + 3]], lines, config
        )
    names = column_names(raw, lines, config, notes)
    if not config.units_row:
        return names, {}, first + 1
    under = rows[first + 1][:width] if first + 1 < len(rows) else []
    units = {name: str(cell).strip(" ()[]") for name, cell in zip(names, under, strict=False) if cell is not None}
    return names, {name: unit for name, unit in units.items() if unit}, first + 2


def _name(cell: Cell) -> str:
    """A name of a column: 2020 for the number 2020.0."""
    if cell is None:
        return ""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _column(cells: list[Cell]) -> pd.Series:
    """The cells as numbers, truth values or times where all of them are; blank texts are empty cells."""
    kept = [None if isinstance(cell, str) and not cell.strip() else cell for cell in cells]
    objects = pd.Series(kept, dtype=object)
    kinds = {type(cell) for cell in kept if cell is not None}
    if kinds and kinds <= {int, float}:
        whole = kinds == {int} and None not in kept and all(abs(cell) < 2**63 for cell in kept if cell is not None)
        return objects.astype(np.int64 if whole else np.float64)
    if kinds == {bool}:
        return objects.astype("boolean" if None in kept else bool)
    if {kind.__name__ for kind in kinds} == {"datetime"}:
        return pd.to_datetime(objects)
    return objects


def _is_blank(row: Sequence[Cell]) -> bool:
    return all(cell is None or (isinstance(cell, str) and not cell.strip()) for cell in row)


def _letters(at: int) -> str:
    """Letters of a column from 0: A, B, …, Z, AA."""
    letters = ""
    at += 1
    while at:
        at, rest = divmod(at - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
