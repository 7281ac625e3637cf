"""Files of a table: one or several, and one of test rows, whose columns are read as one."""

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from pathlib import Path

import numpy as np
import pandas as pd

from mtl.config.sources import SeriesSource
from mtl.config.table_file import WHITESPACE, TableFile
from mtl.config.table_source import TableSource
from mtl.config.table_split import FilesSplit
from mtl.data.formats.conll import conll_tables
from mtl.data.formats.line_files import line_table
from mtl.data.formats.records import Lines
from mtl.data.formats.table import Table
from mtl.data.formats.tables import check_roles, read_table
from mtl.data.formats.text_file import TextFile
from mtl.data.formats.text_table import read_rows
from mtl.data.formats.windowed import WINDOW, Windowed, spliced
from mtl.data.sources.table_columns import NO_CATEGORY, Column
from mtl.errors import DataError, shown


def read_files(config: TableSource, root: Path) -> tuple[Table, np.ndarray | None]:
    """The table, and the mask of the rows of the file of test rows [S]; None where there is none.

    Raises:
        DataError: a file cannot be read, or has other columns than the first.
    """
    if config.lines is not None or config.conll is not None:
        table = line_table(config, root) if config.lines is not None else conll_tables(config, root)
        check_roles(table)
        return table, None
    split, options = config.split, _options(config, config.also)
    if not isinstance(split, FilesSplit):
        return _together(options, root), None
    skipped = config.skip_rows if split.test_skip_rows is None else split.test_skip_rows
    options.append(config.model_copy(update={"path": split.test_path, "skip_rows": skipped}))
    table = _together(options, root)
    _, begin = table.later[-1]
    return table, np.arange(len(table.frame)) >= begin


def read_series(config: SeriesSource, root: Path) -> Table:
    """The table of a series, with the column `file_column` where there is one.

    Raises:
        DataError: a file cannot be read, or has other columns than the first.
    """
    table = _together(_options(config, config.also), root)
    if config.file_column is None:
        return table
    file = file_of_rows(table, config.file_column)
    assert file.names is not None
    names = np.array(file.names, dtype=object)[file.values]
    return replace(table, frame=pd.concat([table.frame, pd.Series(names, name=config.file_column)], axis=1))


def _options(config: TableFile, also: Sequence[str]) -> list[TableFile]:
    """How `path` and further files are read."""
    return [config, *(config.model_copy(update={"path": path}) for path in also)]


def _together(options: Sequence[TableFile], root: Path) -> Table:
    """The rows of files below each other.

    Raises:
        DataError: their columns differ.
    """
    tables: list[Table] = []
    for config in options:
        tables.append(read_table(config, root))
        _check_columns(tables[0], tables[-1])
    return _joined(tables)


def file_of_rows(table: Table, name: str) -> Column:
    """The file that each row comes from as a column of categories, which are the files' names without ending.

    Raises:
        DataError: the table has a column of this name.
    """
    if name in table.frame.columns:
        raise DataError(f"{table.path}: has a column `{name}`: let `file_column` be another name.")
    paths = [table.path, *(path for path, _ in table.later)]
    names = [Path(path).name.partition(".")[0] for path in paths]
    if len(set(names)) < len(names):
        names = paths
    begins = np.array([begin for _, begin in table.later])
    files = np.searchsorted(begins, np.arange(len(table.frame)), side="right")
    ordered = sorted(names)
    places = np.array([ordered.index(file) for file in names], dtype=np.int32)
    return Column(name, name, places[files], ordered)


def _check_columns(first: Table, second: Table) -> None:
    names, others = list(first.frame.columns), list(second.frame.columns)
    lacking = [name for name in names if name not in others]
    more = [name for name in others if name not in names]
    if lacking or more:
        difference = f"no `{lacking[0]}`" if lacking else f"`{more[0]}`, which is not there"
        raise DataError(
            f"{second.path}: should have the columns of {first.path}, found {difference}: rename its columns, or let "
            "`columns` name them if the files have no header."
        )


