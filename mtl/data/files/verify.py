"""Check that the raw files of a source are those that its manifest means, for `mtl repro` and `prepare`."""

from pathlib import Path

from mtl.config.sources import Source
from mtl.data.files.content import file_sha256
from mtl.data.files.manifest import RAW, read_manifest
from mtl.errors import DataError


def verify(name: str, source: Source, root: Path) -> dict[str, str]:
    """Path below data/raw/ → sha256 of every file of the source, after checking it against the manifest.

    Raises:
        DataError: no manifest, a file that is missing or that the manifest does not accept, or a `path` of the
            config that the manifest does not cover.
    """
    manifest = read_manifest(name, root)
    needed = source.files
    register = " ".join([f"mtl data add {name}", *(f"'{path}'" for path in source.to_add)])
    if manifest is None:
        raise DataError(f"{RAW / name}.json is missing: run `{register}`.")
    hashes = {}
    own = register if len(manifest.files) > 1 and needed else f"mtl data add {name} FILE"
    command = f"mtl data get {name}" if manifest.known else own
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
        hashes[relative] = file_sha256(path)
    for needs in needed:
        covered = [RAW / relative for relative in hashes]
        if not any(Path(needs) == path or Path(needs) in path.parents for path in covered):
            if RAW in Path(needs).parents and not (root / needs).exists():
                raise DataError(f"{needs} is missing: put it there and run `{register}`.")
            raise DataError(
                f"`prepare.sources.{name}.path`: {needs} is not listed in {RAW / name}.json: "
                f"run `{register}` and let `path` name the copy in {RAW}."
            )
    return hashes
