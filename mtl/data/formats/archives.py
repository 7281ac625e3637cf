"""Zip and tar archives, read in memory: nothing is unpacked to disk, so no member can be written outside the folder.

Members with a path that leads out of the archive are refused all the same: such a file is not what it claims to be.
"""

import io
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

import numpy as np

from mtl.data.formats.reading import MAX_FILES, check_plain, read_gzip, size
from mtl.errors import DataError

MAX_UNPACKED = 1 << 29
"""Bytes of one archive. UCI HAR takes 270 MB as text, where a digit and a blank become 8 bytes, so at most 2 GiB; CIFAR
takes 184 MB, and its bytes stay what they are."""
DAMAGED = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, ValueError, OverflowError,
    RuntimeError,
)  # fmt: skip
"""Errors that `zipfile` raises on bytes that are no zip, damaged, encrypted, or packed in a way unknown to it."""


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


def read_tar_gz(path: Path, where: str, most: int = MAX_UNPACKED) -> dict[str, memoryview]:
    """Path inside the archive → contents of every plain file of a .tar.gz; its folders are left out.

    Raises:
        DataError: no such archive, damaged, cut off, too large, with a name twice, a link or a device, or a member
            whose path leads outside.
    """
    data = read_gzip(path, where, most)
    files: dict[str, memoryview] = {}
    end = 0
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for number, member in enumerate(archive):
                name = member.name
                plain = member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not member.issparse()
                if not plain and not member.isdir():
                    raise DataError(
                        f"{where}: {name!r} should be a plain file or a folder, found another kind: refused."
                    )
                if member.isdir() and not PurePosixPath(name).parts:
                    continue  # `tar c .` begins with the folder itself.
                if _path_leads_out(name):
                    raise DataError(f"{where}: member {name!r} leads outside the archive: refused.")
                if name in files:
                    raise DataError(f"{where} holds two members of one name: refused.")
                if number >= MAX_FILES:
                    raise DataError(f"{where} should hold at most {MAX_FILES:,} files, found more: refused.")
                end = member.offset_data
                if plain and not 0 <= member.size <= len(data) - end:
                    raise DataError(
                        f"{where}: {name!r} should lie inside the archive, found {member.size:,} bytes: refused."
                    )
                if plain:
                    files[name] = memoryview(data)[end : end + member.size]
                    end += -(-member.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
    except (*DAMAGED, tarfile.TarError, RecursionError) as error:
        raise DataError(f"{where} is not a tar.gz that can be read: {error}") from None
    # tarfile takes a damaged header for the end of the archive; the real end is blocks of zeros.
    rest = np.frombuffer(data, np.uint8)[end:]
    if len(rest) < tarfile.BLOCKSIZE or bool(rest.any()):
        what = "it is cut off" if len(rest) < tarfile.BLOCKSIZE else "what follows is damaged"
        raise DataError(f"{where}: the archive should end after {len(files)} files with a block of zeros; {what}.")
    return files


def _leads_out(member: zipfile.ZipInfo) -> bool:
    # A link, a device or a pipe; zips made on Windows leave the kind out.
    special = stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR)
    # orig_filename: zipfile cuts names at a null byte and may turn backslashes into slashes.
    return special or _path_leads_out(member.filename) or "\\" in member.orig_filename or "\0" in member.orig_filename


def _path_leads_out(name: str) -> bool:
    path = PurePosixPath(name)
    # A name of no letters is the folder itself.
    return not path.parts or path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name
