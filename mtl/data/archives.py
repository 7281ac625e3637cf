"""Zip archives, read in memory: nothing is unpacked to disk, so no member can be written outside the folder.

Members with a path that leads out of the archive are refused all the same: such a file is not what it claims to be.
"""

import io
import lzma
import stat
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from mtl.data.reading import MAX_FILES, check_plain, size
from mtl.errors import DataError

MAX_UNPACKED = 1 << 29
"""Bytes of one archive of text: UCI HAR takes 270 MB. A digit and a blank become 8 bytes, so at most 2 GiB."""
DAMAGED = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, ValueError, OverflowError,
    RuntimeError,
)  # fmt: skip
"""What `zipfile` raises on bytes that are no zip, damaged, encrypted, or packed in a way that it does not know."""


class Archive:
    """A checked zip.

    Args:
        source: a file, or the bytes of an archive inside another.
        label: what to call it in messages.
        most: how many bytes it may hold unpacked.

    Raises:
        DataError: not a zip, too large, with a name twice, or with a member whose path leads outside.
    """

    def __init__(self, source: Path | bytes, label: str, most: int = MAX_UNPACKED) -> None:
        self.label = label
        if isinstance(source, Path):
            check_plain(source, label, most)
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(source) if isinstance(source, bytes) else source)
        except DAMAGED as error:
            raise DataError(f"{label} is not a zip file that can be read: {error}") from None
        members = self._zip.infolist()
        unpacked = sum(member.file_size for member in members)
        if len(members) > MAX_FILES or unpacked > most:
            raise DataError(
                f"{label} should hold at most {MAX_FILES:,} files and {size(most)} unpacked, found {len(members):,} "
                f"files and {size(unpacked)}: refused."
            )
        for member in members:
            if _leads_out(member):
                raise DataError(f"{label}: member {member.filename!r} leads outside the archive: refused.")
        if len({member.filename for member in members}) < len(members):
            raise DataError(f"{label} holds two members of one name: refused.")
        self._sizes = {member.filename: member.file_size for member in members if not member.is_dir()}

    @property
    def names(self) -> list[str]:
        """Files in the archive, without macOS's copies of their attributes."""
        return [name for name in self._sizes if "__MACOSX" not in PurePosixPath(name).parts]

    def read(self, name: str) -> bytes:
        """Contents of one file; the checksum inside the archive is checked."""
        try:
            with self._zip.open(name) as file:
                data = file.read(self._sizes[name] + 1)
        except DAMAGED as error:
            raise DataError(f"{self.label}: {name} cannot be read: {error}") from None
        if len(data) != self._sizes[name]:
            raise DataError(f"{self.label}: {name} is not as long as the archive says: refused.")
        return data


def _leads_out(member: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(member.filename)
    if not path.parts:
        return True  # A name of no letters is the folder itself.
    # A link, a device or a pipe; zips made on Windows leave the kind out.
    special = stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR)
    # orig_filename: zipfile cuts names at a null byte and may turn backslashes into slashes.
    odd = "\\" in member.orig_filename or "\0" in member.orig_filename or ":" in member.filename
    return path.is_absolute() or ".." in path.parts or special or odd
