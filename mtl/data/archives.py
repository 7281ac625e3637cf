"""Zip archives, read in memory: nothing is unpacked to disk, so no member can be written outside the folder.

Members with a path that leads out of the archive are refused all the same: such a file is not what it claims to be.
"""

import io
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from mtl.errors import DataError

MAX_MEMBERS = 10_000
MAX_BYTES = 1 << 30
"""Unpacked size of one archive: UCI HAR takes 270 MB."""


class Archive:
    """A checked zip.

    Args:
        source: a file, or the bytes of an archive inside another.
        label: what to call it in messages.

    Raises:
        DataError: not a zip, too large, encrypted, or with a member whose path leads outside.
    """

    def __init__(self, source: Path | bytes, label: str) -> None:
        self.label = label
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(source) if isinstance(source, bytes) else source)
        except (zipfile.BadZipFile, OSError) as error:
            raise DataError(f"{label} is not a zip file that can be read: {error}") from None
        members = self._zip.infolist()
        if len(members) > MAX_MEMBERS or sum(member.file_size for member in members) > MAX_BYTES:
            raise DataError(f"{label} holds more than {MAX_MEMBERS} files or {MAX_BYTES >> 20} MiB: refused.")
        for member in members:
            if _leads_out(member):
                raise DataError(f"{label}: member {member.filename!r} leads outside the archive: refused.")
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
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
            raise DataError(f"{self.label}: {name} cannot be read: {error}") from None
        if len(data) != self._sizes[name]:
            raise DataError(f"{self.label}: {name} is not as long as the archive says: refused.")
        return data


def _leads_out(member: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(member.filename)
    is_link = stat.S_ISLNK(member.external_attr >> 16)
    # orig_filename: zipfile cuts names at a null byte and may turn backslashes into slashes.
    odd = "\\" in member.orig_filename or "\0" in member.orig_filename or ":" in member.filename
    return path.is_absolute() or ".." in path.parts or is_link or odd
