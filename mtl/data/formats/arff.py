"""A table from an ARFF file, dense or sparse: numbers, nominal values, strings and dates.

R rows, C columns.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from mtl.config.table_file import MISSING_NUMBERS, TableFile
from mtl.data.formats.arff_header import QUOTED, Attribute, read_header, unquoted
from mtl.data.formats.encodings import as_utf8
from mtl.data.formats.marks import Marks
from mtl.data.formats.packing import text_bytes
from mtl.data.formats.reading import check_count
from mtl.errors import DataError, shown

CELL = re.compile(rf"\s*({QUOTED}|(?!['\"])[^,\t]*?)\s*(?:[,\t]|$)")
SPARSE = re.compile(r"\{(.*?)\}\s*(?:,\s*\{\s*([^{}]*)\}\s*)?(?:%.*)?", re.DOTALL)
ENTRY = re.compile(rf"\s*([0-9]+)\s+({QUOTED}|(?!['\"])[^,]*?)\s*(?:,|$)")
COMMENTED = re.compile(rf"((?:{QUOTED}|[^'\"%]|(?<!\s)%)*?)\s+%.*", re.DOTALL)
"""A row with a comment behind it."""
WEIGHT = re.compile(r"(.*?)[,\t]?\s*\{\s*([^{}]*)\}\s*(?:%.*)?", re.DOTALL)
"""A dense row with the weight of an instance in braces behind it."""
MISSING = "?"
WEIGHT_COLUMN = "weight"
MOST_VALUES = 8
"""Values of a nominal attribute that a message shows."""


def read_arff(path: Path, config: TableFile, notes: list[str]) -> tuple[pd.DataFrame, np.ndarray]:
    """The frame, its index counting from 0, and the line of each row.

    Nominal columns are categorical with the values that the header lists, strings are text, dates are times. Weights of
    instances become the column `weight`.

    Raises:
        DataError: no ARFF file, a row of another length, a value that the header does not list; names line and column.
    """
    data = as_utf8(text_bytes(path, config.path, notes), config.encoding, config.path, notes)
    if not data.strip():
        raise DataError(f"{config.path} is empty.")
    lines = data.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    header = read_header(lines, config.path, notes)
    attributes = header.attributes
    numbers, rows, weights = [], [], []
    for number, line in enumerate(lines[header.rows :], header.rows + 1):
        text = line.strip()
        if not text or text.startswith("%"):
            continue
        cells, weight = _row(text, attributes, f"{config.path}, line {number}")
        numbers.append(number)
        rows.append(cells)
        weights.append(weight)
    check_count(len(rows) * len(attributes), config.path)
    at = np.array(numbers, dtype=np.int64)
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(attributes)
    missing = {*MISSING_NUMBERS, *(config.missing or [])}
    frame = pd.DataFrame({
        attribute.name: _column(attribute, cells, at, config.path, missing)
        for attribute, cells in zip(attributes, columns, strict=True)
    })  # fmt: skip
    return _with_weights(frame, weights, at, config.path, notes), at


def _row(text: str, attributes: list[Attribute], place: str) -> tuple[list[str], str | None]:
    """Cells of a row as they are written, and the weight behind it.

    Args:
        text: the line, without blanks around it.
        attributes: columns.
        place: of the line, for messages.
    """
    weight = None
    if "%" in text and (commented := COMMENTED.fullmatch(text)) is not None:
        text = commented[1]
    if text.startswith("{"):
        sparse = SPARSE.fullmatch(text)
        if sparse is None:
            raise DataError(f"{place}: should end a sparse row with `}}`, found {shown(text[-40:])}.")
        return _dense(sparse[1], attributes, place), sparse[2]
    if text.endswith("}") and (weighted := WEIGHT.fullmatch(text)) is not None:
        text, weight = weighted[1], weighted[2]
    special = "'" in text or '"' in text or "\t" in text
    cells = list(_cells(text, place)) if special else [cell.strip() for cell in text.split(",")]
    if len(cells) == 1 < len(attributes):
        cells = text.split()  # Weka takes blanks for separators as well.
    if len(cells) != len(attributes):
        raise DataError(f"{place}: should have {len(attributes)} cells, one for each `@attribute`, found {len(cells)}.")
    return cells, weight


def _cells(text: str, place: str) -> Iterator[str]:
    """Cells of a dense row; those in quotes may hold separators."""
    at = 0
    while True:
        match = CELL.match(text, at)
        if match is None:
            raise DataError(
                f"{place}: should end each cell that begins with a quotation mark with another one, and go on with a "
                f"comma; found {shown(text[at : at + 40])}."
            )
        yield match[1]
        if match.end() == len(text) and text[-1:] not in (",", "\t"):
            return
        at = match.end()
        if at == len(text):
            yield ""
            return


def _dense(text: str, attributes: list[Attribute], place: str) -> list[str]:
    """Cells of a sparse row: what it does not name is 0, or the first value of a nominal column."""
    cells = {}
    at, text = 0, text.strip()
    while at < len(text):
        entry = ENTRY.match(text, at)
        if entry is None:
            raise DataError(
                f"{place}: should hold the number of a column and its value, such as `3 1.5`, between commas, found "
                f"{shown(text[at : at + 40])}."
            )
        index = int(entry[1])
        if index >= len(attributes):
            last = len(attributes) - 1
            raise DataError(f"{place}: should name columns from 0 to {last}, found {index}.")
        if index in cells:
            raise DataError(f"{place}: should name column {index} once, found it twice.")
        cells[index] = entry[2]
        at = entry.end()
    for index, attribute in enumerate(attributes):
        if index in cells:
            continue
        if attribute.kind in ("string", "date"):
            raise DataError(
                f"{place}, column `{attribute.name}`: a sparse row should hold its {attribute.kind}, found none: what "
                "is left out stands for 0; write `?` if it is missing."
            )
        cells[index] = _quoted(attribute.values[0]) if attribute.kind == "nominal" and attribute.values else "0"
    return [cells[index] for index in range(len(attributes))]


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _column(
    attribute: Attribute, cells: tuple[str, ...], lines: np.ndarray, where: str, missing: set[str]
) -> pd.Series | pd.Categorical | np.ndarray:
    """One column by its type; `?` is missing in each."""
    match attribute.kind:
        case "number":
            return _numbers(attribute, cells, lines, where, missing)
        case "nominal":
            return _nominal(attribute, cells, lines, where)
        case "string":
            return pd.Series([None if cell == MISSING else unquoted(cell) for cell in cells], dtype=object)
        case "date":
            return _dates(attribute, cells, lines, where, missing)


def _numbers(
    attribute: Attribute, cells: tuple[str, ...], lines: np.ndarray, where: str, missing: set[str]
) -> np.ndarray:
    marks, joined = Marks(), "".join(cells)
    try:
        if joined.isascii() and "_" not in joined:  # Other digits and 1_000 are numbers in Python alone.
            return np.array(cells, dtype=np.float64)
    except ValueError:
        pass  # Missing cells, quotes, or no numbers.
    values = np.empty(len(cells), dtype=np.float64)
    for row, cell in enumerate(cells):
        text = unquoted(cell).strip()
        number = np.nan if text in missing else marks.number(text)
        if number is None:
            raise DataError(
                f"{where}, line {lines[row]}, column `{attribute.name}`: should be a number or ?, found {shown(text)}: "
                f"write `?`, or set `missing: [{text}]` if it stands for a missing value; if these are names, let "
                "`@attribute` say `string` or list them in braces."
            )
        values[row] = number
    return values


def _nominal(attribute: Attribute, cells: tuple[str, ...], lines: np.ndarray, where: str) -> pd.Categorical:
    place = {value: number for number, value in enumerate(attribute.values)}
    codes = np.empty(len(cells), dtype=np.int64)
    for row, cell in enumerate(cells):
        code = -1 if cell == MISSING else place.get(unquoted(cell))
        if code is None:
            values = ", ".join(attribute.values[:MOST_VALUES]) + (", …" if len(attribute.values) > MOST_VALUES else "")
            raise DataError(
                f"{where}, line {lines[row]}, column `{attribute.name}`: should be one of the values in the header "
                f"({values}), found {shown(unquoted(cell))}: add it there, or write `?` if it stands for a missing "
                "value."
            )
        codes[row] = code
    categories = pd.Index(list(attribute.values), dtype=object)
    named: pd.Categorical = pd.Categorical.from_codes(codes, categories=categories)
    return named


def _dates(attribute: Attribute, cells: tuple[str, ...], lines: np.ndarray, where: str, missing: set[str]) -> pd.Series:
    texts = [None if unquoted(cell) in missing else unquoted(cell) for cell in cells]
    known = pd.Series(texts, dtype=object)
    when = pd.to_datetime(known, format=attribute.form, errors="coerce", utc="%z" in attribute.form)
    wrong = np.flatnonzero(when.isna().to_numpy() & known.notna().to_numpy())
    if len(wrong):
        row = int(wrong[0])
        raise DataError(
            f"{where}, line {lines[row]}, column `{attribute.name}`: should be a date in the form {attribute.form}, as "
            f"its `@attribute` says, found {shown(texts[row])}."
        )
    return when


def _with_weights(
    frame: pd.DataFrame, weights: list[str | None], lines: np.ndarray, where: str, notes: list[str]
) -> pd.DataFrame:
    """The frame with the weights of instances as a column, if there are any."""
    if all(weight is None for weight in weights):
        return frame
    if WEIGHT_COLUMN in frame.columns:
        raise DataError(
            f"{where}: has weights in braces behind its rows and a column `{WEIGHT_COLUMN}` beside: rename the column."
        )
    values = np.ones(len(weights))
    for row, weight in enumerate(weights):
        try:
            values[row] = 1.0 if weight is None else float(weight)
        except ValueError:
            raise DataError(
                f"{where}, line {lines[row]}: should end in the weight of the row in braces, such as {{2.5}}, found "
                f"{shown(weight)}."
            ) from None
    notes.append(
        f"{where}: the weights in braces behind its rows were read as the column `{WEIGHT_COLUMN}`; `weight: "
        f"{WEIGHT_COLUMN}` of a table lets them count."
    )
    return frame.assign(**{WEIGHT_COLUMN: values})
