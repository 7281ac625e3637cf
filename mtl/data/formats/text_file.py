"""Layout of a file of delimited text: what stands above its rows, and where these begin."""

import csv
import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import islice, pairwise
from pathlib import Path

import pandas as pd

from mtl.config.table_file import TableFile
from mtl.data.formats.double_header import check_second_line, needs_second_line
from mtl.data.formats.encodings import as_utf8
from mtl.data.formats.marks import COUNT_CELL, DATA_CELL
from mtl.data.formats.packing import check_text, text_bytes
from mtl.data.formats.records import Form, cells, lines_of, records
from mtl.data.formats.windowed import WINDOW, Windowed, windowed_text
from mtl.errors import DataError, LayoutError, shown

EXCEL = re.compile(rb'"?sep=([^\r\n])"?\s*$', re.IGNORECASE)
"""First line by which Excel is told a file's separator."""
SOMETHING = re.compile(rb"\S")
UNNAMED = "\x1funnamed"
"""Beginning of the names that second and later columns without a name get, so that they can be told apart."""


@dataclass
class TextFile:
    """A text file as its options part it.

    Args:
        where: its path in messages.
        data: UTF-8, without a byte-order mark; of a long file through a window.
        form: how records are parted into cells.
        names: columns.
        header: line that names them; 0 where none does.
        units: column → its unit, from the row of units.
        body: byte at which the rows begin.
        line: line there.
        notes: what was done that the options do not ask for.
        blank: rows, counted from 0, that are blank lines.
        written: column → its cells as they are written, of columns that were asked for; a copy of the file has none.
    """

    where: str
    data: bytes | Windowed
    form: Form
    names: list[str]
    header: int
    body: int
    line: int
    units: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    blank: list[int] = field(default_factory=list)
    written: dict[str, pd.Series] = field(default_factory=dict, init=False)

    @property
    def whole(self) -> bytes:
        """The data in memory."""
        return bytes(self.data)


def open_text(path: Path, config: TableFile) -> TextFile:
    """The file, decoded, with its separator, the names of its columns and where its rows begin.

    Raises:
        DataError: no text of this encoding, no line that names columns, a column there twice; names the line.
    """
    notes: list[str] = []
    if config.by_windows and not config.skip_footer and (text := windowed_text(path, config.encoding)) is not None:
        check_text(text[:WINDOW], config.path)
        return layout(text, config, notes)
    data = as_utf8(text_bytes(path, config.path, notes), config.encoding, config.path, notes)
    if not SOMETHING.search(data):
        raise DataError(f"{config.path} is empty.")
    if config.skip_footer:
        lines = list(lines_of(data.rstrip()))
        data = b"".join(lines[: max(len(lines) - config.skip_footer, 0)])
    return layout(data, config, notes)


def layout(data: bytes | Windowed, config: TableFile, notes: list[str]) -> TextFile:
    """Names, units and the beginning of the rows of a decoded text.

    Raises:
        DataError: no line that names columns, a column there twice, a quotation mark that is never closed.
    """
    where = config.path
    separator, start, line = _above(data, config, notes)
    form = Form(separator, config.comment)
    if config.columns is not None:
        return TextFile(where, data, form, list(config.columns), 0, start, line, notes=notes)
    try:
        top = list(islice(records(data, form, start, line), 1 + config.units_row))
        if not top or not top[0].data.strip():
            number = top[0].line if top else line
            message = f"{where}, line {number}: should name the columns, found a blank line: set `skip_rows: {number}`."
            raise LayoutError(message, {"skip_rows": number})
        header = top[0]
        # Lines inside a quoted cell count as well.
        last = line + sum(1 for _ in lines_of(data[start : header.end])) - 1
        raw = cells(header.data, form)
        if needs_second_line(raw) and not config.units_row:
            check_second_line(raw, _below(data, form, header.end), (header.line, last), config)
        names = column_names(raw, (header.line, last), config, notes)
        units = dict(zip(names, cells(top[1].data, form), strict=False)) if len(top) > 1 else {}
    except csv.Error as error:
        raise DataError(f"{where}, line {line}: {error}.") from None
    except ValueError as error:
        raise DataError(unclosed(where, error)) from None
    units = {name: unit.strip(" ()[]") for name, unit in units.items() if unit.strip(" ()[]")}
    below = line + len(list(lines_of(data[start : top[-1].end])))
    return TextFile(where, data, form, names, header.line, top[-1].end, below, units, notes)


