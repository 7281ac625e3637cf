"""code.json: digests of the installed code, for stages of a project that is no clone.

In a clone, dvc.yaml names the source files that a stage imports. Elsewhere the code lies in an environment, at a place
that differs between machines; there a stage depends on its digest in code.json instead, which is taken over the same
files. `mtl` keeps the file up to date, git tracks it beside dvc.lock, and a stage that meets other code than the file
says stops.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from mtl.errors import UserError
from mtl.files import write_json
from mtl.project.places import PACKAGE, PIPELINE
from mtl.version import __version__

CODE = Path("code.json")
SOURCES = {".py", ".j2"}
"""Endings of files that results depend on."""
LETTERS = 16
"""Length of a digest in hexadecimal digits."""


@dataclass(frozen=True)
class Code:
    """Content of code.json."""

    mtl: str
    """Version of the package."""
    pipeline: str
    """Digest of dvc.yaml as `mtl` has written it, by which edits are told."""
    rooms: dict[str, str]
    """File or folder of the package → digest."""
    stages: dict[str, str]
    """Stage → digest of the rooms that it imports."""


def installed(pipeline: str) -> Code:
    """The code that runs here.

    Args:
        pipeline: digest of dvc.yaml as `mtl` would write it.
    """
    used = rooms_of_stages()
    rooms = {room: room_digest(room) for room in sorted({room for rooms in used.values() for room in rooms})}
    stages = {stage: digest("\n".join(f"{room} {rooms[room]}" for room in names)) for stage, names in used.items()}
    return Code(__version__, pipeline, rooms, stages)


@cache
def rooms_of_stages() -> dict[str, list[str]]:
    """Stage → files and folders of the package that it imports, sorted; a test of the repository holds them true."""
    stages: dict[str, Any] = yaml.safe_load(PIPELINE.read_text(encoding="utf-8"))["stages"]
    return {
        name: sorted(
            dependency.removeprefix("mtl/")
            for dependency in stage.get("do", stage)["deps"]
            if dependency.startswith("mtl/")
        )
        for name, stage in stages.items()
    }


@cache
def room_digest(room: str) -> str:
    """Digest of the names and contents of a room's source files, the same on every machine."""
    place = PACKAGE / room
    files = [place] if place.is_file() else sorted(path for path in place.rglob("*") if path.suffix in SOURCES)
    content = hashlib.sha256()
    for path in files:
        content.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return content.hexdigest()[:LETTERS]


def digest(text: str) -> str:
    """First digits of the sha256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:LETTERS]


def read_code(root: Path) -> Code | None:
    """Content of a project's code.json; None where there is none, or none that can be read: it is written anew."""
    try:
        return Code(**json.loads((root / CODE).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def write_code(code: Code, root: Path) -> None:
    """Writes a project's code.json."""
    write_json(root / CODE, asdict(code))


def check_code(root: Path = Path()) -> None:
    """Makes sure that a stage runs the code that DVC takes it to run; a folder without code.json is a clone.

    Raises:
        UserError: code.json is of other code.
    """
    if not (root / CODE).exists():
        return
    held = read_code(root)
    if held is None or held.stages != installed("").stages:
        version = f"mtl {held.mtl}" if held is not None else "no version that can be read"
        raise UserError(
            f"{CODE} is of {version}, and other code (mtl {__version__}) is installed here: run `mtl repro`, which "
            f"brings the file up to date."
        )
