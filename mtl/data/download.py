"""How data files come into data/raw/: `get` a known public set, `add` one's own, `verify` what lies there.

A file is fetched beside its place, checked, and only then moved there. Where each came from is recorded under
data/raw/.origins/, which git ignores: it tells about this machine, not about the data.
"""

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from mtl.config.sources import (
    ArraysSource,
    Cifar10Source,
    Cifar100Source,
    DigitsSource,
    HarSource,
    MnistSource,
    PythonSource,
    SensorsSource,
    SeriesSource,
    Source,
    UeaSource,
)
from mtl.data.content import file_sha256
from mtl.data.manifest import MAX_MANIFEST, MAX_NAME, RAW, Manifest, ManifestFile, read_manifest, write_manifest
from mtl.data.reading import MAX_FILES, check_plain, read_bytes, reading, writing
from mtl.data.sources.mnist import idx_names
from mtl.errors import DataError, shown
from mtl.files import replace_text, replaced

SUMS = "SHA256SUMS"
MAX_SUMS = 1 << 24
"""Bytes; a hundred thousand names."""
TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Fetched:
    """One file that `get` dealt with."""

    path: Path
    origin: str
    """Where it came from; "already there" if it lay in its place."""


def known_sets(root: Path) -> dict[str, Manifest]:
    """Name → manifest of every source whose files have a public address."""
    names = sorted(path.stem for path in (root / RAW).glob("*.json"))
    manifests = {name: read_manifest(name, root) for name in names}
    return {name: manifest for name, manifest in manifests.items() if manifest is not None and manifest.known}


def is_present(manifest: Manifest, root: Path) -> bool:
    """Whether every file lies in its place (its hash is not looked at)."""
    return all((root / RAW / relative).is_file() for relative in manifest.files)


def get(names: Sequence[str], root: Path, mirror: Path | None = None) -> list[Fetched]:
    """Fills data/raw/ with the files of known data sets.

    Args:
        names: known sets; each has a manifest data/raw/NAME.json with public addresses.
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
    for name in names:
        _origins(name, root)
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
                if mirror is None:
                    fresh, origin = _from_address(name, relative, entry, Path(folder)), str(entry.url)
                else:
                    fresh, origin = _from_mirror(relative, mirror, Path(folder)), f"mirror {mirror.resolve()}"
                if not entry.accepts(fresh):
                    raise DataError(
                        f"{relative} from {origin}: its sha256 {file_sha256(fresh)} is not among those of "
                        f"{RAW / name}.json; if you trust the file, `mtl data add {name} FILE` registers it."
                    )
                target.parent.mkdir(parents=True, exist_ok=True)
                fresh.replace(target)
                _record(name, {relative: origin}, root)
            fetched.append(Fetched(RAW / relative, origin))
    return fetched


def _from_mirror(relative: str, mirror: Path, folder: Path) -> Path:
    """A checked copy of a mirror's file."""
    name = Path(relative).name
    sums = _read_sums(mirror)
    source = mirror / name
    if name not in sums or not source.is_file():
        raise DataError(f"{mirror}: has no {name}; found in its {SUMS}: {', '.join(list(sums)[:20]) or 'nothing'}.")
    fresh = folder / "file"
    # The name's ending tells `content_sha256` what it is.
    fresh = fresh.with_suffix(source.suffix)
    with reading(str(source)):
        shutil.copyfile(source, fresh)
    found = file_sha256(fresh)
    if found != sums[name]:
        raise DataError(f"{source} is damaged: its sha256 is {found}, {SUMS} says {sums[name]}.")
    return fresh


def _read_sums(mirror: Path) -> dict[str, str]:
    """File name → sha256 of a mirror, from lines `HASH  NAME` as sha256sum writes them."""
    if not (mirror / SUMS).is_file():
        raise DataError(f"{mirror} is no mirror: it has no {SUMS}.")
    # Names that are not UTF-8 are none that we look for.
    lines = read_bytes(mirror / SUMS, str(mirror / SUMS), MAX_SUMS).decode("utf-8", errors="replace").splitlines()
    pairs = (line.split(maxsplit=1) for line in lines if line.strip())
    return {pair[1].lstrip("*"): pair[0].lower() for pair in pairs if len(pair) == 2}


