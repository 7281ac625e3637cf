"""A table that is written a piece at a time, as CSV or Parquet, and takes its place only when it is whole."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from mtl.errors import UserError
from mtl.files import replaced

Write = Callable[[pd.DataFrame], None]
TEMPORARY = "[a-z0-9_]" * 8
"""Pattern of the end of the names of temporary files."""
ENDINGS = (".parquet", ".csv")


def check_output(path: Path) -> None:
    """Checks that a file of this name can be written.

    Raises:
        UserError: its ending says no known form, or its folder is not there.
    """
    if path.suffix.lower() not in ENDINGS:
        raise UserError(f"-o should end in .parquet or .csv, found {path.name!r}.")
    if path.is_dir() or not path.absolute().parent.is_dir():
        what = "a folder of this name" if path.is_dir() else f"no folder {path.parent}"
        raise UserError(f"-o {path}: should be a file in a folder that is there, found {what}.")


@contextmanager
def output(path: Path) -> Iterator[Write]:
    """Writer of pieces with the same columns, one below the other; the file appears when the block ends well.

    Raises:
        UserError: the disk is full, or the file cannot be written.
    """
    for left in path.parent.glob(f".{escape(path.name[:100])}.{TEMPORARY}"):  # by a process that was killed right here
        left.unlink(missing_ok=True)
    try:
        with replaced(path) as fresh:
            if path.suffix.lower() == ".csv":
                with fresh.open("w", encoding="utf-8", newline="") as file:
                    yield lambda piece: piece.to_csv(file, header=not file.tell(), index=False, lineterminator="\n")
            else:
                with _parquet(fresh) as write:
                    yield write
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}.") from error


@contextmanager
def _parquet(path: Path) -> Iterator[Write]:
    opened: list[pq.ParquetWriter] = []

    def write(piece: pd.DataFrame) -> None:
        schema = opened[0].schema if opened else None
        table = pa.Table.from_pandas(piece, schema=schema, preserve_index=False)
        if not opened:
            opened.append(pq.ParquetWriter(path, _nullable(table.schema), compression="zstd"))
            table = table.cast(opened[0].schema)
        opened[0].write_table(table)

    try:
        yield write
    finally:
        for writer in opened:
            writer.close()


def _nullable(schema: pa.Schema) -> pa.Schema:
    """The schema with text for columns of which the first piece holds no value, and without pandas' notes."""
    fields = [pa.field(field.name, pa.string() if pa.types.is_null(field.type) else field.type) for field in schema]
    return pa.schema(fields)
