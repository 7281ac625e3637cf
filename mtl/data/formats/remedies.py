"""Layouts under which a file can be read that cannot be read as configured, tried on its first lines."""

import csv
import json
from collections.abc import Iterable
from itertools import islice, product

from mtl.config.table_file import WHITESPACE, TableFile
from mtl.data.formats.records import Form, cells, lines_of, records
from mtl.data.formats.text_file import COUNT_CELL, DATA_CELL

SEPARATORS = (",", ";", "\t", "|", ";;", ",,", "||", "::", ", ", ":", WHITESPACE)
COMMENTS = (None, "#", "%", "!")
MOST_SKIPPED = 40
"""Lines above the header that are tried."""
SAMPLE_LINES = 120
Layout = tuple[str, int, str | None]
"""Separator, lines to skip, comment."""


def for_structure(data: bytes, config: TableFile) -> str:
    """A sentence on the options that read the first lines as a table with the columns that the config names, or "".

    Args:
        data: the decoded text.
        config: options that do not read it.
    """
    sample = b"".join(islice(lines_of(data), SAMPLE_LINES))
    now = (config.separator, config.skip_rows, config.comment)
    for changes in (1, 2, 3):  # Fewer settings first.
        fitting = [
            (skipped, -width, (separator, skipped, comment))
            for separator, skipped, comment in _layouts(config)
            if changes == (separator != now[0]) + (skipped != now[1]) + (comment != now[2])
            and (width := _width(sample, (separator, skipped, comment), config)) is not None
        ]
        if fitting:
            # More columns tell a header from a title.
            _, width, layout = min(fitting, key=lambda fit: fit[:2])
            settings = [
                f"`{name}: {json.dumps(value)}`"
                for name, value, old in zip(("separator", "skip_rows", "comment"), layout, now, strict=True)
                if value != old
            ]
            return f" Its first lines are a table of {-width} columns with {' and '.join(settings)}."
    return ""


def _layouts(config: TableFile) -> Iterable[Layout]:
    return product(
        dict.fromkeys([config.separator, *SEPARATORS]),
        sorted({config.skip_rows, *range(MOST_SKIPPED)}),
        dict.fromkeys([config.comment, *COMMENTS]),
    )


def _width(sample: bytes, layout: Layout, config: TableFile) -> int | None:
    """Number of columns of the sample under a layout; None where it is no table with the columns that are asked for."""
    separator, skipped, comment = layout
    if comment is not None and comment in separator:
        return None
    start = sum(len(line) for line in islice(lines_of(sample), skipped))
    form = Form(separator, comment)
    try:
        rows = [cells(record.data, form) for record in records(sample, form, start)]
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
    width = len(names)
    asked = {name.strip() for names in config.roles.values() for name in names}
    if width < 2 or any(len(row) != width for row in body) or not asked <= set(names) or not all(names):
        return None
    return width
