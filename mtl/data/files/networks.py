"""`mtl model get`: files of a pretrained network into data/models/NAME, from the hub or from a folder.

Files are fetched beside their place, looked at, and only then moved there. Nothing else in mtl asks the hub. Beside
them stands origin.json: their hashes, the revision, and the digest by which `encoder.digest` means them.
"""

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtl.checks import bad
from mtl.config.pretrained import FOLDER
from mtl.data.inputs.pretrained import (
    CONFIG,
    INDEX,
    PREPROCESSOR,
    TOKENIZER,
    digest_of,
    folder_of,
    sha256_of,
    weight_files,
)
from mtl.errors import DataError, UserError
from mtl.files import whole_folder, write_json

ORIGIN = "origin.json"
NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
WANTED = [CONFIG, TOKENIZER, INDEX, PREPROCESSOR, "*.safetensors"]
"""Files of a network on the hub."""


@dataclass(frozen=True)
class Got:
    """A network in its place.

    Args:
        folder: relative to the project's.
        origin: where it came from; "already there" if it lay in its place.
        files: names of its files.
        size: bytes of them.
        digest: of those that a result depends on.
        tokens: it has a tokenizer.
    """

    folder: Path
    origin: str
    files: list[str]
    size: int
    digest: str
    tokens: bool


def get(name: str, root: Path, source: Path | None = None, revision: str | None = None) -> Got:
    """Puts a network into data/models/NAME.

    Args:
        name: on the hub, as `OWNER/NAME`; any name for one that is copied.
        root: folder of the project.
        source: a folder with its files; None: the hub.
        revision: a branch, tag or commit of the hub; of a copy it is only noted.

    Raises:
        UserError: there is no such network or revision, it has no safetensors, another one lies in its place, or that
            cannot be written.
    """
    if not NAME.fullmatch(name) or ".." in name:
        raise bad("NAME", "be of letters, digits, `_`, `-` and `.`, with at most one `/`, as on the hub", name)
    place = Path(FOLDER) / name
    if (root / place).is_dir():
        return _there(place, root, source, revision)
    with whole_folder(root / place) as fresh:
        if source is None:
            origin, revision = _fetched(name, revision, fresh)
        else:
            origin = f"folder {source}"
            _copied(source, fresh)
        digest = digest_of(folder_of(str(fresh.resolve())))
        hashes = {file.name: sha256_of(file) for file in sorted(fresh.iterdir()) if file.is_file()}
        write_json(fresh / ORIGIN, {"digest": digest, "files": hashes, "name": name, "revision": revision})
    return _told(place, root, origin, digest)


def origin_of(folder: Path) -> dict[str, Any] | None:
    """Content of a network's origin.json; None where it was put there by hand.

    Raises:
        UserError: it is damaged.
    """
    file = folder / ORIGIN
    if not file.is_file():
        return None
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return {"digest": content["digest"], "files": dict(content["files"]), "revision": content["revision"]}
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{file} is damaged ({error}): move {folder} away and run `mtl model get` again.") from None


def changed_problem(folder: Path, revision: str | None) -> str | None:
    """Reason in words why the files of a network are not those that `mtl model get` put there; None if they are.

    Args:
        folder: its own.
        revision: that params.yaml asks for; None: any.
    """
    known = origin_of(folder)
    if known is None:
        return None
    for name, sha256 in known["files"].items():
        if not (folder / name).is_file() or sha256_of(folder / name) != sha256:
            return (
                f"{folder / name} is not the file that `mtl model get` put there: move {folder} away and get it again"
            )
    if revision is not None and known["revision"] != revision:
        return f"{folder} holds revision {known['revision']}, and `encoder.revision` asks for {revision}"
    return None


def _there(place: Path, root: Path, source: Path | None, revision: str | None) -> Got:
    """The network that lies in its place, if it is the one that was asked for."""
    digest = digest_of(folder_of(str((root / place).resolve())))
    problem = changed_problem(root / place, revision)
    if problem is None and source is not None and digest_of(folder_of(str(source.resolve()))) != digest:
        problem = f"{place} exists, and its files are not those of {source}: move it away, or take another name"
    if problem is not None:
        raise DataError(f"{problem}.")
    return _told(place, root, "already there", digest)


def _told(place: Path, root: Path, origin: str, digest: str) -> Got:
    files = [file for file in sorted((root / place).iterdir()) if file.is_file() and file.name != ORIGIN]
    size = sum(file.stat().st_size for file in files)
    return Got(place, origin, [file.name for file in files], size, digest, (root / place / TOKENIZER).is_file())


def _copied(source: Path, fresh: Path) -> None:
    """Copies the files of a network that are wanted."""
    if not source.is_dir():
        raise DataError(f"{source}: there is no such folder, from which `--from` could copy a network.")
    weights = weight_files(folder_of(str(source.resolve())))
    others = [source / name for name in WANTED if "*" not in name and (source / name).is_file()]
    for file in {*others, *weights}:
        shutil.copyfile(file, fresh / file.name)


def _fetched(name: str, revision: str | None, fresh: Path) -> tuple[str, str]:
    """Fetches a network from the hub; returns its address and the commit."""
    try:
        import huggingface_hub
    except ImportError:
        raise UserError(
            "the hub is asked by the package huggingface_hub, which is not installed: `pip install 'mtl[pretrained]'`, "
            "or `mtl model get NAME --from DIR` for files at hand."
        ) from None
    asked = f"{name}{'' if revision is None else f' at revision {revision}'}"
    try:
        about = huggingface_hub.HfApi().model_info(name, revision=revision)
        held = [file.rfilename for file in about.siblings or []]
        if not any(file.endswith(".safetensors") and "/" not in file for file in held):
            raise DataError(
                f"{asked}: weights should be safetensors, found {', '.join(held[:20]) or 'no file'}: pickled ones may "
                "run code when they are read, so that another revision or network is needed."
            )
        huggingface_hub.snapshot_download(name, revision=about.sha, local_dir=fresh, allow_patterns=WANTED)
    except DataError:
        raise
    except Exception as error:  # of the network and of the hub, in many classes
        first = str(error).strip().split("\n")[0]
        raise DataError(
            f"{asked} cannot be fetched from the hub: {first} ({type(error).__name__}). With its files at hand, use "
            f"`mtl model get {name} --from DIR`."
        ) from None
    shutil.rmtree(fresh / ".cache", ignore_errors=True)
    return f"the hub, commit {about.sha}", str(about.sha)
