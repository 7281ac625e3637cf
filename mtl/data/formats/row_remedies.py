"""Lines of a text file that are no rows of data: units below the names, comments, footers."""

import json
import re

import numpy as np
import pandas as pd

from mtl.config.table_file import MISSING_NUMBERS
from mtl.data.formats.cell_remedies import MOST_LAST, WAYS
from mtl.data.formats.records import cells
from mtl.data.formats.remedies import for_structure
from mtl.data.formats.table import Table
from mtl.data.formats.text_file import TextFile, header_of_data
from mtl.data.formats.windowed import Windowed
from mtl.errors import LayoutError, shown

COMMENTS = b"#%!"
NEWLINE = 10
CHUNK = 1 << 20
"""Bytes that are searched for line ends at a time."""
MOST_SHORT = 1000
"""Rows without a last cell that are looked at."""
DECIMAL_COMMA = re.compile(r"\s*[+-]?[0-9]+,[0-9]+\s*")


def check_rows(table: Table) -> None:
    """Raises a DataError on a line that is no row, with the option that leaves it out or reads it; notes classes whose
    names are numbers with decimal commas."""
    if table.text is None or not len(table.frame):
        return
    _check_parting(table)
    check_header(table)
    _check_comments(table)  # Before units: a comment below the header looks like a row of them.
    check_sheet_rows(table)
    for label in table.options.roles.get("labels", []):
        names = table.frame[label].dropna().unique()
        if len(names) > 1 and all(DECIMAL_COMMA.fullmatch(str(name)) for name in names):
            table.notes.append(
                f"{label}: its classes are numbers with decimal commas, such as {shown(str(names[0]))}; as a column of "
                'numbers it would need `decimal: ","`.'
            )


def check_header(table: Table) -> None:
    """Raises a DataError where the names of the columns are a row of data: every one is a number over numbers, or is
    among the cells below it or written as all of them are (a date over dates)."""
    if table.options.columns is not None or len(table.frame) < 2:
        return
    names = [str(name) for name in table.frame.columns]
    numbers = [name for name in names if any(way.number(name) is not None for way in WAYS)]
    others = [name for name in names if name not in numbers]
    if not numbers or not others:
        return  # Names that are all words are names; those that are all numbers were looked at with the header.
    over_numbers = all(pd.api.types.is_numeric_dtype(table.frame[name]) for name in numbers)
    if over_numbers and all(_is_like_below(table.frame[name], name) for name in others):
        line = table.text.header if table.text is not None else table.options.skip_rows + 1
        raise header_of_data(names, line, table.options)


def _is_like_below(cells: pd.Series, name: str) -> bool:
    """True for a name that is among the cells of its column, or that holds digits where all of them do, as dates."""
    # A cell that may stand for a missing value, such as `none`, names no column.
    if name in MISSING_NUMBERS or bool((cells.astype(str).str.strip() == name).any()):
        return True
    known = cells.dropna().iloc[:100]
    return re.search(r"\d", name) is not None and len(known) > 1 and all(_shape(cell) == _shape(name) for cell in known)


def check_sheet_rows(table: Table) -> None:
    """Raises a DataError on a row of units below the names, or on a footer below the last row."""
    _check_units(table)
    _check_footer(table)


def _check_parting(table: Table) -> None:
    """All lines are one cell each, and another separator parts them."""
    if table.text is None or len(table.text.names) > 1 or pd.api.types.is_numeric_dtype(table.frame.iloc[:, 0]):
        return
    remedy = for_structure(table.text.whole, table.options)
    if remedy:
        raise LayoutError(
            f"{table.at(0)}: should have several cells, found {shown(str(table.frame.iloc[0, 0]))}.{remedy.sentence}",
            remedy.options,
        )


def note_short_rows(table: Table) -> None:
    """Notes rows with fewer cells than there are columns: what they lack is read as empty cells at their end."""
    file = table.text
    if file is None or len(file.names) < 2 or not len(table.frame.columns):
        return
    suspects = np.flatnonzero(table.frame.iloc[:, -1].isna().to_numpy())[:MOST_SHORT]
    if not len(suspects) or b'"' in file.data or not file.form.plain or b"\n" not in file.data:
        return
    places = np.delete(np.arange(len(table.frame) + len(file.blank)), file.blank)[suspects]
    ends = _line_ends(file.data, file.body, int(places[-1]) + 1)
    starts = np.concatenate([[file.body], ends + 1])
    short = []
    for row, place in zip(suspects, places, strict=True):
        line = file.data[starts[place] : ends[place] if place < len(ends) else len(file.data)].rstrip(b"\r")
        if len(cells(line, file.form)) < len(file.names):
            short.append(row)
    if short:
        many = "at least " if len(suspects) == MOST_SHORT else ""
        table.notes.append(
            f"{table.path}: {many}{len(short)} rows have fewer cells than the {len(file.names)} columns, the first in "
            f"line {table.lines[short[0]]}: cells are taken to be missing at their end."
        )


def _line_ends(data: bytes | Windowed, start: int, count: int) -> np.ndarray:
    """Places of the first line ends [at least `count`, or all of them] from a byte on."""
    parts, held = [np.empty(0, dtype=np.int64)], 0
    while held < count and start < len(data):
        size = min(CHUNK, len(data) - start)
        parts.append(np.flatnonzero(np.frombuffer(data[start : start + size], np.uint8) == NEWLINE) + start)
        held, start = held + len(parts[-1]), start + size
    return np.concatenate(parts)


