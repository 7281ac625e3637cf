"""`mtl data add`: a user's own files into data/raw/, and the manifest by which they are known."""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from mtl.data.files.digest import file_sha256
from mtl.data.files.manifest import MAX_NAME, RAW, Manifest, ManifestFile, read_manifest, write_manifest
from mtl.data.files.origins import read_origins, record_origins
from mtl.data.formats.reading import check_plain, reading, writing
from mtl.errors import DataError, shown
from mtl.files import replaced

MOST_FILES = 250_000
"""Files in a folder, such as images; a manifest has a hash of each."""


def add(name: str, files: Sequence[Path], root: Path, replace: bool = False) -> Manifest:
    """Registers a user's own files as source `name`: copies them into data/raw/ and writes data/raw/NAME.json.

    A `_TRAIN.ts` brings its `_TEST.ts`; a folder brings every file in it. For a known set, a file of the name of one of
    its files takes that one's place, and its hash is accepted as well; if the set has one file only, the same
    ending is enough. Files of a known set that lie in data/raw/ already need not be named, nor the others of one's own
    set when only files of it are given. A file whose name another source has taken in data/raw/ goes to
    data/raw/NAME/, so that two different `data.csv` are two files. No files: an empty manifest, as a synthetic source
    needs it. `replace`: a file of that name in data/raw/ may be another one so far, and a file of another name takes
    the place of a source's only one.

    Raises:
        DataError: a file is missing, is a link, is none of a known set's, would overwrite another file in data/raw/
            without `replace`, or with it has the name of none of the source's files.
    """
    raw = root / RAW
    old = read_manifest(name, root)
    pairs = [pair for path in files for pair in _files_of(path, raw)]
    entries: dict[str, ManifestFile] = {}
    if old is not None and old.known:
        places = {Path(relative).name: relative for relative in old.files}
        # MNIST's files are often met unpacked, some with a dot in their names.
        plain = {name.removesuffix(".gz"): place for name, place in places.items() if name.endswith(".gz")}
        dotted = {name.replace("-idx", ".idx"): place for name, place in plain.items()}
        places = dotted | plain | places
        pairs = [(source, places.get(Path(relative).name, relative)) for source, relative in pairs]
        if len(old.files) == 1 and len(pairs) == 1 and Path(pairs[0][1]).suffix == Path(next(iter(old.files))).suffix:
            pairs = [(pairs[0][0], next(iter(old.files)))]
        given = {relative for _, relative in pairs}
        strangers = sorted(given - set(old.files))
        if strangers:
            # Registered beside or in place of the others, it would make the set unknown to `get`, and never complete.
            raise DataError(
                f"`{name}` is a known data set of {', '.join(old.files)}; found {strangers[0]}: your own data should "
                "have another name."
            )
        entries = {relative: entry for relative, entry in old.files.items() if relative not in given}
        missing = sorted(relative for relative in entries if not (raw / relative).is_file())
        if missing:
            raise DataError(
                f"`{name}` is a known data set and also needs {', '.join(missing)}: name the rest as well, or run "
                f"`mtl data get {name}` first."
            )
    elif old is not None and pairs:
        if replace:
            pairs = _in_place_of_old(name, pairs, list(old.files))
        if {relative for _, relative in pairs} <= set(old.files):
            entries = dict(old.files)  # Some of its files, registered anew.
    if old is None or not old.known:
        held = {} if old is None else old.files
        pairs = _beside_others(name, pairs, list(held), root)
        if pairs and {relative for _, relative in pairs} <= set(held):
            entries = dict(held)
    _check_places(pairs, raw, replace)
    read_origins(name, root)  # Damage there is found before anything is copied.
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
        record_origins(name, origins, root)
    return manifest


def _beside_others(name: str, pairs: list[tuple[Path, str]], held: list[str], root: Path) -> list[tuple[Path, str]]:
    """The pairs with files whose place is another source's moved below a folder of the source's name.

    Args:
        name: of the source.
        pairs: file → path below data/raw/.
        held: paths that the source has already.
        root: folder of the project.
    """
    raw = root / RAW
    others: set[str] = set()
    for path in raw.glob("*.json"):
        manifest = read_manifest(path.stem, root) if path.stem != name else None
        if manifest is not None:
            others |= {file.casefold() for file in manifest.files if not manifest.known or (raw / file).exists()}

    def is_taken(source: Path, relative: str) -> bool:
        if relative.casefold() not in others or source.resolve() == (raw / relative).resolve():
            return False  # Free, or registered where it lies.
        return (
            relative not in held or not (raw / relative).is_file() or file_sha256(raw / relative) != file_sha256(source)
        )

    def own(relative: str) -> str:
        return f"{name}/{relative}"

    any_taken = any(is_taken(source, relative) for source, relative in pairs)
    return [(source, own(relative) if own(relative) in held or any_taken else relative) for source, relative in pairs]


def _in_place_of_old(name: str, pairs: list[tuple[Path, str]], held: list[str]) -> list[tuple[Path, str]]:
    """The pairs of a replacement: a file takes the place of the one of its name, or of the only one that there is.

    Raises:
        DataError: it is not clear which file one of them should replace.
    """
    strangers = [relative for _, relative in pairs if relative not in held]
    if not held or not strangers:
        return pairs
    if len(held) == len(pairs) == 1 and Path(held[0]).suffix == Path(strangers[0]).suffix:
        return [(pairs[0][0], held[0])]
    raise DataError(
        f"`--replace` should be given files of `{name}`'s own names, {', '.join(held)}, found {strangers[0]}: give it "
        f"the name of the file that it replaces; or leave `--replace` out to make it the file of `{name}` instead, and "
        f"let `prepare.sources.{name}.path` name it."
    )


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
            if len(inside) > MOST_FILES:
                raise DataError(f"{path} should hold at most {MOST_FILES:,} files, found more.")
        inside.sort()
        if not inside:
            raise DataError(f"{path} is an empty folder.")
        name = Path(path.resolve().name)
        if path.resolve() != raw.resolve() and path.resolve().is_relative_to(raw.resolve()):
            name = path.resolve().relative_to(raw.resolve())  # It lies in its place.
        return [(file, (name / file.relative_to(path)).as_posix()) for file in inside]
    check_plain(path, str(path), sys.maxsize)
    if path.name.endswith("_TRAIN.ts"):
        other = path.with_name(path.name.removesuffix("_TRAIN.ts") + "_TEST.ts")
        if not other.is_file():
            raise DataError(f"{other} is missing: it belongs to {path.name}.")
        return [(path, path.name), (other, other.name)]
    inside_raw = path.resolve().is_relative_to(raw.resolve())
    return [(path, path.resolve().relative_to(raw.resolve()).as_posix() if inside_raw else path.name)]
