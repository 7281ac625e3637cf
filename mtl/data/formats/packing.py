"""Bytes of a text file behind its packing: what a file is, is told by its first bytes, not by its name."""

import io
import re
import zipfile
from pathlib import Path

from mtl.data.formats.archives import Archive
from mtl.data.formats.reading import MAX_BYTES, read_bytes, read_gzip
from mtl.errors import DataError

GZIP = b"\x1f\x8b"
ZIP = ".zip"
IN_ZIP = (".csv", ".tsv", ".txt", ".dat", ".data", ".test", ".arff")
"""Endings of tables that are read in a zip."""
MOST_NAMED = 5
"""Files of a zip that a message names."""
MAX_PACKED = 3
"""Times that one file may be packed: once on purpose, once more by a browser or a script."""
KINDS = (
    (b"PAR1", "a Parquet file", "register it under a name that ends in .parquet"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls)", "save its sheet as CSV"),
    (b"ARROW1", "a Feather (Arrow) file", "register it under a name that ends in .feather"),
    (b"FEA1", "a Feather file", "write it as Parquet"),
    (b"\x89HDF\r\n", "an HDF5 file", "write its table as Parquet or CSV"),
    (b"\x93NUMPY", "a NumPy array (.npy)", "use a source of `kind: arrays`, or write it as CSV"),
    (b"BZh", "a bzip2 file", "unpack it with bunzip2"),
    (b"\xfd7zXZ", "an xz file", "unpack it with unxz"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file", "unpack it with unzstd"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it"),
    (b"Rar!", "a RAR archive", "unpack it"),
    (b"SQLite format 3", "an SQLite database", "export its table as CSV"),
    (b"%PDF", "a PDF document", "get the table itself"),
    (b"\x80\x04\x95", "a Python pickle", "write its table as Parquet or CSV"),
    (b"RDX", "an R workspace", "write its table with write.csv"),
    (b"version https://git-lfs", "a pointer of Git LFS, not the data", "run git lfs pull where it came from"),
)
"""First bytes → what the file is, and what to do about it."""
JSON = re.compile(rb"\s*(?:\[\s*[\[{]|\{\s*\")")
PAGE = re.compile(rb"\s*(?:<!doctype\s+html|<html|<\?xml|<head|<body)", re.IGNORECASE)


def text_bytes(path: Path, where: str, notes: list[str]) -> bytes:
    """Bytes of a text file, unpacked if it is gzip, whatever its name says; what differs from the name goes to `notes`.

    Raises:
        DataError: it is missing, too large, damaged, or something else than text; says what it is.
    """
    if where.lower().endswith(ZIP):
        inside = zipped_table(path, where)
        notes.append(f"{where}: {inside} was read, the one table in it.")
        data = Archive(path, where).read(inside)
        check_text(data, f"{where}, {inside}")
        return data
    data, times = _unpacked_often(path, where)
    check_text(data, where)
    if where.lower().endswith(".gz") and not times and not _printable(data):
        raise _no_gzip(data, where)
    _note(times, where, notes)
    return data


def zipped_table(path: Path, where: str) -> str:
    """Name of the one table in a zip.

    Raises:
        DataError: it is no zip, or holds no table of text, several, or one of another format; says what to do.
    """
    names = Archive(path, where).names
    tables = [name for name in names if name.lower().endswith(IN_ZIP)]
    if len(tables) == 1:
        return tables[0]
    some = ", ".join(sorted(tables or names)[:MOST_NAMED]) or "nothing"
    more = f" and {len(tables or names) - MOST_NAMED} more" if len(tables or names) > MOST_NAMED else ""
    if tables:
        raise DataError(f"{where} should hold one table, found {some}{more}: unpack it and name the one that is meant.")
    raise DataError(
        f"{where} should hold one table of text ({', '.join(IN_ZIP)}), found {some}{more}: unpack it and name a "
        "file of it that is a table."
    )


def plain_bytes(path: Path, where: str, magic: bytes, notes: list[str]) -> bytes:
    """Bytes of a .gz file that should begin with `magic`; unpacked already or packed twice, it is read all the same,
    and `notes` say so.

    Raises:
        DataError: it is missing, too large, damaged, or neither gzip nor begins with `magic`.
    """
    data, times = _unpacked_often(path, where)
    if not times and not data.startswith(magic):
        raise _no_gzip(data, where)
    _note(times, where, notes)
    return data


def _unpacked_often(path: Path, where: str) -> tuple[bytes, int]:
    """Bytes behind every layer of gzip, and how many there were."""
    data, times = read_bytes(path, where), 0
    while data[:2] == GZIP:
        times += 1
        if times > MAX_PACKED:
            raise DataError(f"{where} is packed with gzip more than {MAX_PACKED} times: unpack it.")
        data = read_gzip(data, where, MAX_BYTES)
    return data, times


def _no_gzip(data: bytes, where: str) -> DataError:
    begins = data[:4].hex(" ") or "nothing"
    return DataError(f"{where} is not a gzip file that can be read: Not a gzipped file, it begins with {begins}.")


def _note(times: int, where: str, notes: list[str]) -> None:
    if times != where.lower().endswith(".gz"):
        how = "not packed at all" if not times else "packed with gzip" + (f" {times} times" if times > 1 else "")
        notes.append(f"{where} is {how}, other than its name says; it was read all the same.")


def check_text(data: bytes, where: str) -> None:
    """Raises a DataError that says what the file is if its first bytes are those of something else than text."""
    if data[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        what, remedy = _kind_of_zip(data)
        raise DataError(f"{where} should be text, found {what}: {remedy}.")
    for magic, what, remedy in KINDS:
        if data.startswith(magic):
            raise DataError(f"{where} should be text, found {what}: {remedy}.")
    if data[257:262] == b"ustar":
        raise DataError(f"{where} should be text, found a tar archive: unpack it and register the file inside.")
    if PAGE.match(data):
        raise DataError(f"{where} should be a table, found a web page or XML: download the file itself.")
    if JSON.match(data):
        raise DataError(f"{where} should be a table, found JSON: write its records as CSV or Parquet.")


def _kind_of_zip(data: bytes) -> tuple[str, str]:
    try:
        names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        return "a damaged zip archive", "get it again, and unpack it"
    if any(name.startswith("xl/") for name in names):
        return "an Excel workbook (.xlsx)", "register it under a name that ends in .xlsx, or save its sheet as CSV"
    if "content.xml" in names:
        return "a spreadsheet (.ods)", "save its sheet as CSV"
    if any(name.endswith(".npy") for name in names):
        return "NumPy arrays (.npz)", "use a source of `kind: arrays`"
    files = [name for name in names if not name.endswith("/") and "__MACOSX" not in name]
    inside = f" of {files[0]}" if len(files) == 1 else f" of {len(files)} files"
    return f"a zip archive{inside}", "unpack it and register the file inside"


def _printable(data: bytes) -> bool:
    """True when the beginning looks like text of some encoding: no control characters but blanks and line ends."""
    return bool(data) and not set(data[:1000]) & (set(range(9)) | set(range(14, 32)))
