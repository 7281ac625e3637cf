"""sha256 of a file as it lies there."""

import hashlib
from pathlib import Path

from mtl.data.formats.reading import reading


def file_sha256(path: Path) -> str:
    """sha256 of a file's bytes.

    Raises:
        DataError: it cannot be read.
    """
    with reading(str(path)), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
