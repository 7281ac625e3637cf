"""key.json: what a finished run was made from, in one hash, and the files that it made.

A stage trains no run again whose key is that of the configuration and whose files are as they were written. The file
appears with the run's folder, in one step.
"""

import hashlib
from pathlib import Path

from mtl.errors import UserError
from mtl.results.content import ResultFile

KEY = "key.json"
"""Name of the file in a run's folder."""
INCOMPLETE = 75
"""Exit code of a stage that has made what `mtl repro` asked for while runs lack: DVC should not call it done."""
ALONE, AGAIN = "MTL_ALONE", "MTL_AGAIN"
"""Variables in which `mtl repro` tells a stage which runs alone it should make, and which anew."""
EVERYTHING = "all"
"""Value of AGAIN for every run."""


class Key(ResultFile):
    """Content of key.json."""

    key: str
    """sha256 over all that the files of the run depend on."""
    files: dict[str, str]
    """Every other file of the folder → its md5, by which DVC's cache knows it."""

    def fits(self, folder: Path) -> bool:
        """True when a folder holds just these files, with these contents.

        Args:
            folder: of a run.
        """
        held = {path.name for path in folder.iterdir()} - {KEY}
        return held == set(self.files) and all(md5(folder / name) == value for name, value in self.files.items())


def write_key(folder: Path, key: str) -> None:
    """Writes key.json beside the files of a run that are all there.

    Args:
        folder: of the run, about to become visible.
        key: hash of what the run depends on.
    """
    Key(key=key, files={path.name: md5(path) for path in sorted(folder.iterdir())}).write(folder / KEY)


def read_key(folder: Path) -> Key | None:
    """The key of a run; None where there is none that can be read, as of runs of older versions."""
    try:
        return Key.read(folder / KEY)
    except UserError:
        return None


def md5(path: Path) -> str:
    """md5 of a file; a fingerprint against accidents, not against attackers."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
