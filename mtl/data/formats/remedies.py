"""Layouts under which a file can be read that cannot be read as configured, tried on its first lines."""

import csv
import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice, product

import pandas as pd

from mtl.config.table_file import WHITESPACE, TableFile
from mtl.data.formats.marks import COUNT_CELL, DATA_CELL
from mtl.data.formats.records import Form, cells, lines_of, records
from mtl.errors import OptionValue

SEPARATORS = (",", ";", "\t", "|", ";;", ",,", "||", "::", ", ", ":", WHITESPACE)
COMMENTS = (None, "#", "%", "!")
DECIMAL_COMMA, DECIMAL_POINT = re.compile(r"[+-]?[0-9]+,[0-9]+"), re.compile(r"[+-]?[0-9]+\.[0-9]+")
THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2},[0-9]{3}")
DAY, CLOCK = re.compile(r"[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}"), re.compile(r"[0-9]{1,2}:[0-9]{2}(:[0-9.]+)?")
MOST_SKIPPED = 40
"""Lines above the header that are tried."""
SAMPLE_LINES = 120
LEAST_HIDDEN = 3
"""Lines above a header that are none of a table, whatever they look like."""
PARTS_OF_TIME = (
    ("year", "yr", "yyyy", "jahr", "annee", "année", "ano", "año", "anno", "jaar"),
    ("month", "mon", "mo", "mm", "monat", "mois", "mes", "mês", "mese", "maand"),
    ("date", "day", "dd", "dom", "datum", "tag", "jour", "dia", "día", "giorno", "dag"),
    ("hour", "hr", "hh", "time", "uhrzeit", "stunde", "zeit", "heure", "hora", "ora", "uur"),
    ("minute", "min", "mi"),
    ("second", "sec", "ss"),
)
"""Names of columns that hold parts of the time, from years to seconds, in small letters."""
Layout = tuple[str, int, str | None]
"""Separator, lines to skip, comment."""


@dataclass(frozen=True)
class Remedy:
    """A sentence on options that read a file, and these options; "" and none where nothing helps."""

    sentence: str = ""
    options: dict[str, OptionValue] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.sentence)


NONE = Remedy()


def for_structure(data: bytes, config: TableFile) -> Remedy:
    """Options that read the first lines as a table with the columns that the config names.

    Args:
        data: the decoded text.
        config: options that do not read it.
    """
    sample = b"".join(islice(lines_of(data), SAMPLE_LINES))
    asked = {name.strip() for names in config.roles.values() for name in names}
    now = (config.separator, config.skip_rows, config.comment)
    # What is asked for may be called otherwise in the file, which is told once its columns are known.
    return (
        _layout(sample, config, asked)
        or _commented_names(sample, config)
        or _one_name_short(sample, config)
        or (NONE if _width(sample, now, config, set()) is not None else _layout(sample, config, set()))
        or (NONE if asked else _without_names(sample, config))
    )


def _layout(sample: bytes, config: TableFile, asked: set[str]) -> Remedy:
    """The layout of fewest changes under which the sample is a table with the columns that are asked for."""
    now = (config.separator, config.skip_rows, config.comment)
    for changes in (1, 2, 3):
        fitting = [
            (skipped, -width, (separator, skipped, comment))
            for separator, skipped, comment in _layouts(config)
            if changes == (separator != now[0]) + (skipped != now[1]) + (comment != now[2])
            and (width := _width(sample, (separator, skipped, comment), config, asked)) is not None
            and not _hides(sample, skipped, config)
        ]
        if fitting:
            # More columns tell a header from a title.
            _, width, layout = min(fitting, key=lambda fit: fit[:2])
            options: dict[str, OptionValue] = {
                name: value
                for name, value, old in zip(("separator", "skip_rows", "comment"), layout, now, strict=True)
                if value is not None and value != old
            }
            if _has_decimal_commas(sample, layout, config):
                options["decimal"] = ","
            return Remedy(f" Its first lines are a table of {-width} columns with {_listed(options)}.", options)
    return NONE


def _hides(sample: bytes, skipped: int, config: TableFile) -> bool:
    """True when the lines that would be skipped are more than the others, and most of them a table themselves."""
    lines = list(lines_of(sample))
    above = [line for line in lines[config.skip_rows : skipped] if line.strip()]
    if len(above) <= max(LEAST_HIDDEN, len(lines) - skipped):
        return False
    form = Form(config.separator, config.comment)
    try:
        width, times = Counter(len(cells(line.rstrip(b"\r\n"), form)) for line in above).most_common(1)[0]
    except csv.Error:
        return False
    return width > 1 and 2 * times > len(above)


