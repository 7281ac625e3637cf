"""A long file of text that is looked at through a window: its bytes are never in memory as a whole."""

import codecs
import re
from pathlib import Path
from typing import SupportsIndex

from mtl.data.formats.packing import GZIP

WINDOW = 1 << 24
"""Bytes that are looked at together; shorter files are read."""
UTF8 = ("utf-8", "utf8", "ascii")


class Windowed:
    """Bytes of a file, with the few methods of `bytes` that readers of tables ask for.

    Args:
        path: of a plain file that does not change.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._size = path, path.stat().st_size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice) -> bytes:
        begin, end, _ = part.indices(len(self))
        with self.path.open("rb") as file:
            file.seek(begin)
            return file.read(max(0, end - begin))

    def __bytes__(self) -> bytes:
        return self.path.read_bytes()

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


def windowed_text(path: Path, encoding: str) -> Windowed | None:
    """The text of a file through a window; None where it is to be read as a whole, for it is short or packed, has a
    byte-order mark or zero bytes, or is not in UTF-8 or ASCII, whichever is said."""
    if encoding.lower() not in UTF8 or path.name.lower().endswith(".gz") or path.stat().st_size <= WINDOW:
        return None
    data = Windowed(path)
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