def _check_units(table: Table) -> None:
    """The first row has words where later rows have numbers, and no number nor a digit among its stamps."""
    headless = table.options.columns is not None or (table.text is not None and not table.text.header)
    if table.options.units_row or headless or len(table.frame) < 2:
        return
    numbers = [name for name in table.number_columns if name in table.frame.columns]
    first, second = table.frame.iloc[0], table.frame.iloc[1]
    words = [first[name] for name in numbers if isinstance(first[name], str)]
    if not words or not all(pd.isna(first[name]) or isinstance(first[name], str) for name in numbers):
        return
    if any((table.frame[name].iloc[1:] == first[name]).any() for name in numbers if isinstance(first[name], str)):
        return  # Names of categories come again; a unit does not.
    if any(way.number(word) is not None for word in words for way in WAYS):
        return
    stamps = [str(first[name]) for name in table.options.roles.get("date", []) if not pd.isna(first[name])]
    below = [str(second[name]) for name in numbers if isinstance(first[name], str) and not pd.isna(second[name])]
    if any(re.search(r"\d", stamp) for stamp in stamps) or not any(
        way.number(cell) is not None for cell in below for way in WAYS
    ):
        return
    raise LayoutError(
        f"{table.at(0)}: should be a row of data, found {shown(', '.join(words[:4]))}: if these are the units of the "
        "columns, set `units_row: true`.",
        {"units_row": True},
    )


def _check_comments(table: Table) -> None:
    """A line begins as comments do and has other cells than a row."""
    file = table.text
    if file is None or table.options.comment is not None:
        return
    for code in COMMENTS:
        # Most files do not hold the sign at all, which is told much faster than that no line begins with it.
        at = file.data.find(bytes([10, code]), max(file.body - 1, 0)) if code in file.data else -1
        if at < 0:
            continue
        end = file.data.find(b"\n", at + 1)
        line = file.data[at + 1 : end if end >= 0 else len(file.data)].rstrip(b"\r")
        if len(cells(line, file.form)) >= len(file.names):
            continue
        number = file.data.count(b"\n", 0, at + 1) + 1
        raise LayoutError(
            f"{table.path}, line {number}: should be a row of {len(file.names)} cells, found "
            f"{shown(line.decode('utf-8', errors='replace'))}: if it is a comment, set `comment: "
            f"{json.dumps(chr(code))}`.",
            {"comment": chr(code)},
        )


def _check_footer(table: Table) -> None:
    """The last lines have no digit where all others have time stamps, or nothing but a text unlike one."""
    stamps = table.options.roles.get("date", [])[:1]
    if len(table.frame) <= 2 * MOST_LAST:
        return
    if not stamps:
        _check_text_alone(table)
        return
    column = table.frame[stamps[0]].astype(str) if len(table.frame) < 100 else table.frame[stamps[0]].iloc[-100:]
    shapes = {_shape(cell) for cell in column.iloc[: len(column) - MOST_LAST]}
    alone = table.frame.drop(columns=stamps[0]).iloc[-len(column) :].isna().all(axis=1)
    alone &= len(table.frame.columns) > 1
    digits = [
        re.search(r"\d", str(cell)) is not None and not (nothing_else and _shape(cell) not in shapes)
        for cell, nothing_else in zip(column, alone, strict=True)
    ]
    count = digits[::-1].index(True) if True in digits else 0
    if not 0 < count <= MOST_LAST or not all(digits[: len(digits) - count]):
        return
    row = len(table.frame) - count
    if pd.isna(table.frame[stamps[0]].iloc[row]):
        return
    raise LayoutError(
        f"{table.at(row, stamps[0])}: should be a time stamp, found {shown(str(table.frame[stamps[0]].iloc[row]))}: if "
        f"the file ends in a footer from here on, set `skip_footer: {count}`.",
        {"skip_footer": count},
    )


def _check_text_alone(table: Table) -> None:
    """The last lines have one cell alone, which no row above holds, where each of these has more."""
    columns = list(table.frame.columns)
    if len(columns) < 2 or table.text is None:
        return
    last = table.frame.iloc[-100:]
    alone = (last[columns[1:]].isna().all(axis=1) & last[columns[0]].notna()).to_numpy()
    count = int(alone[::-1].argmin()) if not alone.all() else 0
    if not 0 < count <= MOST_LAST or alone[: len(alone) - count].any():
        return
    # A row whose other cells are empty has their separators.
    ends = _end(table.text).split(b"\n")[-count:]
    if any(len(cells(line.rstrip(b"\r"), table.text.form)) > 1 for line in ends):
        return
    rows = range(len(table.frame) - count, len(table.frame))
    texts = [table.frame[columns[0]].iloc[row] for row in rows]
    cells_above = set(table.frame[columns[0]].iloc[: len(table.frame) - count].unique())
    if not all(isinstance(text, str) and text not in cells_above for text in texts):
        return
    raise LayoutError(
        f"{table.at(rows[0])}: should be a row of {len(columns)} cells, found {shown(texts[0])} alone, which no other "
        f"row holds: if the file ends in a footer from here on, set `skip_footer: {count}`; if it is a row, write the "
        "separators of its empty cells.",
        {"skip_footer": count},
    )


def _end(text: TextFile) -> bytes:
    """The last lines of the rows, without blanks at their end."""
    size = CHUNK
    while True:
        begin = max(text.body, len(text.data) - size)
        end = text.data[begin:].rstrip()
        if begin == text.body or end.count(b"\n") > MOST_LAST:
            return end
        size *= 2


def _shape(cell: object) -> str:
    """The cell with each number as 0, each word as a."""
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "0", str(cell)))