def _listed(options: dict[str, OptionValue]) -> str:
    """The settings as they stand in params.yaml, in a sentence."""
    settings = [f"`{name}: {json.dumps(value, ensure_ascii=False)}`" for name, value in options.items()]
    return ", ".join(settings[:-1]) + " and " * (len(settings) > 1) + settings[-1]


def _has_decimal_commas(sample: bytes, layout: Layout, config: TableFile) -> bool:
    """True when numbers of the sample have decimal commas and none has a point."""
    separator, skipped, comment = layout
    if config.decimal is not None or "," in separator:
        return False
    start = sum(len(line) for line in islice(lines_of(sample), skipped))
    form = Form(separator, comment)
    texts = [cell.strip() for record in records(sample, form, start) for cell in cells(record.data, form)]
    commas = [cell for cell in texts if DECIMAL_COMMA.fullmatch(cell)]
    thousands = all(THOUSANDS.fullmatch(cell) for cell in commas)
    return bool(commas) and not thousands and not any(DECIMAL_POINT.fullmatch(cell) for cell in texts)


def _one_name_short(sample: bytes, config: TableFile) -> Remedy:
    """The remedy where every row has one cell more than the header names, or where commas part numbers as well."""
    start = sum(len(line) for line in islice(lines_of(sample), config.skip_rows))
    for separator in dict.fromkeys([config.separator, *SEPARATORS]):
        form = Form(separator, config.comment)
        try:
            top = list(islice(records(sample, form, start), SAMPLE_LINES))
            rows = [cells(record.data, form) for record in top]
        except (csv.Error, ValueError):
            continue
        while rows and not any(cell.strip() for cell in rows[-1]):
            rows.pop()
        if len(rows) < 3 or len(rows[0]) < 2:
            continue
        names = [name.strip() for name in rows[0]]
        if any(len(row) != len(names) + 1 for row in rows[1:]) or DATA_CELL.fullmatch(names[0]):
            continue
        options: dict[str, OptionValue] = {} if separator == config.separator else {"separator": separator}
        options["skip_rows"] = config.skip_rows + sum(1 for _ in lines_of(sample[start : top[0].end]))
        if all(DAY.fullmatch(row[0]) and CLOCK.fullmatch(row[1]) for row in rows[1:]):
            told = "Day and time stand in two cells under one name"
            options |= {"columns": ["day", "time", *names[1:]], "date": ["day", "time"]}
        elif len({row[0] for row in rows[1:]}) == len(rows) - 1 and all(row[-1].strip() for row in rows[1:]):
            told = "Its rows have one cell more than the header has names, as where row names are written first"
            options["columns"] = ["row", *names]
        else:
            continue
        return Remedy(f" {told}: {_listed(options)} read them so.", options)
    return NONE


def for_name(name: str, setting: str, frame: pd.DataFrame) -> str:
    """A sentence on the column that a setting may mean by a name that the file lacks, or ""."""
    alike = [column for column in frame.columns if str(column).strip().casefold() == name.strip().casefold()]
    if len(alike) == 1:
        return f" Letters count: `{alike[0]}` is there."
    unnamed = frame[""].iloc[:SAMPLE_LINES] if "" in frame.columns else pd.Series(dtype=object)
    if setting == "date" and len(unnamed) and all(DAY.match(str(cell)) for cell in unnamed):
        return ' The column without a name holds dates: `date: ""` takes it.'
    return ""


def for_dates(setting: str, frame: pd.DataFrame) -> str:
    """A sentence on the columns that hold dates or parts of them, where `date` names none of the file, or ""."""
    if setting != "date":
        return ""
    parts = time_parts([str(column) for column in frame.columns])
    if len(parts) > 1:
        return f" Its columns seem to hold parts of the time: `date: [{', '.join(parts)}]` joins them."
    dated = [column for column in frame.columns if all(_dated(cell) for cell in frame[column].iloc[:SAMPLE_LINES])]
    return f" Column `{dated[0]}` holds dates: `date: {dated[0]}` takes it." if dated else ""


def time_parts(columns: Iterable[str]) -> list[str]:
    """The columns with names of parts of the time, from the longest part to the shortest."""
    named = {column.strip().casefold(): column for column in columns}
    parts = [next((named[name] for name in names if name in named), None) for names in PARTS_OF_TIME]
    return [column for column in parts if column is not None]


def _dated(cell: object) -> bool:
    return isinstance(cell, pd.Timestamp) or DAY.match(str(cell)) is not None