def _joined(tables: list[Table]) -> Table:
    """The rows of all files, those of each below the ones before; the list is emptied, so that the frames of files are
    in memory no longer than they are needed."""
    first = tables[0]
    if len(tables) == 1:
        return tables.pop()
    counts = [len(table.frame) for table in tables]
    begins = [0, *np.cumsum(counts[:-1]).tolist()]
    later = (*first.later, *((table.path, begin) for table, begin in zip(tables[1:], begins[1:], strict=True)))
    notes = list(dict.fromkeys(note for table in tables for note in table.notes))
    names, lines = list(first.frame.columns), _lines([table.lines for table in tables])
    texts = _alike(tables)
    frames = [table.frame for table in tables]
    made = replace(first, frame=pd.DataFrame(), lines=lines, notes=notes, text=None, later=later)
    del first
    tables.clear()
    if len(texts) > 1:
        del frames[: len(texts)]
        text = _spliced(texts, made.options)
        frame, _ = read_rows(text, made.options)
        if len(frame) != sum(counts[: len(texts)]):
            paths = " and ".join([made.path, *(path for path, _ in later)][: len(texts)])
            raise DataError(
                f"{paths}: should have {sum(counts[: len(texts)]):,} rows together, found {len(frame):,}: end each row "
                "with a line break, and let no quoted cell be open at the end."
            )
        if not frames:
            return replace(made, frame=frame[names], text=text)
        frames.insert(0, frame)
        del frame
    return replace(made, frame=_stacked(frames, names))


def _lines(files: list[Lines]) -> Lines:
    """Lines of the rows of several files."""
    count = sum(map(len, files))
    return Lines(lambda: np.array([lines[row] for lines in files for row in range(len(lines))]), np.arange(count))


def _alike(tables: list[Table]) -> list[TextFile]:
    """Texts of the first files that are written alike: what their cells are is told by all of them together."""
    texts: list[TextFile] = []
    joined = bool(tables[0].options.joined)  # to columns that the text does not have
    for text in (table.text for table in tables):
        if joined or text is None or (texts and (text.form, text.names) != (texts[0].form, texts[0].names)):
            break
        texts.append(text)
    return texts


def _spliced(texts: list[TextFile], config: TableFile) -> TextFile:
    """The text of the first file with the rows of the others below its own."""
    parts: list[tuple[bytes | Windowed, int, int]] = []
    for text in texts:
        text.written.clear()
        parts += [(b"\n", 0, 1), (text.data, text.body, _filled(text))]
    parts[:2] = [(texts[0].data, 0, _filled(texts[0]))]
    parts[-1] = (texts[-1].data, texts[-1].body, len(texts[-1].data))
    return replace(texts[0], data=spliced(parts, config.by_windows and not config.skip_footer))


def _filled(text: TextFile) -> int:
    """Byte behind the last line that holds more than blanks and separators, without its line end."""
    hollow = b' \t"\r\n' + (b"" if text.form.separator == WHITESPACE else text.form.separator.encode())
    data, end, last = text.data, len(text.data), 0
    while end and not last:
        begin = max(0, end - WINDOW)
        last, end = begin + len(data[begin:end].rstrip(hollow)), begin
        last = 0 if last == begin else last
    line_end = data.find(b"\n", last) if last else 0
    line_end = len(data) if line_end < 0 else line_end
    return last + len(data[last:line_end].rstrip(b"\r\n"))


def _stacked(frames: list[pd.DataFrame], names: list[str]) -> pd.DataFrame:
    """The rows of all frames, column by column, which are taken out of them."""
    columns = {}
    for name in names:
        cells = [frame.pop(name) for frame in frames]
        if len({column.dtype for column in cells}) == 1:
            columns[name] = pd.concat(cells, ignore_index=True)
        else:
            columns[name] = reduce(lambda above, below: pd.concat([above, below], ignore_index=True), cells)
    return pd.DataFrame(columns, copy=False)


def without_final_points(column: Column, second: np.ndarray, notes: list[str]) -> Column:
    """The column with the names of the second file as the first spells them, where they end in a point in the second
    alone, as those of the test part of the census data do."""
    if column.names is None:
        return column
    there = {column.names[code] for code in np.unique(column.values[second & ~column.missing]).tolist()}
    first = {column.names[code] for code in np.unique(column.values[~second & ~column.missing]).tolist()}
    if not there or not all(name.endswith(".") and name[:-1] in first for name in there) or there & first:
        return column
    names = [name for name in column.names if name not in there]
    place = [names.index(name[:-1] if name in there else name) for name in column.names]
    codes = np.array([*place, NO_CATEGORY], dtype=np.int32)[column.values]
    some = min(there)
    notes.append(f"{column.name}: names of the test file end in a point, and were read as {shown(some[:-1])}.")
    return replace(column, values=codes, names=names)
