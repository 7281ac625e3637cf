"""data/raw/NAME.json, the committed manifest of a source: which files it reads, and by which hashes they are known.

    {"title": "...", "licence": "...", "files": {"ETTh1.csv": {"sha256": ["..."], "content_sha256": [], "url": "..."}}}

Paths are relative to data/raw/. A file is accepted if its sha256 is listed, or its content hash
(`mtl.data.files.content`).
`url` is the original public address, or null for a user's own file; with `member` a zip lies there, and the file is the
member of this name. Synthetic sources have no files.
"""

import json
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mtl.data.files.digest import file_sha256
from mtl.data.formats.reading import read_bytes
from mtl.errors import DataError, shown
from mtl.files import replace_text
from mtl.project.places import MANIFESTS

RAW = Path("data/raw")
MAX_NAME = 255
"""Bytes of a path below data/raw/, which is what common file systems take for one name."""
MAX_MANIFEST = 1 << 26
"""Bytes; a hundred thousand files take 25 MB."""
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class ManifestFile(BaseModel):
    """One file of a source."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    sha256: Annotated[list[Sha256], Field(min_length=1)]
    content_sha256: list[Sha256] = []
    url: str | None = None
    member: str | None = None
    """Name of the file in the zip at `url`; the hashes are the file's own."""

    def accepts(self, path: Path, sha256: str | None = None) -> bool:
        """True when the file at `path` is one that the manifest means; `sha256` is its hash, where that is known."""
        if (file_sha256(path) if sha256 is None else sha256) in self.sha256:
            return True
        if not self.content_sha256:
            return False
        from mtl.data.files.content import content_sha256  # here: it loads the readers of formats, and torch with them

        return content_sha256(path) in self.content_sha256


class Manifest(BaseModel):
    """A source's files."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    title: str = ""
    licence: str = ""
    files: dict[str, ManifestFile] = {}

    @property
    def known(self) -> bool:
        """True when every file has a public address, so that `mtl data get` can fetch it."""
        return bool(self.files) and all(file.url is not None for file in self.files.values())


def manifest_path(name: str, root: Path) -> Path:
    return root / RAW / f"{name}.json"


def read_manifest(name: str, root: Path) -> Manifest | None:
    """The manifest of `name`, or None if there is none.

    Raises:
        DataError: it is not a manifest, or names a path outside data/raw/.
    """
    return _read(manifest_path(name, root))


def shipped_manifest(name: str) -> Manifest | None:
    """The manifest of `name` that comes with the package, or None if there is none."""
    return _read(MANIFESTS / f"{name}.json")


def _read(path: Path) -> Manifest | None:
    where = RAW / path.name
    if not path.exists():
        return None
    try:
        manifest = Manifest.model_validate_json(read_bytes(path, str(where), MAX_MANIFEST))
    except ValidationError as error:
        raise DataError(f"{where} is not a manifest: {' '.join(str(error).split())}") from None
    for relative in manifest.files:
        pure = PurePosixPath(relative)
        odd = "\\" in relative or not relative.isprintable() or pure.as_posix() != relative
        if pure.is_absolute() or ".." in pure.parts or odd or not pure.parts or len(relative.encode()) > MAX_NAME:
            raise DataError(f"{where}: `files` should name paths below {RAW}, found {shown(relative)}.")
    return manifest


def write_manifest(name: str, manifest: Manifest, root: Path) -> None:
    """Writes data/raw/NAME.json, the same bytes for the same manifest, whole or not at all."""
    content = manifest.model_dump()
    for entry in content["files"].values():
        if entry["member"] is None:
            del entry["member"]
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False)
    replace_text(manifest_path(name, root), text + "\n")
