"""A table from a Parquet file: columns, and the index that pandas wrote beside them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mtl.config.table_file import TableFile
from mtl.data.formats.packing import GZIP, check_text
from mtl.data.formats.reading import MAX_BYTES, check_count, check_plain, size
from mtl.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

BATCH = 1024
"""Rows that are looked at together to learn how large a table is."""
ROWS = 1 << 16
"""Rows of a column that are read together where the file is long."""
BUFFER = 1 << 20
"""Bytes of a column that are read together."""
UNNAMED_LEVEL = "__index_level_"
"""Beginning of the names that pandas gives to columns of an index without a name."""


def read_parquet(path: Path, config: TableFile, notes: list[str]) -> pd.DataFrame:
    """The frame, its index counting from 0.

    The level of the index that the config names becomes a column; an index of time stamps without a name becomes the
    column `date` where the file has none. What is left of the index is left out, and said unless it only counts rows.

    Raises:
        DataError: no Parquet file, damaged, too large, a column that is there twice.
    """
    import pyarrow.parquet as pq

    from mtl.data.formats.arrow_columns import frame_by_columns, read_as

    check_plain(path, config.path)
    _check_magic(path, config.path)
    with read_as("Parquet", config.path), pq.ParquetFile(path, buffer_size=BUFFER) as file:
        check_count(file.metadata.num_rows * file.metadata.num_columns, config.path)
        unpacked = 0
        # A cell of text that a thousand rows share is stored once: what they take is seen only by reading on.
        for batch in _batches(file, BATCH):
            unpacked += batch.nbytes
            if unpacked > MAX_BYTES:
                raise DataError(f"{config.path} should be at most {size(MAX_BYTES)} unpacked, found more.")
        schema, rows = file.schema_arrow, file.metadata.num_rows
        frame = frame_by_columns(
            schema,
            rows,
            lambda names: file.read(list(names)).select(names),
            lambda names: _batches(file, ROWS, names),
            config.path,
        )
    return with_names(with_index(frame, config, notes), config, notes)


def parquet_pieces(path: Path, config: TableFile, notes: list[str], rows: int) -> Iterator[pd.DataFrame]:
    """The rows of a Parquet file as `read_parquet` reads them, at most so many at a time, of any number.

    Raises:
        DataError: as `read_parquet`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from mtl.data.formats.arrow_columns import read_as

    check_plain(path, config.path, most=1 << 50)
    _check_magic(path, config.path)
    with read_as("Parquet", config.path), pq.ParquetFile(path, buffer_size=BUFFER) as file:
        for batch in _batches(file, rows):
            if batch.nbytes > MAX_BYTES:
                raise DataError(f"{config.path}: {rows:,} rows should be at most {size(MAX_BYTES)}, found more.")
            frame = pa.Table.from_batches([batch]).to_pandas()
            yield with_names(with_index(frame, config, notes), config, notes)


def _batches(file: "pq.ParquetFile", rows: int, columns: Sequence[str] | None = None) -> "Iterator[pa.RecordBatch]":
    """All rows, at most so many at a time; None: of every column. Each group of rows is read by itself, for Arrow keeps
    what it has read of several until it has read the last."""
    for group in range(file.num_row_groups):
        yield from file.iter_batches(rows, [group], None if columns is None else list(columns))


def _check_magic(path: Path, where: str) -> None:
    with path.open("rb") as file:
        head = file.read(512)
    if head.startswith(b"PAR1"):
        return
    if head.startswith(GZIP):
        raise DataError(f"{where} is not a Parquet file, found a gzip file: unpack it; Parquet is packed inside.")
    try:
        check_text(head, where)
        head.decode("utf-8")
    except UnicodeDecodeError:
        return
    except DataError as error:
        raise DataError(str(error).replace("should be text", "is not a Parquet file")) from None
    if b"\n" in head and head.isascii() and b"\0" not in head:
        raise DataError(f"{where} is not a Parquet file, found text: register it under a name that ends in .csv.")


def with_index(frame: pd.DataFrame, config: TableFile, notes: list[str]) -> pd.DataFrame:
    """The frame with the levels of its index that are asked for among its columns."""
    asked = {name for names in config.roles.values() for name in names}
    levels = {name: frame.index.get_level_values(number) for number, name in enumerate(frame.index.names)}
    # Written by other tools than pandas, the levels are columns.
    for column in [str(name) for name in frame.columns if str(name).startswith(UNNAMED_LEVEL)]:
        levels[column] = pd.Index(frame[column])
        frame = frame.drop(columns=column)
    frame = frame.reset_index(drop=True)
    have = {str(name) for name in frame.columns}
    date = next(iter(config.roles.get("date", [])), None)
    for name, level in levels.items():
        unnamed = name is None or str(name).startswith(UNNAMED_LEVEL)
        if not unnamed and str(name) in asked - have:
            frame.insert(0, str(name), level)
        elif unnamed and isinstance(level, pd.DatetimeIndex) and date is not None and date not in have:
            frame.insert(0, date, level)
            notes.append(f"{config.path}: its index without a name holds time stamps and was read as `{date}`.")
        elif not _counts(level):
            called = "index without a name" if unnamed else f"index `{name}`"
            more = "" if unnamed else "; a setting such as `date`, `id` or `labels` may name it"
            notes.append(f"{config.path}: its {called} is no column and was left out{more}.")
        have = {str(column) for column in frame.columns}
    return frame


def _counts(level: pd.Index) -> bool:
    """True for 0, 1, 2, …"""
    return isinstance(level, pd.RangeIndex) or (
        pd.api.types.is_integer_dtype(level) and bool(np.array_equal(level.to_numpy(), np.arange(len(level))))
    )


def with_names(frame: pd.DataFrame, config: TableFile, notes: list[str]) -> pd.DataFrame:
    """The frame with names that are text, without blanks around them."""
    asked = {name for names in config.roles.values() for name in names}
    old = [str(name) for name in frame.columns]
    frame.columns = pd.Index([name if name in asked else name.strip() for name in old], dtype=object)
    if list(frame.columns) != old:
        notes.append(f"{config.path}: blanks around names of columns were taken off.")
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise DataError(f"{config.path}: column `{twice[0]}` is there more than once: rename one of them.")
    return frame
