"""A long text that is looked at through a window: its bytes are never in memory as a whole."""

import codecs
import gzip
import io
import re
import tempfile
import weakref
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import SupportsIndex

from mtl.data.formats.packing import GZIP
from mtl.data.formats.reading import MAX_BYTES, writing

WINDOW = 1 << 24
"""Bytes that are looked at together; shorter files are read."""
UTF8 = ("utf-8", "utf8", "ascii")


class Windowed:
    """Bytes of a file, with the few methods of `bytes` that readers of tables ask for.

    Args:
        file: a plain file that does not change, or one that is open.
    """

    def __init__(self, file: Path | io.BufferedIOBase) -> None:
        self._file = file
        if not isinstance(file, Path):
            weakref.finalize(self, file.close)

    def __len__(self) -> int:
        return self._file.stat().st_size if isinstance(self._file, Path) else self._file.seek(0, io.SEEK_END)

    def __getitem__(self, part: slice) -> bytes:
        begin, end, _ = part.indices(len(self))
        return self._between(begin, max(0, end - begin))

    def _between(self, begin: int, size: int) -> bytes:
        if not isinstance(self._file, Path):
            self._file.seek(begin)
            return self._file.read(size)
        with self._file.open("rb") as file:
            file.seek(begin)
            return file.read(size)

    def __bytes__(self) -> bytes:
        return self[0 : len(self)]

    def __contains__(self, part: SupportsIndex | bytes) -> bool:
        return self.find(part if isinstance(part, bytes) else bytes([part.__index__()])) >= 0

    def find(self, part: bytes, begin: int = 0) -> int:
        """The first byte, from `begin` on, at which a part stands; -1 if none does."""
        place = self.search(re.compile(re.escape(part)), begin, len(part))
        return -1 if place is None else place

    def search(self, pattern: re.Pattern[bytes], begin: int, width: int) -> int | None:
        """The first byte at which a pattern of `width` bytes matches; None if it does nowhere."""
        for at in range(begin, len(self), WINDOW):
            match = pattern.search(self[at : at + WINDOW + width - 1])
            if match is not None:
                return at + match.start()
        return None

    def count(self, part: bytes, begin: int = 0, end: int | None = None) -> int:
        """Times that a byte is there."""
        last = len(self) if end is None else end
        return sum(self[at : min(at + WINDOW, last)].count(part) for at in range(begin, last, WINDOW))


class Spliced(Windowed):
    """Parts of several texts, one behind the other.

    Args:
        parts: each with the byte at which it begins, and the one before which it ends.
    """

    def __init__(self, parts: Sequence[tuple[bytes | Windowed, int, int]]) -> None:
        self._parts = parts

    def __len__(self) -> int:
        return sum(end - begin for _, begin, end in self._parts)

    def _between(self, begin: int, size: int) -> bytes:
        pieces, passed = [], 0
        for data, first, last in self._parts:
            low, high = max(begin - passed, 0), min(begin + size - passed, last - first)
            if low < high:
                pieces.append(data[first + low : first + high])
            passed += last - first
        return b"".join(pieces)


def spliced(parts: Sequence[tuple[bytes | Windowed, int, int]], by_windows: bool) -> bytes | Windowed:
    """The parts as one text, in memory where it is short or only a reader of whole texts knows what it is."""
    data = Spliced(parts)
    return data if by_windows and len(data) > WINDOW and b"\0" not in data else bytes(data)


class Stream(io.RawIOBase):
    """A text through a window as an open file, for readers that ask for one."""

    def __init__(self, data: Windowed) -> None:
        super().__init__()
        self._data, self._at = data, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: len(self._data)}[whence]
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        block = self._data[self._at : self._at + len(buffer)]
        buffer[: len(block)] = block
        self._at += len(block)
        return len(block)


def windowed_text(path: Path, encoding: str) -> Windowed | None:
    """The text of a file through a window; None where it is to be read as a whole, for it is short or packed in another
    way than with gzip once, has a byte-order mark or zero bytes, or is not in UTF-8 or ASCII, whichever is said.

    Raises:
        DataError: there is no place for what is packed in a .gz among the system's temporary files (TMPDIR).
    """
    if encoding.lower() not in UTF8:
        return None
    data = _unpacked(path) if path.name.lower().endswith(".gz") else Windowed(path)
    if data is None or len(data) <= WINDOW:
        return None
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for begin in range(0, len(data), WINDOW):
            block = data[begin : begin + WINDOW]
            if b"\0" in block:
                return None
            if not begin and (b"\n" not in block or block.startswith((GZIP, codecs.BOM_UTF8))):
                return None
            if not block.isascii() or decoder.getstate()[0]:
                decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeError:
        return None
    return data


def _unpacked(path: Path) -> Windowed | None:
    """Bytes that are packed in a .gz, in a file that is gone when nobody reads it any more; None where they are few,
    damaged or too many, which the reader of whole files tells."""
    try:
        with gzip.open(path) as packed:
            block = packed.read(WINDOW + 1)
            if len(block) <= WINDOW:
                return None
            unpacked = tempfile.TemporaryFile()  # noqa: SIM115
            data = Windowed(unpacked)
            while block:
                with writing(Path(tempfile.gettempdir())):
                    unpacked.write(block)
                    unpacked.flush()
                if unpacked.tell() > MAX_BYTES:
                    return None
                block = packed.read(WINDOW)
    except (OSError, EOFError, zlib.error):
        return None
    return data
