"""Rows of a file of delimited text, read by pandas' fast parser; layouts that it does not know are rewritten for it."""

import csv
import io
import warnings
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from mtl.config.table_file import MISSING_NUMBERS, WHITESPACE, TableFile
from mtl.data.formats.blank_lines import without_blank_lines
from mtl.data.formats.growing import IrregularError, frame_by_windows
from mtl.data.formats.records import Form, cells, records, replaced, stand_in, starts
from mtl.data.formats.text_file import UNNAMED, TextFile, unclosed
from mtl.data.formats.windowed import WINDOW, Stream, Windowed
from mtl.errors import DataError

COMMAS = (
    " If its numbers have decimal commas, no option tells these from separators: write the numbers with points, in "
    "quotes, or the file with another separator."
)
OLD = tuple(map(int, pd.__version__.split(".")[:2])) < (3, 1)
EXACT: dict[str, Any] = {"float_precision": "round_trip"} if OLD else {}
"""Before 3.1, pandas reads numbers to the last bit where it is asked to, and from then on it warns of being asked."""
ROWS = 1 << 17
"""Rows that are looked at together."""
EXTRA = "\x1fextra"
"""Name of the column behind a separator at the end of every line."""


def read_rows(file: TextFile, config: TableFile) -> tuple[pd.DataFrame, Callable[[], np.ndarray]]:
    """A frame whose index counts from 0, and what gives the line of each of its rows.

    Columns of labels and time stamps stay text, the former with every marker of a missing value but the empty cell;
    others are numbers where all their cells are.

    Raises:
        DataError: rows of different widths, a quotation mark that is never closed; names the line.
    """
    plain, lines = _plain(file)
    if isinstance(plain.data, Windowed):
        frame = _by_windows(plain, config, plain.data)
        if frame is not None:
            return without_unnamed(frame, file), lines
    try:
        frame = _parse(plain, config, file.names)
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        frame = _with_trailing_separator(plain, config, file, str(error))
    except (OSError, ValueError, OverflowError) as error:
        raise DataError(f"{file.where} cannot be read: {error}.") from None
    # Blank lines at the end of a file are no rows; a line of `NaN` is one whose values are missing.
    filled = np.flatnonzero(frame.notna().any(axis=1).to_numpy())
    empty = len(frame) - (int(filled[-1]) + 1 if len(filled) else 0)
    if empty:
        frame = frame.iloc[: len(frame) - min(empty, _blank_at_end(plain))]
    frame, lines = without_blank_lines(frame, file, lines)
    return without_unnamed(frame, file), lines


def raw_rows(file: TextFile, columns: list[str], most: int | None = None) -> pd.DataFrame:
    """The cells of some columns as they are written, without quotes; at most the first `most` rows."""
    plain, _ = _plain(file)
    options: dict[str, Any] = {"dtype": str, "keep_default_na": False, "nrows": most}
    # Where all is text, no part of the file needs to know of another, and its other columns are held in parts alone.
    options["low_memory"] = True
    frame: pd.DataFrame
    for way in _widths(file.names, columns):
        try:
            with _at_body(plain) as body:
                frame = pd.read_csv(body, **_layout(plain, []) | options | way)
            frame = frame if "usecols" in way else frame[columns]
            break
        except pd.errors.ParserError:
            if "usecols" not in way:
                raise
    blank = [row for row in file.blank if row < len(frame)]
    return frame.drop(index=blank).reset_index(drop=True) if blank else frame


def raw_pieces(file: TextFile, columns: list[str]) -> Iterator[pd.DataFrame]:
    """The same of all rows, some at a time."""
    if not isinstance(file.data, Windowed):
        yield raw_rows(file, columns)
        return
    options: dict[str, Any] = {"dtype": str, "keep_default_na": False, "chunksize": ROWS}
    plain, _ = _plain(file)
    for way in _widths(file.names, columns):
        try:
            with _at_body(plain) as body:
                for piece in pd.read_csv(body, **_layout(plain, []) | options | way):
                    yield piece if "usecols" in way else piece[columns]
            return
        except pd.errors.ParserError:
            if "usecols" not in way:
                raise


def _widths(names: list[str], columns: list[str]) -> list[dict[str, Any]]:
    """How some columns are read of rows as wide as the header, of such as end in a separator, and of rows that are all
    shorter than the header, whose last columns pandas fills up only where it reads every column."""
    return [{"names": names, "usecols": columns}, {"names": [*names, EXTRA], "usecols": columns}, {"names": names}]


def uneven(file: TextFile, reason: str) -> str:
    """The first line with more cells than there are columns, in words."""
    width = len(file.names)
    try:
        for record in records(file.data, file.form, file.body, file.line):
            count = len(cells(record.data, file.form))
            if count > width:
                what = "cells as the header has" if file.header else "cells, one for each of `columns`"
                told = f"line {record.line}: should have {width} {what}, found {count}."
                parted = file.form.separator == "," and count == 2 * width - 1
                return told + (COMMAS if parted and width > 1 else "")
    except csv.Error as error:
        return f"line {file.line}: {error}."
    except ValueError as error:
        return unclosed(file.where, error).removeprefix(f"{file.where}, ")
    return f"line {file.line}: cannot be split at {file.form.separator!r} into cells: {reason}."


