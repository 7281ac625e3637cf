"""A table read a piece at a time, so that a file of any length fits into memory: text in UTF-8, Parquet and Feather."""

import gzip
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BufferedIOBase
from pathlib import Path

import numpy as np
import pandas as pd

from mtl.config.table_file import TableFile
from mtl.data.formats.encodings import as_utf8
from mtl.data.formats.feather_table import feather_pieces
from mtl.data.formats.packing import GZIP, check_text
from mtl.data.formats.parquet_table import parquet_pieces
from mtl.data.formats.reading import check_plain, reading
from mtl.data.formats.records import Lines, last_line, whole_records
from mtl.data.formats.table import Table
from mtl.data.formats.tables import FEATHER, PARQUET, TEXT, read_table
from mtl.data.formats.text_file import TextFile, layout, unclosed
from mtl.data.formats.text_table import read_rows
from mtl.errors import DataError

PIECE = 1 << 24
"""Bytes of text that are read at a time."""
LONGEST = 8 * PIECE
"""Bytes of one row: more are a quoted cell without an end."""
ROWS = 1 << 16
"""Rows of a Parquet or Feather file that are read at a time."""
UTF8 = ("utf-8", "utf8", "utf-8-sig", "ascii")


def table_pieces(config: TableFile, root: Path) -> Iterator[Table]:
    """The rows of the file of `config`, as `read_table` reads them, in pieces in their order; lines count on.

    Text of another encoding than UTF-8, or with lines at its end that are not read, and files of other formats are one
    piece, and so are files below PIECE bytes.

    Raises:
        DataError: as `read_table`, for a piece when it is reached.
    """
    path = root / config.path
    name = path.name.lower()
    if name.endswith(PARQUET):
        yield from _of_columns(path, config, parquet_pieces)
    elif name.endswith(FEATHER):
        yield from _of_columns(path, config, feather_pieces)
    elif name.removesuffix(".gz").endswith(TEXT) and _in_pieces(path, config):
        yield from _of_text(path, config)
    else:
        yield read_table(config, root)


def _in_pieces(path: Path, config: TableFile) -> bool:
    check_plain(path, config.path, most=1 << 50)
    whole = path.stat().st_size <= PIECE >> (3 if path.name.lower().endswith(".gz") else 0)
    return not whole and not config.skip_footer and config.encoding.lower() in UTF8


Pieces = Callable[[Path, TableFile, list[str], int], Iterator[pd.DataFrame]]
"""(path, options, notes, rows of a piece) → frames."""


def _of_columns(path: Path, config: TableFile, pieces: Pieces) -> Iterator[Table]:
    begin = 0
    notes: list[str] = []
    for frame in pieces(path, config, notes, ROWS):
        numbers = np.arange(begin + 1, begin + len(frame) + 1)
        yield Table(config.path, frame, _counted(numbers), "row", config, notes=notes)
        begin, notes = begin + len(frame), []
    if not begin:
        raise DataError(f"{config.path}: there are no rows below the header.")


def _counted(numbers: np.ndarray) -> Lines:
    return Lines(lambda: numbers, np.arange(len(numbers)))


@contextmanager
def _opened(path: Path, where: str) -> Iterator[BufferedIOBase]:
    with reading(where), path.open("rb") as raw:
        packed = raw.read(2) == GZIP
        raw.seek(0)
        if not packed:
            yield raw
            return
        with gzip.GzipFile(fileobj=raw) as unpacked:
            yield unpacked


def _of_text(path: Path, config: TableFile) -> Iterator[Table]:
    file: TextFile | None = None
    rest, line = b"", 1
    with _opened(path, config.path) as opened:
        while True:
            more = _read(opened, config.path)
            block, rest = rest + more, b""
            if len(block) > LONGEST:
                raise DataError(unclosed(config.path, ValueError(line)))
            if file is None:
                check_text(block, config.path)
                notes: list[str] = []
                block, rest = _cut(block, more, last_line(block))
                file = layout(as_utf8(block, config.encoding, config.path, notes), config, notes)
                block, rest = _cut(file.whole, more, whole_records(file.whole, file.form, file.body), rest)
                piece, line = replace(file, data=block), 1
            else:
                block, rest = _cut(block, more, whole_records(block, file.form, 0))
                _check_encoding(block, line, config)
                piece = replace(file, data=block, body=0, line=line, notes=[], blank=[])
            if block[piece.body :].strip():
                yield _table(piece, config)
            line += _breaks(block)
            if not more:
                return


def _read(opened: BufferedIOBase, where: str) -> bytes:
    try:
        return opened.read(PIECE)
    except (OSError, EOFError) as error:
        raise DataError(f"{where} is not a gzip file that can be read: {error}.") from None


def _cut(block: bytes, more: bytes, end: int, rest: bytes = b"") -> tuple[bytes, bytes]:
    """The block up to a byte, and what is left of it before `rest`; the whole of the last one."""
    return (block[:end], block[end:] + rest) if more else (block + rest, b"")


def _breaks(block: bytes) -> int:
    return block.count(b"\n") or block.count(b"\r")


def _check_encoding(block: bytes, line: int, config: TableFile) -> None:
    try:
        block.decode("utf-8")
    except UnicodeDecodeError as error:
        number = line + _breaks(block[: error.start])
        raise DataError(
            f"{config.path}, line {number}: is not {config.encoding}, found the byte {block[error.start]:#04x}: set "
            "`encoding`."
        ) from None


def _table(file: TextFile, config: TableFile) -> Table:
    frame, lines = read_rows(file, config)
    rows = np.arange(len(frame))
    return Table(config.path, frame, Lines(lines, rows), "line", config, file.units, file.notes, file)
