"""One table from a .csv, .csv.gz or .parquet file, with the line that each row came from."""

import csv
import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mtl.config.sources import SeriesSource
from mtl.data.formats.reading import MAX_BYTES, check_count, check_plain, read_gzip, size
from mtl.errors import DataError

PARQUET_BATCH = 1024
"""Rows that are looked at together to learn how large a table is."""
EMPTY = ["", "NaN", "nan", "-nan", "NA", "N/A", "n/a", "#N/A", "<NA>", "null", "NULL", "None"]
"""Cells of a value or date column that hold nothing. A label may well be called `None`: only the first three count."""


@dataclass(frozen=True)
class Table:
    """A frame whose index counts from 0, and where each row stood in the file."""

    path: str
    frame: pd.DataFrame
    lines: np.ndarray
    unit: str
    """Unit that `lines` counts: "line" of a text file (the header is line 1), "row" of a Parquet file (from 1)."""

    def at(self, row: int, column: str | None = None) -> str:
        """Place of a cell in words: "data/raw/x.csv, line 17, column `OT`"."""
        return f"{self.path}, {self.unit} {self.lines[row]}" + (f", column `{column}`" if column is not None else "")

    def take(self, rows: np.ndarray) -> "Table":
        """The same table with only these rows, in this order."""
        return Table(self.path, self.frame.iloc[rows].reset_index(drop=True), self.lines[rows], self.unit)


def read_table(config: SeriesSource, root: Path) -> Table:
    """Reads the file of `config`; dates and labels stay text, other columns are numbers where all cells are.

    Raises:
        DataError: no such file, an unknown type of file, a wrong encoding, rows of different widths, a column
            that is missing or there twice.
    """
    path = root / config.path
    check_plain(path, config.path)
    if path.suffix == ".parquet":
        table = _read_parquet(path, config)
    elif path.name.endswith((".csv", ".csv.gz")):
        table = _read_csv(path, config)
    else:
        raise DataError(f"{config.path}: the name should end in .csv, .csv.gz or .parquet.")
    wanted = {
        "date": [] if config.date is None else [config.date],
        "id": config.ids,
        "labels": config.labels, "targets": config.targets, "values": config.values or [],
    }  # fmt: skip
    for setting, name in ((setting, name) for setting, names in wanted.items() for name in names):
        if name not in table.frame.columns:
            none = ", or be null where there are no time stamps" if setting == "date" else ""
            raise DataError(
                f"{config.path}: there is no column `{name}`; found: {', '.join(table.frame.columns)}. `{setting}` of "
                f"the source should name one of these{none}."
            )
    if len(table.frame) == 0:
        raise DataError(f"{config.path}: there are no rows below the header.")
    return table


def _read_parquet(path: Path, config: SeriesSource) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            check_count(file.metadata.num_rows * file.metadata.num_columns, config.path)
            unpacked = 0
            # A cell of text that a thousand rows share is stored once: what they take is seen only by reading on.
            for batch in file.iter_batches(batch_size=PARQUET_BATCH):
                unpacked += batch.nbytes
                if unpacked > MAX_BYTES:
                    raise DataError(f"{config.path} should be at most {size(MAX_BYTES)} unpacked, found more.")
        frame = pd.read_parquet(path)
    # pyarrow's own errors are ValueErrors, KeyErrors, TypeErrors and NotImplementedErrors, and MemoryErrors.
    except (pa.ArrowException, ValueError, OSError, KeyError, TypeError, NotImplementedError, MemoryError) as error:
        raise DataError(f"{config.path} is not a Parquet file that can be read: {error}") from None
    if config.date is not None and frame.index.name == config.date:
        frame = frame.reset_index()
    frame.columns = frame.columns.map(str)
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise DataError(f"{config.path}: column `{twice[0]}` is there more than once.")
    return Table(config.path, frame.reset_index(drop=True), np.arange(1, len(frame) + 1), "row")


