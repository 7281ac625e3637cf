"""`mtl data get`: the files of known public sets into data/raw/, from their addresses or from a mirror.

A file is fetched beside its place, checked, and only then moved there.
"""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from mtl.data.files.digest import file_sha256
from mtl.data.files.manifest import RAW, Manifest, ManifestFile, read_manifest, shipped_manifest, write_manifest
from mtl.data.files.origins import read_origins, record_origins
from mtl.data.formats.archives import Archive
from mtl.data.formats.reading import read_bytes, reading, writing
from mtl.errors import DataError
from mtl.project.places import MANIFESTS

SUMS = "SHA256SUMS"
"""End of the names of a mirror's files that list its hashes, such as SHA256SUMS and ADDITION_SHA256SUMS."""
MAX_SUMS = 1 << 24
"""Bytes; a hundred thousand names."""
TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Fetched:
    """One file that `get` dealt with."""

    path: Path
    origin: str
    """Address that the file came from; "already there" if it lay in its place."""


def known_sets(root: Path) -> dict[str, Manifest]:
    """Name → manifest of every source whose files have a public address: of the package, and of the project."""
    names = sorted({path.stem for folder in (MANIFESTS, root / RAW) for path in folder.glob("*.json")})
    manifests = {name: read_manifest(name, root) or shipped_manifest(name) for name in names}
    return {name: manifest for name, manifest in manifests.items() if manifest is not None and manifest.known}


def is_present(manifest: Manifest, root: Path) -> bool:
    """True when every file lies in its place (its hash is not looked at)."""
    return all((root / RAW / relative).is_file() for relative in manifest.files)


def get(names: Sequence[str], root: Path, mirror: Path | None = None) -> list[Fetched]:
    """Fills data/raw/ with the files of known data sets.

    Args:
        names: known sets, whose manifests have public addresses; data/raw/NAME.json is written if the project lacks it.
        root: the project's folder.
        mirror: a folder with the files and their SHA256SUMS; None fetches from the public addresses.

    Raises:
        DataError: an unknown name, a file that is not there or cannot be fetched, or a hash that is not accepted.
    """
    known = known_sets(root)
    for name in names:
        if name not in known:
            raise DataError(f"`{name}` is not a known data set; known: {', '.join(known) or 'none'}.")
    fetched = []
    sums = None if mirror is None else _read_sums(mirror)
    for name in names:
        read_origins(name, root)
        for relative, entry in known[name].files.items():
            target = root / RAW / relative
            if target.exists():
                if not target.is_file() or not entry.accepts(target):
                    raise DataError(
                        f"{RAW / relative} exists and is not what {RAW / name}.json expects: move it away, or keep it "
                        f"by `mtl data add {name} '{RAW / relative}'`."
                    )
                fetched.append(Fetched(RAW / relative, "already there"))
                continue
            with writing(target.parent), TemporaryDirectory(dir=root / RAW, prefix=".fetch-") as folder:
                if mirror is None or sums is None:
                    fresh, origin = _from_address(name, relative, entry, Path(folder)), str(entry.url)
                else:
                    fresh, origin = (
                        _from_mirror(relative, entry, mirror, sums, Path(folder)),
                        f"mirror {mirror.resolve()}",
                    )
                if entry.member is not None:
                    fresh = _unpacked(fresh, entry.member, origin)
                if not entry.accepts(fresh):
                    raise DataError(
                        f"{relative} from {origin}: its sha256 {file_sha256(fresh)} is not among those of "
                        f"{RAW / name}.json; if you trust the file, `mtl data add {name} FILE` registers it."
                    )
                target.parent.mkdir(parents=True, exist_ok=True)
                fresh.replace(target)
                record_origins(name, {relative: origin}, root)
            fetched.append(Fetched(RAW / relative, origin))
        if read_manifest(name, root) is None:
            write_manifest(name, known[name], root)
    return fetched


def _from_mirror(relative: str, entry: ManifestFile, mirror: Path, sums: dict[str, str], folder: Path) -> Path:
    """A checked copy of a mirror's file, which lies there by its path or by its name, or of the zip that holds it."""
    # Sets of many folders have files of one name in several of them.
    name = relative if entry.member is None and relative in sums else _packed_name(relative, entry)
    source = mirror / name
    if name not in sums or not source.is_file():
        raise DataError(f"{mirror}: has no {name}; found in its {SUMS}: {', '.join(list(sums)[:20]) or 'nothing'}.")
    fresh = folder / "file"
    # The name's ending tells `content_sha256` what it is.
    fresh = fresh.with_suffix(source.suffix)
    with reading(str(source)):
        shutil.copyfile(source, fresh)
    actual = file_sha256(fresh)
    if actual != sums[name]:
        raise DataError(f"{source} is damaged: its sha256 is {actual}, {SUMS} says {sums[name]}.")
    return fresh


def _packed_name(relative: str, entry: ManifestFile) -> str:
    """Name of what lies at the address: the file itself, or the zip that it is a member of."""
    return Path(relative if entry.member is None else str(entry.url)).name


def _unpacked(archive: Path, member: str, origin: str) -> Path:
    """The member of a fetched zip, beside it."""
    files = Archive(archive, origin)
    if member not in files.names:
        raise DataError(f"{origin}: should hold {member}, found {', '.join(files.names[:20]) or 'nothing'}.")
    fresh = archive.with_name("member" + Path(member).suffix)
    fresh.write_bytes(files.read(member))
    return fresh


def _read_sums(mirror: Path) -> dict[str, str]:
    """File name → sha256 of a mirror, from lines `HASH  NAME` as sha256sum writes them."""
    listed = sorted(path for path in mirror.glob(f"*{SUMS}") if path.is_file())
    if not listed:
        raise DataError(f"{mirror} is no mirror: it has no {SUMS}.")
    lines: list[str] = []
    for path in listed:
        # Names that are not UTF-8 are none that we look for.
        lines += read_bytes(path, str(path), MAX_SUMS).decode("utf-8", errors="replace").splitlines()
    pairs = (line.split(maxsplit=1) for line in lines if line.strip())
    return {pair[1].lstrip("*"): pair[0].lower() for pair in pairs if len(pair) == 2}


def _from_address(name: str, relative: str, entry: ManifestFile, folder: Path) -> Path:
    """A file fetched by pooch; with a single accepted hash, pooch checks it as well."""
    import logging

    import pooch
    import requests

    pooch.get_logger().setLevel(logging.WARNING)
    checked_by_pooch = len(entry.sha256) == 1 and not entry.content_sha256 and entry.member is None
    only = f"sha256:{entry.sha256[0]}" if checked_by_pooch else None
    fetch = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=TIMEOUT_SECONDS)
    file_name = "file" + Path(_packed_name(relative, entry)).suffix
    try:
        return Path(pooch.retrieve(entry.url, known_hash=only, fname=file_name, path=folder, downloader=fetch))
    except (requests.RequestException, OSError, ValueError) as error:
        raise DataError(
            f"{relative} cannot be fetched from {entry.url}: {error}. With a mirror at hand, "
            f"use `mtl data get {name} --from DIR`; with the file, `mtl data add {name} FILE`."
        ) from None