def _from_address(name: str, relative: str, entry: ManifestFile, folder: Path) -> Path:
    """A file fetched by pooch; with a single accepted hash, pooch checks it as well."""
    import logging

    import pooch
    import requests

    pooch.get_logger().setLevel(logging.WARNING)
    only = f"sha256:{entry.sha256[0]}" if len(entry.sha256) == 1 and not entry.content_sha256 else None
    fetch = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=TIMEOUT_SECONDS)
    file_name = "file" + Path(relative).suffix
    try:
        return Path(pooch.retrieve(entry.url, known_hash=only, fname=file_name, path=folder, downloader=fetch))
    except (requests.RequestException, OSError, ValueError) as error:
        raise DataError(
            f"{relative} cannot be fetched from {entry.url}: {error}. With a mirror at hand, "
            f"use `mtl data get {name} --from DIR`; with the file, `mtl data add {name} FILE`."
        ) from None


def add(name: str, files: Sequence[Path], root: Path, replace: bool = False) -> Manifest:
    """Registers a user's own files as source `name`: copies them into data/raw/ and writes data/raw/NAME.json.

    A `_TRAIN.ts` brings its `_TEST.ts`; a folder brings every file in it. For a known set, a file of the name of one of
    its files takes that one's place, and its hash is accepted as well; if the set has one file only, the same
    ending is enough. Files of a known set that lie in data/raw/ already need not be named. No files: an empty
    manifest, as a synthetic source needs it. `replace`: a file of that name in data/raw/ may be another one so far.

    Raises:
        DataError: a file is missing, is a link, or would overwrite another file in data/raw/ without `replace`.
    """
    raw = root / RAW
    old = read_manifest(name, root)
    pairs = [pair for path in files for pair in _files_of(path, raw)]
    entries: dict[str, ManifestFile] = {}
    if old is not None and old.known:
        places = {Path(relative).name: relative for relative in old.files}
        pairs = [(source, places.get(Path(relative).name, relative)) for source, relative in pairs]
        if len(old.files) == 1 and len(pairs) == 1 and Path(pairs[0][1]).suffix == Path(next(iter(old.files))).suffix:
            pairs = [(pairs[0][0], next(iter(old.files)))]
        given = {relative for _, relative in pairs}
        entries = {relative: entry for relative, entry in old.files.items() if relative not in given}
        missing = sorted(relative for relative in entries if not (raw / relative).is_file())
        if missing:
            raise DataError(f"`{name}` is a known data set and also needs {', '.join(missing)}.")
    _check_places(pairs, raw, replace)
    _origins(name, root)  # Damage there is found before anything is copied.
    origins = {}
    with writing(raw):
        for source, relative in pairs:
            target = raw / relative
            if target.resolve() != source.resolve():
                with replaced(target) as fresh:
                    shutil.copyfile(source, fresh)
            entries[relative] = _registered(file_sha256(target), None if old is None else old.files.get(relative))
            origins[relative] = f"added from {source.resolve()}"
        title, licence = ("", "") if old is None else (old.title, old.licence)
        manifest = Manifest(title=title, licence=licence, files=entries)
        write_manifest(name, manifest, root)
        _record(name, origins, root)
    return manifest


def _registered(sha256: str, old: ManifestFile | None) -> ManifestFile:
    """The entry of a file that was added. What a published file should be stays accepted, so that `get` finds it
    again."""
    if old is None or old.url is None:
        return ManifestFile(sha256=[sha256])
    return old.model_copy(update={"sha256": [*dict.fromkeys([*old.sha256, sha256])]})


def _check_places(pairs: Sequence[tuple[Path, str]], raw: Path, replace: bool) -> None:
    """Raises a DataError before anything is copied if one of the files has no place of its own in data/raw/."""
    seen: dict[str, Path] = {}
    for source, relative in pairs:
        check_plain(source, str(source), sys.maxsize)
        if not relative.isprintable() or "\\" in relative or len(relative.encode()) > MAX_NAME:
            should = f"be a name of at most {MAX_NAME} bytes, printable and without backslashes"
            raise DataError(f"{shown(relative)} should {should}.")
        if "/" not in relative and relative.endswith(".json"):
            raise DataError(f"{source} should have another name: {RAW}/*.json are manifests.")
        if relative.startswith("."):
            raise DataError(f"{source} should have another name: those with a dot are not kept in {RAW}.")
        if relative in seen:
            raise DataError(f"{source} and {seen[relative]} have the same name: register one of them.")
        seen[relative] = source
        target = raw / relative
        taken = [folder for folder in target.parents if folder.exists() and not folder.is_dir()]
        if taken or target.is_dir():
            raise DataError(f"{RAW / relative}: {taken[0] if taken else target} is in the way: move it away.")
        same = target.resolve() == source.resolve()
        if target.exists() and not (same or replace) and file_sha256(target) != file_sha256(source):
            raise DataError(
                f"{RAW / relative} exists and differs from {source}: `--replace` puts this one in its place."
            )


