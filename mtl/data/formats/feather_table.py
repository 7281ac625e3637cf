"""A table from a Feather file, the format of Arrow in memory: columns, and the index that pandas wrote beside them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from mtl.config.table_file import TableFile
from mtl.data.formats.packing import GZIP, check_text
from mtl.data.formats.parquet_table import with_index, with_names
from mtl.data.formats.reading import MAX_BYTES, check_count, check_plain, size
from mtl.errors import DataError

MAGIC, OLD_MAGIC = b"ARROW1", b"FEA1"


def read_feather(path: Path, config: TableFile, notes: list[str]) -> pd.DataFrame:
    """The frame, its index counting from 0; levels of an index are treated as those of a Parquet file are.

    Raises:
        DataError: no Feather file, one of the first version, damaged, too large, a column that is there twice.
    """
    import pyarrow as pa

    from mtl.data.formats.arrow_columns import frame_by_columns, read_as

    def columns(names: Sequence[str]) -> pa.Table:
        with pa.OSFile(str(path)) as source, pa.ipc.open_file(source, options=only(names)) as file:
            return file.read_all().select(names)

    def pieces(names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        with pa.OSFile(str(path)) as source, pa.ipc.open_file(source, options=only(names)) as file:
            for number in range(file.num_record_batches):
                yield file.get_batch(number)

    def only(names: Sequence[str]) -> pa.ipc.IpcReadOptions:
        return pa.ipc.IpcReadOptions(included_fields=[schema.get_field_index(name) for name in names])

    check_plain(path, config.path)
    _check_magic(path, config.path)
    with read_as("Feather", config.path):
        with pa.OSFile(str(path)) as source, pa.ipc.open_file(source) as file:
            schema, unpacked, rows = file.schema, 0, 0
            for number in range(file.num_record_batches):
                batch = file.get_batch(number)
                unpacked, rows = unpacked + batch.nbytes, rows + batch.num_rows
                if unpacked > MAX_BYTES:
                    raise DataError(f"{config.path} should be at most {size(MAX_BYTES)} unpacked, found more.")
        check_count(rows * len(schema), config.path)
        frame = frame_by_columns(schema, rows, columns, pieces, config.path)
    return with_names(with_index(frame, config, notes), config, notes)


def feather_pieces(path: Path, config: TableFile, notes: list[str], rows: int) -> Iterator[pd.DataFrame]:
    """The rows of a Feather file as `read_feather` reads them, at most so many at a time, of any number.

    Raises:
        DataError: as `read_feather`.
    """
    import pyarrow as pa

    from mtl.data.formats.arrow_columns import read_as

    check_plain(path, config.path, most=1 << 50)
    _check_magic(path, config.path)
    with read_as("Feather", config.path), pa.OSFile(str(path)) as source, pa.ipc.open_file(source) as file:
        for number in range(file.num_record_batches):
            batch = file.get_batch(number)
            if batch.nbytes > MAX_BYTES:
                message = f"{batch.num_rows:,} rows should be at most {size(MAX_BYTES)}, found more"
                raise DataError(f"{config.path}: {message}: write it in smaller parts, as `to_feather` of pandas does.")
            for begin in range(0, batch.num_rows, rows):
                frame = pa.Table.from_batches([batch.slice(begin, rows)]).to_pandas()
                yield with_names(with_index(frame, config, notes), config, notes)


def _check_magic(path: Path, where: str) -> None:
    with path.open("rb") as file:
        head = file.read(512)
    if head.startswith(MAGIC):
        return
    if head.startswith(OLD_MAGIC):
        raise DataError(
            f"{where} is a Feather file of the first version, which Arrow gives up: write it again, with `to_feather` "
            "of pandas or as Parquet."
        )
    if head.startswith(GZIP):
        raise DataError(f"{where} is not a Feather file, found a gzip file: unpack it.")
    try:
        check_text(head, where)
    except DataError as error:
        raise DataError(str(error).replace("should be text", "is not a Feather file")) from None
    raise DataError(f"{where} is not a Feather file, found {'text' if head.isascii() else 'other bytes'}.")