def unclosed(where: str, error: ValueError) -> str:
    """Message on a quoted cell without an end; `error` holds the line."""
    return (
        f"{where}, line {error}: should end each cell that begins with a quotation mark with another one, found none: "
        'close it, or write a mark that belongs to the text twice, `""`.'
    )


def _below(data: bytes | Windowed, form: Form, start: int) -> list[list[str]]:
    """Cells of the first two lines from a byte on; none where they cannot be told, which the reader of rows says."""
    try:
        return [cells(record.data, form) for record in islice(records(data, form, start), 2)]
    except (csv.Error, ValueError):
        return []


def _above(data: bytes | Windowed, config: TableFile, notes: list[str]) -> tuple[str, int, int]:
    """Separator, byte and line below the lines to skip and the one that names the separator for Excel."""
    separator, skipped = config.separator, config.skip_rows
    excel = EXCEL.match(next(lines_of(data), b""))
    if excel:
        named = excel[1].decode("utf-8", errors="replace")
        if "separator" in config.model_fields_set and named != separator:
            raise DataError(
                f"{config.path}, line 1: says that the separator is {named!r}, found {separator!r} in `separator`: set "
                f"`separator: {_yaml(named)}`."
            )
        separator, skipped = named, max(skipped, 1)
        notes.append(f"{config.path}: its first line names {named!r} as the separator.")
    start = sum(len(line) for line in islice(lines_of(data), skipped))
    if not any(line.strip() for line in lines_of(data, start)):
        raise DataError(f"{config.path}: should have a line below the first {skipped}, found none: lower `skip_rows`.")
    return separator, start, skipped + 1


def column_names(raw: list[str], lines: tuple[int, int], config: TableFile, notes: list[str]) -> list[str]:
    """Names of the columns, freed of blanks around them unless the config asks for them with blanks.

    Args:
        raw: cells of the header.
        lines: first and last line of the header.
        config: options of the file.
        notes: of the file.

    Raises:
        DataError: a header that looks like a row of data, a name that is there twice.
    """
    line, last = lines
    asked = {name for names in config.roles.values() for name in names}
    names = [cell if cell in asked else cell.strip() for cell in raw]
    changed = [name for name, cell in zip(names, raw, strict=True) if name != cell]
    if changed:
        shown_names = ", ".join(f"`{name}`" for name in changed[:5]) + (", …" if len(changed) > 5 else "")
        notes.append(f"{config.path}: blanks around names of columns were taken off: {shown_names}.")
    _check_names(names, line, last, config)
    times = Counter(names)
    twice = [name for name in names if name and times[name] > 1]
    if twice:
        apart = [name + f"_{names[:at].count(name) + 1}" * (name in names[:at]) for at, name in enumerate(names)]
        raise LayoutError(
            f"{config.path}, line {line}: column `{twice[0]}` is there more than once: rename one, or set `skip_rows: "
            f"{last}` and names that differ, `columns: {_yaml(apart)}`.",
            {"skip_rows": last, "columns": apart},
        )
    return [name or ("" if at == names.index("") else f"{UNNAMED}{at}") for at, name in enumerate(names)]


def _check_names(names: list[str], line: int, last: int, config: TableFile) -> None:
    """Raises a DataError where a header looks like a row of data."""
    data = any(DATA_CELL.fullmatch(name) for name in names)
    if not all(DATA_CELL.fullmatch(name) or COUNT_CELL.fullmatch(name) for name in names):
        return
    counts = [int(name) for name in names if name and not data]
    steps = {after - before for before, after in pairwise(counts)}
    if not data and (steps <= {1} or {name for names in config.roles.values() for name in names} & set(names)):
        return  # 0, 1, 2, … or years: names that pandas gives, or columns of a wide table.
    several = len(set(names)) == len(names)
    kept = "" if data or not several else f"; or, if these are names, `skip_rows: {last}` and `columns: {_yaml(names)}`"
    raise header_of_data(names, line, config, kept)


def header_of_data(names: list[str], line: int, config: TableFile, more: str = "") -> LayoutError:
    """Error on a line of data where the names of the columns should stand.

    Args:
        names: its cells.
        line: its number.
        config: options of the file.
        more: end of the message.
    """
    numbered = [f"c{number}" for number in range(1, len(names) + 1)]
    return LayoutError(
        f"{config.path}, line {line}: should name the columns, found data ({shown(', '.join(names[:4]))}): set "
        f"`columns: [{', '.join(numbered)}]` with names of your choice{more}.",
        {"columns": numbered},
    )


def _yaml(value: str | list[str]) -> str:
    """The value as it may stand in params.yaml."""
    import json

    return json.dumps(value, ensure_ascii=False)
