"""Files of a table: one or several, and one of test rows, whose columns are read as one."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from mtl.config.sources import SeriesSource
from mtl.config.table_file import WHITESPACE, TableFile
from mtl.config.table_source import FilesSplit, TableSource
from mtl.data.formats.line_files import line_table
from mtl.data.formats.records import Lines
from mtl.data.formats.table import Table
from mtl.data.formats.tables import read_table
from mtl.data.formats.text_file import TextFile
from mtl.data.formats.text_table import read_rows
from mtl.data.sources.table_columns import NO_CATEGORY, Column
from mtl.errors import DataError, shown


def read_files(config: TableSource, root: Path) -> tuple[Table, np.ndarray | None]:
    """The table, and the mask of the rows of the file of test rows [S]; None where there is none.

    Raises:
        DataError: a file cannot be read, or has other columns than the first.
    """
    if config.lines is not None:
        return line_table(config, root), None
    first = _together(config, config.also, root)
    if not isinstance(config.split, FilesSplit):
        return first, None
    split = config.split
    skipped = config.skip_rows if split.test_skip_rows is None else split.test_skip_rows
    second = read_table(config.model_copy(update={"path": split.test_path, "skip_rows": skipped}), root)
    table = _below(first, second)
    return table, np.arange(len(table.frame)) >= len(first.frame)


def read_series(config: SeriesSource, root: Path) -> Table:
    """The table of a series, with the column `file_column` where there is one.

    Raises:
        DataError: a file cannot be read, or has other columns than the first.
    """
    table = _together(config, config.also, root)
    if config.file_column is None:
        return table
    file = file_of_rows(table, config.file_column)
    assert file.names is not None
    names = np.array(file.names, dtype=object)[file.values]
    return replace(table, frame=pd.concat([table.frame, pd.Series(names, name=config.file_column)], axis=1))


def _together(config: TableFile, also: Sequence[str], root: Path) -> Table:
    """The rows of `path` and of further files below each other."""
    table = read_table(config, root)
    for path in also:
        table = _below(table, read_table(config.model_copy(update={"path": path}), root))
    return table


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


def _below(first: Table, second: Table) -> Table:
    """The rows of both tables.

    Raises:
        DataError: their columns differ.
    """
    _check_columns(first, second)
    return _joined(first, second)


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


def _joined(first: Table, second: Table) -> Table:
    """The rows of both files, those of the second below the first."""
    count = len(first.frame)
    names = list(first.frame.columns)
    rows = np.arange(count + len(second.frame))
    lines = Lines(lambda: np.array([*map(first.lines.__getitem__, range(count)),
                                    *map(second.lines.__getitem__, range(len(second.frame)))]), rows)  # fmt: skip
    notes = list(dict.fromkeys([*first.notes, *second.notes]))
    later = (*first.later, (second.path, count))
    above, below = first.text, second.text
    joined = bool(first.options.joined)  # of columns that the text does not have
    if above is None or below is None or joined or above.form != below.form or above.names != below.names:
        frame = pd.concat([first.frame, second.frame[names]], ignore_index=True)
        return replace(first, frame=frame, lines=lines, notes=notes, text=None, later=later)
    text = replace(above, data=_filled(above) + b"\n" + below.whole[below.body :])
    frame, _ = read_rows(text, first.options)
    if len(frame) != len(rows):
        raise DataError(
            f"{first.path} and {second.path}: should have {len(rows):,} rows together, found {len(frame):,}: end each "
            "row with a line break, and let no quoted cell be open at the end."
        )
    return replace(first, frame=frame[names], lines=lines, notes=notes, text=text, later=later)


def _filled(text: TextFile) -> bytes:
    """The text without the lines at its end that hold nothing but blanks and separators."""
    hollow = b' \t"\r\n' + (b"" if text.form.separator == WHITESPACE else text.form.separator.encode())
    data = text.whole.rstrip(b"\r\n")
    while data:
        last = data[data.rfind(b"\n") + 1 :]
        if last.strip(hollow):
            break
        data = data[: -len(last)].rstrip(b"\r\n") if last else data.rstrip(b"\r\n")
    return data


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
