"""Check that the raw files of a source are those that its manifest means, for `mtl repro` and `prepare`."""

from pathlib import Path

from mtl.config.sources import Source
from mtl.data.files.digest import file_sha256
from mtl.data.files.manifest import RAW, Manifest, read_manifest
from mtl.errors import DataError


def verify(name: str, source: Source, root: Path) -> dict[str, str]:
    """Path below data/raw/ → sha256 of every file of the source, after checking it against the manifest.

    Raises:
        DataError: no manifest, a file that is missing or that the manifest does not accept, or a `path` of the
            config that the manifest does not cover.
    """
    problem = missing_problem(name, source, root)
    manifest = read_manifest(name, root)
    if problem is not None or manifest is None:
        raise DataError(problem or f"{RAW / name}.json is missing.")
    hashes = {}
    for relative, entry in manifest.files.items():
        path = root / RAW / relative
        hashes[relative] = sha256 = file_sha256(path)
        if not entry.accepts(path, sha256):
            raise DataError(
                f"{RAW / relative} is not the file that {RAW / name}.json means: its sha256 is {sha256}. "
                f"To use it as it is, run `mtl data add {name} '{RAW / relative}'`; "
                f"else move it away and run `{_command(name, source, manifest)}`."
            )
    return hashes


def missing_problem(name: str, source: Source, root: Path) -> str | None:
    """Sentence on the manifest or a file of the source that is not there, with the command that brings it; None if all
    are. No file is read.

    Raises:
        DataError: the manifest is there and cannot be used.
    """
    manifest = read_manifest(name, root)
    register = _register(name, source)
    if manifest is None:
        return f"{RAW / name}.json is missing: run `{register}`."
    for relative in manifest.files:
        if not (root / RAW / relative).is_file():
            return (
                unpacked_twin(root, RAW / relative)
                or f"{RAW / relative} is missing: run `{_command(name, source, manifest)}`."
            )
    for needs in source.files:
        covered = [RAW / relative for relative in manifest.files]
        below = RAW in (Path(needs), *Path(needs).parents)  # a folder above data/raw holds everything, and is no source
        if not any(Path(needs) == path or (below and Path(needs) in path.parents) for path in covered):
            if RAW in Path(needs).parents and not (root / needs).exists():
                return unpacked_twin(root, Path(needs)) or f"{needs} is missing: put it there and run `{register}`."
            return (
                f"`prepare.sources.{name}.path`: {needs} is not listed in {RAW / name}.json: "
                f"run `{register}` and let `path` name the copy in {RAW}."
            )
    return None


def unpacked_twin(root: Path, needs: Path) -> str | None:
    """Sentence on a file that lies unpacked where a .gz is needed, also with the dot in its name that some copies of
    MNIST have; None if there is none."""
    if needs.suffix != ".gz":
        return None
    plain = needs.with_suffix("")
    for twin in (plain, plain.with_name(plain.name.replace("-idx", ".idx"))):
        if (root / twin).is_file():
            return (
                f"{needs} is missing, but {twin} is there unpacked: rename it to {needs.name}, which is read packed or "
                "not, and register it with `mtl data add`."
            )
    return None


def _register(name: str, source: Source) -> str:
    """The command that registers the files that the section of the source names."""
    return " ".join([f"mtl data add {name}", *(f"'{path}'" for path in source.to_add)])


def _command(name: str, source: Source, manifest: Manifest) -> str:
    """The command that brings the files of a source that has a manifest."""
    own = _register(name, source) if len(manifest.files) > 1 and source.files else f"mtl data add {name} FILE"
    return f"mtl data get {name}" if manifest.known else own
