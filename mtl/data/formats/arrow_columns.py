"""A frame from a file of Arrow's columns, some of them at a time: beside the frame, only these are in memory.

R rows.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pandas as pd
import pyarrow as pa

from mtl.errors import DataError

TOGETHER = 1 << 26
"""Bytes of numbers that are read together."""
NUMBER = 8
"""Bytes of one."""
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


def frame_by_columns(
    schema: pa.Schema, rows: int, read: Callable[[Sequence[str]], pa.Table], where: str
) -> pd.DataFrame:
    """The frame that `to_pandas` makes of all columns, with its index.

    Args:
        schema: of the file.
        rows: R.
        read: some of the columns, with the schema's metadata.
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
    others = [name for name in names if name not in levels]
    size = max(1, TOGETHER // (NUMBER * max(1, rows)))
    # Each column is a block of its own, so that it can be given up alone.
    frame: pd.DataFrame = read([*levels, *others[:size]]).to_pandas(split_blocks=True)
    if len(others) <= size:
        return frame
    columns = {str(name): frame[name] for name in frame.columns}
    for begin in range(size, len(others), size):
        part = read(others[begin : begin + size]).to_pandas(split_blocks=True)
        columns |= {str(name): pd.Series(part[name].array, index=frame.index, copy=False) for name in part.columns}
    return pd.DataFrame(columns, index=frame.index, copy=False)
