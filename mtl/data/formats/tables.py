"""One table from a file of text, Parquet, Feather, ARFF or Excel, with the line that each of its rows came from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from mtl.config.conll import CONLL
from mtl.config.table_file import TableFile
from mtl.data.formats.arff import read_arff
from mtl.data.formats.conll import conll_table
from mtl.data.formats.excel_table import read_excel
from mtl.data.formats.feather_table import read_feather
from mtl.data.formats.image_folders import folder_table
from mtl.data.formats.numbers import ask_about_points
from mtl.data.formats.packing import ZIP, zipped_table
from mtl.data.formats.parquet_table import read_parquet
from mtl.data.formats.reading import check_plain
from mtl.data.formats.records import Lines
from mtl.data.formats.remedies import for_dates, for_name, for_structure
from mtl.data.formats.row_remedies import check_header, check_rows, check_sheet_rows, note_short_rows
from mtl.data.formats.table import Table
from mtl.data.formats.text_file import open_text
from mtl.data.formats.text_table import read_rows
from mtl.data.inputs import scratch
from mtl.errors import DataError, LayoutError

TEXT = (".csv", ".tsv", ".txt", ".dat", ".data", ".test")
"""Endings of files of delimited text, which may be packed with gzip; the UCI repository uses the last two."""
PARQUET = (".parquet", ".pq")
FEATHER = (".feather", ".arrow")
ARFF = ".arff"
"""Ending of files of Weka, which may be packed with gzip."""
EXCEL = (".xlsx", ".xlsm")


def read_table(config: TableFile, root: Path) -> Table:
    """Reads the file, or the folder of images, of `config`; time stamps and labels stay text, other columns are numbers
    where all cells are.

    Raises:
        DataError: no such file, an unknown type of file, a wrong encoding, rows of different widths, a column
            that is missing or there twice; names the option that reads the file where one does.
    """
    path = root / config.path
    if path.is_dir():
        table = folder_table(path, config, [])
        check_roles(table)
        return table
    check_plain(path, config.path)
    name = path.name.lower()
    if name.endswith(ZIP):
        name = zipped_table(path, config.path).lower()
    notes: list[str] = []
    if name.endswith(PARQUET):
        table = _of_rows(config, read_parquet(path, config, notes), notes)
    elif name.endswith(FEATHER):
        table = _of_rows(config, read_feather(path, config, notes), notes)
    elif name.endswith(EXCEL):
        frame, numbers, units = read_excel(path, config, notes)
        table = Table(config.path, frame, _counted(numbers), "row", config, units, notes)
    elif name.removesuffix(".gz").endswith(CONLL):
        table = conll_table(path, config)
    elif name.removesuffix(".gz").endswith(ARFF):
        frame, numbers = read_arff(path, config, notes)
        table = Table(config.path, frame, _counted(numbers), "line", config, notes=notes)
    elif name.removesuffix(".gz").endswith(TEXT):
        table = _from_text(path, config)
    else:
        raise DataError(f"{config.path}: the name should end in .csv, .csv.gz or .parquet (also .tsv, .txt, .dat, "
                        ".data or .arff, plain, .gz or one in a .zip, .feather or .xlsx).")  # fmt: skip
    check_roles(table)
    if len(table.frame) == 0:
        raise DataError(f"{config.path}: there are no rows below the header.")
    check_rows(table)
    if name.endswith(EXCEL):
        check_header(table)
        check_sheet_rows(table)
    note_short_rows(table)
    ask_about_points(table)
    for column, parts in config.joined.items():
        table = _joined(table, column, parts)
    return table


def _of_rows(config: TableFile, frame: pd.DataFrame, notes: list[str]) -> Table:
    """The table of a file whose rows are counted from 1."""
    return Table(config.path, frame, _counted(scratch.counting(len(frame), 1)), "row", config, notes=notes)


def _counted(numbers: np.ndarray) -> Lines:
    return Lines(lambda: numbers, scratch.counting(len(numbers)))


def _from_text(path: Path, config: TableFile) -> Table:
    file = open_text(path, config)
    try:
        frame, lines = read_rows(file, config)
    except DataError as error:
        remedy = for_structure(file.whole, config)
        raise LayoutError(f"{error}{remedy.sentence}", remedy.options) from None
    rows = scratch.counting(len(frame))
    return Table(config.path, frame, Lines(lines, rows), "line", config, file.units, file.notes, file)


def check_roles(table: Table) -> None:
    """Raises a DataError if a column that a setting names is not in the file."""
    for setting, names in table.options.roles.items():
        for name in names:
            if name not in table.frame.columns:
                none = ", several of them ([day, time]), or be null where there are no time stamps"
                none = none if setting == "date" else ""
                told = "".join(f" {note}" for note in table.notes)
                remedy = (
                    for_name(name, setting, table.frame)
                    or (told if table.text is None else for_structure(table.text.whole, table.options).sentence)
                    or for_dates(setting, table.frame)
                )  # fmt: skip
                raise DataError(
                    f"{table.path}: there is no column `{name}`; found: {', '.join(table.frame.columns)}. `{setting}` "
                    f"of the source should name one of these{none}.{remedy}"
                )


def _joined(table: Table, column: str, parts: list[str]) -> Table:
    """The table with a column of the cells of others, joined by a blank, in their place; empty where one of them is."""
    frame = table.frame
    if column in frame.columns:
        raise DataError(f"{table.path}: has a column `{column}` beside {parts}, which are joined to it: rename it.")
    known = frame[parts].notna().all(axis=1)
    joined = frame[parts[0]].astype(str).str.strip()
    for part in parts[1:]:
        joined = joined + " " + frame[part].astype(str).str.strip()
    roles = table.options.roles
    elsewhere = {name for setting, names in roles.items() if setting != "date" for name in names}
    rest = frame.drop(columns=[part for part in parts if part not in elsewhere])
    return replace(table, frame=pd.concat([joined.where(known, None).rename(column), rest], axis=1))
