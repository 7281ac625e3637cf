"""Temporary folders that live as long as something refers to them, and folders of projects that are copied."""

import shutil
import tempfile
import weakref
from pathlib import Path

from mtl.data.files.origins import ORIGINS
from mtl.errors import UserError, shown
from mtl.files import replace_text, whole_folder
from mtl.setup.place import README, begin_git, check_folder

LEFT = (".mtl", ".git", "__pycache__", ORIGINS.name)
"""Names that a copy of a project leaves out: states and links of this machine, and where raw files came from."""


def path_of(folder: object) -> Path:
    """The path that a caller names.

    Raises:
        UserError: it is none.
    """
    if not isinstance(folder, str | Path):
        raise UserError(f"`folder` should be a path, found {shown(folder)}.")
    return Path(folder)


class OwnFolder:
    """A temporary folder; removed when nothing refers to this any more, or Python ends.

    Attributes:
        path: of it.
    """

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="mtl-"))
        self._end = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)

    def remove(self) -> None:
        """Removes the folder now."""
        self._end()


def save_project(source: Path, target: Path) -> None:
    """Copies a project, results included, whole or not at all, and makes the copy a git repository.

    Args:
        source: its folder.
        target: folder of the copy, which is not there yet or empty.

    Raises:
        UserError: something is in its place, or it cannot be written.
    """
    check_folder(target)
    if target.exists() and any(target.iterdir()):
        raise UserError(f"{target} should be a new or an empty folder, found files in it: choose another one.")
    with whole_folder(target) as fresh:
        shutil.copytree(source, fresh, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*LEFT))
        readme = fresh / README
        if readme.exists():
            first, _, rest = readme.read_text(encoding="utf-8").partition("\n")
            replace_text(readme, f"# {target.resolve().name}\n{rest}" if first.startswith("# ") else f"{first}\n{rest}")
    begin_git(target)
