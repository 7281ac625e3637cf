"""Files that somebody else wrote: plain files of a bounded size, or a DataError that names them.

The limits keep a small file from standing for more than a machine can hold (a zip of zeros, a header that lies about
the size of its array); all the public sets that this project knows stay far below them.
"""

import gzip
import io
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mtl.errors import DataError

MAX_BYTES = 1 << 30
"""Largest size of one text file, unpacked: Weather takes 7 MB, the largest file of the UEA archive about 0.7 GB."""
MAX_VALUES = 1 << 28
"""Numbers of one source: 2 GiB as float64, of which preparing keeps some copies. HAR has 12 million."""
MAX_FILES = 10_000
"""Largest number of files in one archive or folder: HAR has 28."""


@contextmanager
def reading(where: str) -> Iterator[None]:
    """Turns what the system refuses (no permission, a folder, a damaged disk) into a DataError that names `where`."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{where} cannot be read: {error.strerror or error}.") from None


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Turns a full disk, a folder that is not ours, and the like into a DataError that names the file or `place`."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{error.filename or place} cannot be written: {error.strerror or error}.") from None


def check_plain(path: Path, where: str, most: int = MAX_BYTES) -> None:
    """Raises a DataError unless `path` is a plain file of at most `most` bytes; a link to one is fine."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(f"{where} is missing.") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{where} cannot be read: {error}.") from None
    if not stat.S_ISREG(status.st_mode):
        what = "a folder" if stat.S_ISDIR(status.st_mode) else "a device or pipe"
        raise DataError(f"{where} should be a plain file, found {what}.")
    if status.st_size > most:
        raise DataError(f"{where} should be at most {size(most)}, found {size(status.st_size)}.")


def read_bytes(path: Path, where: str, most: int = MAX_BYTES) -> bytes:
    """The whole of a plain file.

    Raises:
        DataError: it is missing, no plain file, larger than `most` bytes, or cannot be read.
    """
    check_plain(path, where, most)
    with reading(where):
        return path.read_bytes()


def read_gzip(packed: Path | bytes, where: str, most: int = MAX_BYTES) -> bytes:
    """The contents of a .gz, or of its bytes; the checksums are checked.

    Raises:
        DataError: it is missing, no plain file, no gzip, cut off, damaged, or larger than `most` bytes unpacked.
    """
    if isinstance(packed, Path):
        check_plain(packed, where, most)
    try:
        with gzip.open(packed if isinstance(packed, Path) else io.BytesIO(packed)) as file:
            data = file.read(most + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{where} is not a gzip file that can be read: {error}.") from None
    if len(data) > most:
        raise DataError(f"{where} should be at most {size(most)} unpacked, found more.")
    return data


def check_count(values: int, where: str) -> None:
    """Raises a DataError if a source would hold more than MAX_VALUES numbers."""
    if values > MAX_VALUES:
        raise DataError(f"{where} should hold at most {MAX_VALUES:,} values, found {values:,}.")


def size(number: int) -> str:
    """A number of bytes in words."""
    return f"{number / (1 << 20):,.0f} MiB" if number >= 1 << 20 else f"{number:,} bytes"