def _read_csv(path: Path, config: SeriesSource) -> Table:
    sep, encoding = config.separator, config.encoding
    unpacked = read_gzip(path, config.path, MAX_BYTES) if path.suffix == ".gz" else None

    def source() -> io.BytesIO | Path:
        return path if unpacked is None else io.BytesIO(unpacked)

    try:
        "".encode(encoding)
    except (LookupError, ValueError):
        raise DataError(f"{config.path}: `encoding` should be one that Python knows, found {encoding!r}.") from None
    try:
        head = pd.read_csv(
            source(),
            sep=sep,
            encoding=encoding,
            header=None,
            nrows=1,
            dtype=str,
            keep_default_na=False,
            skip_blank_lines=False,
        )
        names = [str(name) for name in head.iloc[0]]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise DataError(f"{config.path}, line 1: column `{twice[0]}` is there more than once.")
        text = [name for name in [config.date, *config.ids, *config.labels] if name in names]
        with warnings.catch_warnings():
            # pandas only warns when every row has more cells than the header, and drops the last ones.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                source(),
                sep=sep,
                encoding=encoding,
                header=None,
                names=names,
                skiprows=1,
                index_col=False,
                dtype=dict.fromkeys(text, str),
                keep_default_na=False,
                na_values={name: EMPTY[:3] if name in config.labels else EMPTY for name in names},
                low_memory=False,
                # Every line is a row, so that a row's number tells its line.
                skip_blank_lines=False,
            )
    except pd.errors.EmptyDataError:
        if not _whole(path, unpacked).strip():
            raise DataError(f"{config.path} is empty.") from None
        raise DataError(f"{config.path}, line 1: should name the columns, found a blank line.") from None
    except (pd.errors.ParserError, pd.errors.ParserWarning):
        raise DataError(f"{config.path}, {_uneven_line(_whole(path, unpacked), config)}") from None
    except UnicodeError:
        line, reason = _undecodable(_whole(path, unpacked), encoding)
        raise DataError(
            f"{config.path}, line {line}: is not {encoding} ({reason}); set `encoding`, for example latin-1."
        ) from None
    except (OSError, ValueError) as error:
        raise DataError(f"{config.path} cannot be read: {error}.") from None
    # Blank lines at the end of a file are no rows; a line of `NaN` is one whose values are missing.
    filled = np.flatnonzero(frame.notna().any(axis=1).to_numpy())
    empty = len(frame) - (int(filled[-1]) + 1 if len(filled) else 0)
    if empty:
        empty = min(empty, _blank_lines(_whole(path, unpacked), config))
    frame = frame.iloc[: len(frame) - empty]
    return Table(config.path, frame, np.arange(2, len(frame) + 2), "line")


def _whole(path: Path, unpacked: bytes | None) -> bytes:
    return path.read_bytes() if unpacked is None else unpacked


def _blank_lines(data: bytes, config: SeriesSource) -> int:
    """Number of lines at the end that hold nothing but separators and blanks."""
    text = data.decode(config.encoding).replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")
    lines = text.split("\n")
    filled = [number for number, line in enumerate(lines, 1) if line.strip(config.separator + ' \t"')]
    return len(lines) - (filled[-1] if filled else 0)


def _undecodable(data: bytes, encoding: str) -> tuple[int, str]:
    """Line and nature of the first bytes that are not of this encoding."""
    try:
        data.decode(encoding)
    except UnicodeDecodeError as error:
        return data[: error.start].decode(encoding, errors="replace").count("\n") + 1, error.reason
    except UnicodeError as error:
        return 1, str(error)
    return 1, "it ends in the middle of a character"


def _uneven_line(data: bytes, config: SeriesSource) -> str:
    """The first line with more cells than the header; quoted separators are told apart by the csv module."""
    text = io.StringIO(data.decode(config.encoding, errors="replace"), newline="")
    rows = csv.reader(text, delimiter=config.separator)
    try:
        width = len(next(rows))
        for row in rows:
            if len(row) > width:
                return f"line {rows.line_num}: should have {width} cells as the header has, found {len(row)}."
    except csv.Error as error:
        return f"line {rows.line_num}: {error}."
    return f"line 1: cannot be split at {config.separator!r} into the same number of cells in every line."