def _files_of(path: Path, raw: Path) -> list[tuple[Path, str]]:
    """(file, path below data/raw/) for a file, a pair of .ts files, or a folder."""
    with reading(str(path)):
        is_folder = path.is_dir()
    if is_folder:
        if raw.resolve().is_relative_to(path.resolve()):
            raise DataError(f"{path} should be a folder of data files, found one that {RAW} lies in.")
        inside = []
        for file in path.rglob("*"):
            if file.is_symlink():
                raise DataError(f"{file} is a link: only plain files are copied.")
            if not file.is_dir():
                inside.append(file)
            if len(inside) > MAX_FILES:
                raise DataError(f"{path} should hold at most {MAX_FILES:,} files, found more.")
        inside.sort()
        if not inside:
            raise DataError(f"{path} is an empty folder.")
        return [(file, (Path(path.resolve().name) / file.relative_to(path)).as_posix()) for file in inside]
    check_plain(path, str(path), sys.maxsize)
    if path.name.endswith("_TRAIN.ts"):
        other = path.with_name(path.name.removesuffix("_TRAIN.ts") + "_TEST.ts")
        if not other.is_file():
            raise DataError(f"{other} is missing: it belongs to {path.name}.")
        return [(path, path.name), (other, other.name)]
    inside_raw = path.resolve().is_relative_to(raw.resolve())
    return [(path, path.resolve().relative_to(raw.resolve()).as_posix() if inside_raw else path.name)]


def verify(name: str, source: Source, root: Path) -> dict[str, str]:
    """Path below data/raw/ → sha256 of every file of the source, after checking it against the manifest.

    Raises:
        DataError: no manifest, a file that is missing or that the manifest does not accept, or a `path` of the
            config that the manifest does not cover.
    """
    manifest = read_manifest(name, root)
    needed = _needed(source)
    if manifest is None:
        command = " ".join([f"mtl data add {name}", *(f"'{path}'" for path in needed[:1])])
        raise DataError(f"{RAW / name}.json is missing: run `{command}`.")
    found = {}
    command = f"mtl data get {name}" if manifest.known else f"mtl data add {name} FILE"
    for relative, entry in manifest.files.items():
        path = root / RAW / relative
        if not path.is_file():
            raise DataError(f"{RAW / relative} is missing: run `{command}`.")
        if not entry.accepts(path):
            raise DataError(
                f"{RAW / relative} is not the file that {RAW / name}.json means: its sha256 is {file_sha256(path)}. "
                f"To use it as it is, run `mtl data add {name} '{RAW / relative}'`; "
                f"else move it away and run `{command}`."
            )
        found[relative] = file_sha256(path)
    for needs in needed:
        covered = [RAW / relative for relative in found]
        if not any(Path(needs) == path or Path(needs) in path.parents for path in covered):
            raise DataError(
                f"`prepare.sources.{name}.path`: {needs} is not listed in {RAW / name}.json: "
                f"run `mtl data add {name} '{needs}'` and let `path` name the copy in {RAW}."
            )
    return found


def _needed(source: Source) -> list[str]:
    """Files or folders that the source reads, as its config names them."""
    match source:
        case SensorsSource() | DigitsSource():
            return []
        case MnistSource():
            return [f"{source.path}/{name}" for name in idx_names()]
        case UeaSource():
            return [f"{source.path}_TRAIN.ts", f"{source.path}_TEST.ts"]
        case SeriesSource() | HarSource() | ArraysSource() | Cifar10Source() | Cifar100Source():
            return [source.path]
        case PythonSource():
            return [] if source.path is None else [source.path]


def _record(name: str, origins: dict[str, str], root: Path) -> None:
    """Adds to data/raw/.origins/NAME.json where files came from."""
    if not origins:
        return
    text = json.dumps(_origins(name, root) | origins, indent=1, sort_keys=True)
    replace_text(_origins_path(name, root), text + "\n")


def _origins_path(name: str, root: Path) -> Path:
    return root / RAW / ".origins" / f"{name}.json"


def _origins(name: str, root: Path) -> dict[str, str]:
    """What is recorded; raises a DataError if that is damaged."""
    path = _origins_path(name, root)
    if not path.exists():
        return {}
    try:
        known = json.loads(read_bytes(path, str(path), MAX_MANIFEST))
        if not isinstance(known, dict):
            raise ValueError
        return known
    except (ValueError, RecursionError):
        raise DataError(f"{path} should hold JSON: delete it, it only tells where files came from.") from None
