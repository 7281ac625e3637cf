"""Arrays as long as a table. Short ones are in memory; others in files without a name, so that the system can write
their pages out whenever memory is wanted elsewhere: a table of any length is prepared in little memory of one's own.

A file is gone as soon as nobody holds its array, also where the process is killed. What is computed of whole columns is
computed block by block here, to the same numbers as at once.

R rows.
"""

import math
import mmap
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import DTypeLike

from mtl.errors import DataError

IN_MEMORY = 1 << 25
"""Bytes of an array up to which it is in memory."""
BLOCK = 1 << 19
"""Rows that are computed together."""
_folders: list[Path] = []


def beside(folder: Path) -> None:
    """Lets later files lie where `folder` does, instead of among the system's temporary files (TMPDIR), which some
    systems keep in memory; where nobody may write there, they stay among these."""
    place = next((place for place in (folder, *folder.parents) if place.is_dir()), None)
    _folders[:] = [place] if place is not None and os.access(place, os.W_OK) else []


@contextmanager
def opened() -> Iterator[IO[bytes]]:
    """A new file without a name.

    Raises:
        DataError: the disk is full.
    """
    place = next((place for place in _folders if place.is_dir()), Path(tempfile.gettempdir()))
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            yield file
    except OSError as error:
        if error.errno is None:  # by a library that could not read what was to be written here
            raise
        raise DataError(f"{place} cannot be written: {error.strerror or error}.") from None


def empty(shape: int | tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
    """A new array of any content.

    Raises:
        DataError: the disk is full.
    """
    size = math.prod(shape if isinstance(shape, tuple) else (shape,)) * np.dtype(dtype).itemsize
    if size <= IN_MEMORY or np.dtype(dtype).hasobject:
        return np.empty(shape, dtype=dtype)
    with opened() as file:
        _reserve(file.fileno(), size)
        pages = mmap.mmap(file.fileno(), size)
    return np.frombuffer(pages, dtype=dtype).reshape(shape)


def _reserve(file: int, size: int) -> None:
    """Takes the room on the disk: a page that finds none when it is written would end the process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
        return
    zeros = bytes(min(size, 1 << 20))
    for begin in range(0, size, len(zeros)):
        os.write(file, zeros[: size - begin])


def blocks(count: int, together: int | None = None) -> Iterator[slice]:
    """Rows that are looked at together; None: BLOCK of them."""
    size = together or BLOCK
    return (slice(begin, min(begin + size, count)) for begin in range(0, count, size))


def filled(count: int, dtype: DTypeLike, make: Callable[[slice], np.ndarray]) -> np.ndarray:
    """An array [R] that is made block by block."""
    array = empty(count, dtype)
    for rows in blocks(count):
        array[rows] = make(rows)
    return array


def counting(count: int, first: int = 0) -> np.ndarray:
    """int64 numbers from `first` on [R]."""
    return filled(count, np.int64, lambda rows: np.arange(first + rows.start, first + rows.stop))


def counts_from_0(numbers: np.ndarray, count: int) -> bool:
    """True for 0, 1, 2, … up to below `count`."""
    return len(numbers) == count and every(count, lambda rows: numbers[rows] == np.arange(rows.start, rows.stop))


def every(count: int, holds: Callable[[slice], np.ndarray]) -> bool:
    """True where something holds for every row."""
    return all(bool(holds(rows).all()) for rows in blocks(count))


def chosen(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The values of a mask [R]."""
    array, end = empty(int(np.count_nonzero(mask)), values.dtype), 0
    for rows in blocks(len(mask)):
        some = values[rows][mask[rows]]
        array[end : end + len(some)] = some
        end += len(some)
    return array


def in_order(values: np.ndarray) -> np.ndarray:
    """The values [R], sorted."""
    ordered = filled(len(values), values.dtype, lambda rows: values[rows])
    ordered.sort()
    return ordered


def mapped(codes: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Entries of a table at some places [R]; the place -1 is its last."""
    return filled(len(codes), table.dtype, lambda rows: table[codes[rows]])


def counted(codes: np.ndarray, kinds: int) -> np.ndarray:
    """Rows of each code [kinds]; -1 is none."""
    counts = np.zeros(kinds, dtype=np.int64)
    for rows in blocks(len(codes)):
        some = codes[rows]
        counts += np.bincount(some[some >= 0], minlength=kinds)
    return counts


class Tally:
    """How often the different values of a column are there.

    Args:
        values: [R] numbers, none of them NaN; at least one.
    """

    def __init__(self, values: np.ndarray) -> None:
        ordered = in_order(values)
        self.lowest, self.highest = ordered[0], ordered[-1]
        self.distinct, self.most, self.often = 0, 0, ordered[0]
        begin = 0
        for rows in blocks(len(ordered)):
            ahead = min(rows.stop + 1, len(ordered))
            block = ordered[rows.start : ahead]
            # The last row of each value in the block; that of the whole ends at its last row.
            ends = rows.start + np.flatnonzero(block[1:] != block[:-1]) + 1
            ends = np.append(ends, len(ordered)) if rows.stop == len(ordered) else ends
            if not len(ends):
                continue
            lengths = np.diff(ends, prepend=begin)
            place = int(lengths.argmax())
            if lengths[place] > self.most:
                self.most, self.often = int(lengths[place]), ordered[ends[place] - 1]
            self.distinct, begin = self.distinct + len(ends), int(ends[-1])