def _commented_names(sample: bytes, config: TableFile) -> Remedy:
    """The remedy where the names of the columns stand behind a sign of comments, as NumPy writes them."""
    asked = {name.strip() for names in config.roles.values() for name in names}
    lines = list(islice(lines_of(sample), MOST_SKIPPED))
    separators = dict.fromkeys([config.separator, *SEPARATORS])
    for (number, line), separator in product(enumerate(lines, 1), separators):
        form = Form(separator)
        if line[:1] not in (b"#", b"%") or number == len(lines) or lines[number][:1] == line[:1]:
            continue
        try:
            names = [name.strip() for name in cells(line.lstrip(b"#% \t").rstrip(b"\r\n"), form)]
            width = len(cells(lines[number].rstrip(b"\r\n"), form))
        except csv.Error:
            continue
        if width == len(names) > 1 and all(names) and len(set(names)) == width and asked <= set(names):
            options: dict[str, OptionValue] = {} if separator == config.separator else {"separator": separator}
            options |= {"skip_rows": number, "columns": names}
            told = f" Line {number} names the columns behind a sign of comments: {_listed(options)} read them so."
            return Remedy(told, options)
    return NONE


def _without_names(sample: bytes, config: TableFile) -> Remedy:
    """The remedy where lines of data follow a title or the like, and no line names the columns."""
    if config.columns is not None:
        return NONE
    for separator, skipped in product(dict.fromkeys([config.separator, *SEPARATORS]), range(MOST_SKIPPED)):
        form = Form(separator, config.comment)
        start = sum(len(line) for line in islice(lines_of(sample), skipped))
        try:
            rows = [cells(record.data, form) for record in records(sample, form, start)]
        except (csv.Error, ValueError):
            continue
        while rows and not any(cell.strip() for cell in rows[-1]):
            rows.pop()
        width = len(rows[0]) if rows else 0
        if len(rows) < 3 or width < 2 or any(len(row) != width for row in rows):
            continue
        if not any(_is_number(first) and _is_number(second) for first, second in zip(rows[0], rows[1], strict=True)):
            continue
        options: dict[str, OptionValue] = {} if separator == config.separator else {"separator": separator}
        options |= {"skip_rows": skipped} if skipped != config.skip_rows else {}
        options["columns"] = [f"c{number}" for number in range(1, width + 1)]
        told = f" From line {skipped + 1} on, its lines are data without names: {_listed(options)} read them so."
        return Remedy(told, options)
    return NONE


def _is_number(cell: str) -> bool:
    text = cell.strip()
    return bool(text) and (COUNT_CELL.fullmatch(text) is not None or DATA_CELL.fullmatch(text) is not None)


def _layouts(config: TableFile) -> Iterable[Layout]:
    return product(
        dict.fromkeys([config.separator, *SEPARATORS]),
        sorted({config.skip_rows, *range(MOST_SKIPPED)}),
        dict.fromkeys([config.comment, *COMMENTS]),
    )


def _width(sample: bytes, layout: Layout, config: TableFile, asked: set[str]) -> int | None:
    """Number of columns of the sample under a layout; None where it is no table with the columns that are asked for."""
    separator, skipped, comment = layout
    if comment is not None and comment in separator:
        return None
    start = sum(len(line) for line in islice(lines_of(sample), skipped))
    form = Form(separator, comment)
    try:
        parted = records(sample, form, start)
        first = next(parted, None)
        rows = [] if first is None else [cells(first.data, form)]
        # Most layouts are out after the first line.
        if not rows or len(rows[0]) < 2 or (config.columns is None and not asked <= {name.strip() for name in rows[0]}):
            return None
        rows += [cells(record.data, form) for record in parted]
    except (csv.Error, ValueError):
        return None
    while rows and not any(cell.strip() for cell in rows[-1]):
        rows.pop()
    if len(rows) < 2:
        return None
    if config.columns is None:
        names = [name.strip() for name in rows[0]]
        if any(DATA_CELL.fullmatch(name) for name in names) or all(COUNT_CELL.fullmatch(name) for name in names):
            return None
    else:
        names = config.columns
    body = rows[config.columns is None :]
    last = len(names) - 1
    if config.columns is None and not names[last] and not any(cell.strip() for row in body for cell in row[last:]):
        names, body = names[:last], [row[:last] for row in body]  # Lines end in a separator.
    width = len(names)
    if width < 2 or any(len(row) != width for row in body) or not asked <= set(names) or not all(names):
        return None
    if config.columns is None and any(
        _shape(name) is not None and _shape(name) == _shape(row[at])
        for row in body[:20]
        for at, name in enumerate(names)
    ):
        return None  # Its first line looks as those below it do.
    # Sentences have commas in them as well: rows of a table hold numbers.
    numbers = sum(any(re.search(r"[0-9]", cell) for cell in row) for row in body)
    return width if 2 * numbers >= len(body) and len(set(names)) == width else None


def _shape(cell: str) -> str | None:
    """The cell with each number in it as 0; None where it has none."""
    return re.sub("[0-9]+", "0", cell.strip()) if re.search("[0-9]", cell) else None
