"""A frame from a file of Arrow's columns, some of them at a time: beside the frame, only these are in memory.

Numbers and texts of a long file are read some rows at a time, and the frame holds them in `mtl.data.inputs.scratch`.

R rows.
"""

import mmap
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from mtl.data.inputs import scratch
from mtl.errors import DataError

TOGETHER = 1 << 26
"""Bytes of numbers that are read together."""
NUMBER = 8
"""Bytes of one."""
NUMPY = ("", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)), "float16", "float32", "float64")
"""Types of columns, as pandas writes them into a file, that it reads into arrays of NumPy; "" where it wrote none."""
# pyarrow's own errors are ValueErrors, KeyErrors, TypeErrors and NotImplementedErrors, and MemoryErrors.
UNREADABLE = (pa.ArrowException, ValueError, OSError, KeyError, TypeError, NotImplementedError, MemoryError)
"""Errors of a file that is damaged or of another form."""


@contextmanager
def read_as(form: str, where: str) -> Iterator[None]:
    """Raises a DataError where Arrow cannot read the file `where` as `form`."""
    try:
        yield
    except UNREADABLE as error:
        raise DataError(f"{where} is not a {form} file that can be read: {error}") from None


Pieces = Callable[[Sequence[str]], Iterator[pa.RecordBatch]]
"""Names of columns → these, some rows at a time."""


def frame_by_columns(
    schema: pa.Schema, rows: int, read: Callable[[Sequence[str]], pa.Table], pieces: Pieces, where: str
) -> pd.DataFrame:
    """The frame that `to_pandas` makes of all columns, with its index.

    Args:
        schema: of the file.
        rows: R.
        read: some of the columns, with the schema's metadata.
        pieces: the same, some rows at a time.
        where: the file, for messages.

    Raises:
        DataError: a column that is there twice.
    """
    names = list(schema.names)
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise DataError(f"{where}: column `{twice[0].strip()}` is there more than once: rename one of them.")
    pandas = schema.pandas_metadata or {}
    levels = [level for level in pandas.get("index_columns", []) if isinstance(level, str) and level in names]
    size = max(1, TOGETHER // (NUMBER * max(1, rows)))
    streamed: dict[str, pd.Series] = {}
    if rows * NUMBER > scratch.IN_MEMORY:
        plain = {column["name"]: column["numpy_type"] for column in pandas.get("columns", [])}
        there = [field for field in schema if field.name not in levels]
        numbers = [field.name for field in there if _is_number(field.type) and plain.get(field.name, "") in NUMPY]
        for begin in range(0, len(numbers), size):
            streamed |= _numbers(schema, rows, numbers[begin : begin + size], pieces)
        for name in (field.name for field in there if pa.types.is_string(field.type)):
            streamed[name] = _texts(schema, name, pieces)
    columns = [name for name in names if name not in levels]
    others = [name for name in columns if name not in streamed]
    if not levels and not others:
        return pd.DataFrame({name: streamed[name] for name in columns}, index=_counted(pandas, rows), copy=False)
    frame = _read(levels, others, size, read)
    if not streamed:
        return frame
    alike = {name: streamed[name].set_axis(frame.index) if name in streamed else frame[name] for name in columns}
    return pd.DataFrame(alike, index=frame.index, copy=False)


def _read(
    levels: Sequence[str], others: Sequence[str], size: int, read: Callable[[Sequence[str]], pa.Table]
) -> pd.DataFrame:
    """The columns `others`, `size` of them at a time, with the levels of the index."""
    # Each column is a block of its own, so that it can be given up alone.
    frame: pd.DataFrame = read([*levels, *others[:size]]).to_pandas(split_blocks=True)
    if len(others) <= size:
        return frame
    columns = {str(name): frame[name] for name in frame.columns}
    for begin in range(size, len(others), size):
        part = read(others[begin : begin + size]).to_pandas(split_blocks=True)
        columns |= {str(name): pd.Series(part[name].array, index=frame.index, copy=False) for name in part.columns}
    return pd.DataFrame(columns, index=frame.index, copy=False)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _counted(pandas: Mapping[str, Any], rows: int) -> pd.Index:
    """The index of a frame that holds none of its levels in columns."""
    for level in pandas.get("index_columns", []):
        if isinstance(level, dict) and level.get("kind") == "range":
            index = pd.RangeIndex(level["start"], level["stop"], level["step"], name=level["name"])
            if len(index) == rows:
                return index
    return pd.RangeIndex(rows)


def _numbers(schema: pa.Schema, rows: int, names: Sequence[str], pieces: Pieces) -> dict[str, pd.Series]:
    """Columns of numbers; whole ones with gaps are float64, as pandas makes them."""
    columns = {name: scratch.empty(rows, schema.field(name).type.to_pandas_dtype()) for name in names}
    begin = 0
    for batch in pieces(names):
        end = begin + len(batch)
        for name in names:
            cells = batch.column(batch.schema.get_field_index(name)).to_numpy(zero_copy_only=False)
            above = columns[name]
            if cells.dtype.kind == "f" and above.dtype.kind != "f":
                columns[name] = scratch.empty(rows, np.float64)
                for some in scratch.blocks(begin):
                    columns[name][some] = above[some]
            columns[name][begin:end] = cells
        begin = end
    return {name: pd.Series(cells, copy=False) for name, cells in columns.items()}


def _texts(schema: pa.Schema, name: str, pieces: Pieces) -> pd.Series:
    """A column of texts, which Arrow reads from a file of its own."""
    wide = pa.schema([pa.field(name, pa.large_string())], metadata=schema.metadata)
    with scratch.opened() as file:
        with pa.ipc.new_file(pa.PythonFile(file, mode="w"), wide) as writer:
            for batch in pieces([name]):
                cells = batch.column(batch.schema.get_field_index(name)).cast(pa.large_string())
                writer.write_batch(pa.record_batch([cells], schema=wide))
        file.flush()
        pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    column: pd.Series = pa.ipc.open_file(pa.py_buffer(pages)).read_all().to_pandas(split_blocks=True)[name]
    return column.reset_index(drop=True)