def _plain(file: TextFile) -> tuple[TextFile, Callable[[], np.ndarray]]:
    """The file, or its rows rewritten with a separator of one character and without comments; and their lines."""
    form = file.form
    if form.plain:
        return file, lambda: starts(file.data, form, file.body, file.line)
    separator = form.separator
    if separator != WHITESPACE and len(separator) > 1:
        separator = chr(stand_in(file.whole))
    parts, lines = [], []
    try:
        for record in records(file.data, form, file.body, file.line):
            same = separator == form.separator
            parts.append(record.data if same else replaced(record.data, form, separator.encode()))
            lines.append(record.line)
    except ValueError as error:
        raise DataError(unclosed(file.where, error)) from None
    data = b"\n".join([*parts, b""])
    numbers = np.array(lines, dtype=np.int64)
    return replace(file, data=data, form=Form(separator), body=0, line=1), lambda: numbers


def _layout(file: TextFile, names: list[str]) -> dict[str, Any]:
    return {
        "sep": r"\s+" if file.form.separator == WHITESPACE else file.form.separator,
        "encoding": "utf-8",
        "header": None,
        "names": names,
        "index_col": False,
        "low_memory": False,
        # Every line is a row, so that a row's number tells its line.
        "skip_blank_lines": False,
    }


def _with_trailing_separator(plain: TextFile, config: TableFile, file: TextFile, reason: str) -> pd.DataFrame:
    """The rows of a file whose lines, other than its header, end in a separator; DataError where that is not it."""
    try:
        frame = _parse(plain, config, [*file.names, EXTRA])
    except (pd.errors.ParserError, pd.errors.ParserWarning):
        frame = None
    if frame is None or not bool(frame[EXTRA].isna().all()):
        raise DataError(f"{file.where}, {uneven(file, reason)}")
    file.notes.append(f"{file.where}: lines end in a separator that the names of the columns lack; it was left out.")
    return frame.drop(columns=EXTRA)


def _by_windows(file: TextFile, config: TableFile, data: Windowed) -> pd.DataFrame | None:
    """The rows of a long text, whose texts are categories; None where only the whole of it tells what they are."""

    def parse(rows: bytes, texts: Collection[str]) -> pd.DataFrame:
        return _parse(replace(file, data=rows, body=0), config, file.names, texts)

    missing = {name: [*MISSING_NUMBERS, *(config.missing or [])] for name in file.names}
    try:
        read = frame_by_windows(data, file.form, file.body, file.names, missing, parse)
    except (IrregularError, pd.errors.ParserError, pd.errors.ParserWarning, OSError, ValueError, OverflowError):
        return None
    frame, written, empty, hollow = read
    last = len(frame)
    at_end = empty[empty >= last - np.arange(len(empty), 0, -1)]
    if len(at_end):
        last -= min(len(at_end), _blank_at_end(file))
    if (hollow < last).any() and len(file.names) > 1:
        return None
    file.written.update(written)
    return frame if last == len(frame) else frame.iloc[:last]


def _parse(file: TextFile, config: TableFile, names: list[str], written: Collection[str] = ()) -> pd.DataFrame:
    """The rows; cells of some columns stay as they are written."""
    text = {*written, *(name for name in config.text_columns if name in names)}
    labels = {name for name in config.roles.get("labels", []) if name in names}
    markers = [*MISSING_NUMBERS, *(config.missing or [])]
    with warnings.catch_warnings(), _at_body(file) as body:
        # pandas only warns when every row has more cells than there are names, and drops the last ones.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        frame: pd.DataFrame = pd.read_csv(
            body,
            **_layout(file, names),
            **EXACT,
            decimal=config.decimal_mark,
            dtype=dict.fromkeys(text, str),
            keep_default_na=False,
            # Labels keep theirs, which are told when classes are made of them.
            na_values={name: [""] if name in labels else markers for name in names if name not in written},
        )
    return frame


def _at_body(file: TextFile) -> io.BufferedIOBase:
    source = io.BufferedReader(Stream(file.data), 1 << 20) if isinstance(file.data, Windowed) else io.BytesIO(file.data)
    source.seek(file.body)
    return source


def _blank_at_end(file: TextFile) -> int:
    """Number of lines at the end that hold nothing but separators and blanks."""
    separators = b"" if file.form.separator == WHITESPACE else file.form.separator.encode()
    size, filled, body = WINDOW, b"", b""
    while not filled and len(body) < len(file.data) - file.body:
        body = file.data[max(file.body, len(file.data) - size) :]
        filled = body.rstrip(separators + b' \t"\r\n')
        size *= 2
    tail = body[len(filled) :].replace(b"\r\n", b"\n").replace(b"\r", b"\n").removesuffix(b"\n")
    return tail.count(b"\n") + (0 if filled else 1)


def without_unnamed(frame: pd.DataFrame, file: TextFile) -> pd.DataFrame:
    """The frame without columns that have neither a name nor a value, as a separator at the end of each line makes."""
    unnamed = [name for name in frame.columns if name == "" or name.startswith(UNNAMED)]
    hollow = [name for name in unnamed if bool(frame[name].isna().all())]
    if hollow and len(hollow) < len(frame.columns):
        file.notes.append(f"{file.where}: {len(hollow)} columns without a name or a value were left out.")
        frame = frame.drop(columns=hollow)
    left = [name for name in unnamed if name not in hollow]
    if len(left) > 1:
        numbers = " and ".join(str(file.names.index(name) + 1) for name in left[:2])
        raise DataError(
            f"{file.where}, line {file.header}: should name every column, found none for columns {numbers}: set "
            f"`skip_rows: {file.header}` and `columns` with a name for each of the {len(file.names)}."
        )
    return frame
