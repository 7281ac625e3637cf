"""A table of files that hold a column each, a cell a line: texts and their classes, part by part.

Lines end in a line feed, with or without a carriage return before it; other signs that end a line somewhere (a form
feed, U+2028) are part of a text. An empty line is a text without words.
"""

from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from mtl.config.table_source import TableSource
from mtl.data.formats.reading import MAX_BYTES, check_count, read_bytes
from mtl.data.formats.records import Lines
from mtl.data.formats.table import Table
from mtl.errors import DataError, shown


def line_table(config: TableSource, root: Path) -> Table:
    """The table of the folders that `lines` names, in their order, each part behind the other.

    Args:
        config: the source, with `lines`.
        root: the project's folder.

    Raises:
        DataError: a file is missing or no UTF-8, texts and classes are not as many, or a class has no name.
    """
    lines = config.lines
    assert lines is not None
    texts: list[str] = []
    parts: list[str] = []
    numbers: list[int] = []
    classes: dict[str, list[str | None]] = {column: [] for column in lines.sets}
    begins: list[tuple[str, int]] = []
    for column, part, of_texts, of_classes in lines.pairs(config.path):
        read, told = _lines(of_texts, config, root), _lines(of_classes, config, root)
        if len(read) != len(told):
            raise DataError(
                f"{of_classes}: should have a line for each of the {len(read):,} texts of {of_texts}, found "
                f"{len(told):,} lines: line n of both belongs together, and an empty line is none that may be left out."
            )
        named = _named(told, _names(column, config, root), of_classes)
        begins.append((of_texts, len(texts)))
        texts += read
        parts += [part] * len(read)
        numbers += range(1, len(read) + 1)
        for other, cells in classes.items():
            cells += named if other == column else [None] * len(read)
    check_count(len(texts) * (2 + len(classes)), config.path)
    frame = pd.DataFrame({lines.text_column: texts, lines.part_column: parts, **classes}, dtype=object)
    place = np.array(numbers, dtype=np.int64)
    rows = Lines(lambda: place, np.arange(len(texts)))
    return Table(begins[0][0], frame, rows, "line", config, later=tuple(begins[1:]))


def _lines(path: str, config: TableSource, root: Path) -> list[str]:
    file = root / path
    if not file.is_file():
        raise DataError(f"{path} is missing: `lines` of the source names the files of its texts and classes.")
    try:
        text = read_bytes(file, path, MAX_BYTES).decode(config.encoding)
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not {config.encoding} (byte {error.start:,}): name its `encoding`.") from None
    read = [line.removesuffix("\r") for line in text.removeprefix("\ufeff").split("\n")]
    return read if read[-1] else read[:-1]


def _names(column: str, config: TableSource, root: Path) -> dict[str, str] | None:
    """Class as the file of classes has it → its name; None where they are named as they stand."""
    lines = config.lines
    assert lines is not None
    if lines.names is None:
        return None
    top = PurePosixPath(config.path)
    here = top / lines.sets[column]
    places = [
        here / lines.names,
        *(above / lines.names for above in here.parents if top == above or top in above.parents),
    ]
    place = next((place for place in places if (root / place).is_file()), None)
    if place is None:
        raise DataError(f"{places[0]} is missing: let `lines.names` be null if classes are named as they stand.")
    names: dict[str, str] = {}
    for number, line in enumerate(_lines(str(place), config, root), start=1):
        if not line.strip():
            continue
        key, tab, name = line.partition("\t")
        if not tab or not name.strip() or key.strip() in names:
            raise DataError(f"{place}, line {number}: should be a class, a tab and its name, found {shown(line)}.")
        names[key.strip()] = name.strip()
    return names


def _named(cells: list[str], names: dict[str, str] | None, where: str) -> list[str | None]:
    """The classes by name; None where a line is empty."""
    if names is None:
        return [cell.strip() or None for cell in cells]
    odd = next((place for place, cell in enumerate(cells) if cell.strip() and cell.strip() not in names), None)
    if odd is not None:
        known = ", ".join(f"{key} ({name})" for key, name in names.items())
        raise DataError(f"{where}, line {odd + 1}: should be one of {known}, found {shown(cells[odd])}.")
    return [names.get(cell.strip()) for cell in cells]
