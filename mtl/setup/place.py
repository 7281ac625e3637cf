"""The folder of a new project: what may lie there, and files that are all written or none."""

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from mtl.config import PARAMS
from mtl.data.files.digest import file_sha256
from mtl.data.files.manifest import RAW
from mtl.errors import UserError
from mtl.files import replace_text
from mtl.plugins import FOLDER as PLUGINS
from mtl.project.code import CODE
from mtl.project.pipeline import DVC_FILE, pipeline
from mtl.project.places import TEMPLATE
from mtl.setup.new_project import FILES, lay_out
from mtl.setup.params_file import write_params

README = Path("README.md")
OUR_FILES = (*map(Path, FILES.values()), DVC_FILE, CODE, README, PARAMS)


VALIDATE = "checks params.yaml and the data; says how many runs there will be and about how long they take"
REPRO = "trains, compares, and writes report/report.html"
NEXT = (("mtl validate", VALIDATE), ("mtl repro", REPRO), ("mtl ui", "every run, in MLflow"))
"""Commands that come after a new project is made, each with a word on it."""


def command_lines(commands: Sequence[tuple[str, str]] = NEXT) -> list[str]:
    """Lines of commands, with a comment beside each."""
    width = max(len(command) for command, _ in commands) + 2
    return [f"{command:<{width}}# {word}" for command, word in commands]


def readme(name: str, what: str, commands: Sequence[tuple[str, str]] = NEXT) -> str:
    """Text of a new project's README.

    Args:
        name: of the project.
        what: it is about, a sentence.
        commands: three that come next, each with a word on it.
    """
    first, second, third = command_lines(commands)
    text = (TEMPLATE / "own/README.md").read_text(encoding="utf-8")
    return text.format(name=name, what=what, first=first, second=second, third=third)


def check_folder(folder: Path) -> None:
    """Checks that a project can be made in a folder, which need not be there.

    Raises:
        UserError: it is a file, holds a project or another pipeline, cannot be written, or git ignores it.
    """
    if (folder / PARAMS).exists():
        raise UserError(
            f"{folder} holds a {PARAMS} already, and `mtl init` makes new projects: choose another folder; in that "
            "one, edit the file, or let `mtl preset use NAME` write it anew."
        )
    for path in (folder, *(folder / place for place in OUR_FILES)):
        taken = next((parent for parent in path.parents if parent.exists() and not parent.is_dir()), None)
        if taken is not None:
            raise UserError(f"{taken} should be a folder, found a file: choose another place for the project.")
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} should be a folder, found a file: choose another place for the project.")
    if (folder / DVC_FILE).exists() and (folder / DVC_FILE).read_bytes() != pipeline().encode():
        raise UserError(
            f"{folder} holds a {DVC_FILE} already, a pipeline of another kind, which is not overwritten: choose "
            "another folder, such as one in it."
        )
    there = next(parent for parent in (folder.resolve(), *folder.resolve().parents) if parent.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        raise UserError(f"{there} cannot be written: choose another place for the project.")
    if _ignored(folder.resolve(), there):
        raise UserError(
            f"{folder} is ignored by git (.gitignore), and DVC refuses a pipeline there: choose another folder, or "
            "take it out of that file."
        )


def check_copy(file: Path, folder: Path) -> None:
    """Checks that a copy of the data file has a place in a folder.

    Raises:
        UserError: another file of its name lies there.
    """
    copy = folder / RAW / file.name
    if copy.exists() and not copy.samefile(file) and file_sha256(copy) != file_sha256(file):
        raise UserError(f"{copy} is another file than {file}, and is not overwritten: move it away, or rename {file}.")


def in_repository(folder: Path) -> Path | None:
    """The git repository that a folder lies in; None where there is none."""
    return next(
        (parent for parent in (folder.resolve(), *folder.resolve().parents) if (parent / ".git").exists()), None
    )


def write_project(folder: Path, readme: str, bring_data: Callable[[], str]) -> list[str]:
    """Writes a project, params.yaml last, so that a folder with one is whole; on an error what was written is removed.

    Args:
        folder: of the project.
        readme: text of its README, unless it has one.
        bring_data: puts raw data and manifests into the folder, and returns the text of params.yaml.

    Returns:
        Files of the folder that were there and stay as they are.
    """
    before = _existing(folder)
    kept = [str(place) for place in OUR_FILES if folder / place in before and place not in (DVC_FILE, CODE)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lay_out(folder)
        if not (folder / README).exists():
            replace_text(folder / README, readme)
        text = bring_data()
        write_params(folder / PARAMS, text)
    except BaseException as error:
        _undo(folder, before)
        if isinstance(error, OSError):
            raise UserError(f"{folder} cannot be written: {error.strerror or error}.") from None
        raise
    return kept


def begin_git(folder: Path) -> str:
    """Makes a folder a git repository unless it lies in one.

    Returns:
        A sentence on what was done.
    """
    repository = in_repository(folder)
    if repository is not None and repository != folder.resolve():
        return (
            f"It lies in the git repository {repository}, which tracks it; DVC has its own settings there, as by `dvc "
            "init --subdir`: run `mtl` and `dvc` in its folder."
        )
    if repository is not None:
        return "The folder is a git repository already."
    if shutil.which("git") is None:
        return "git is not installed here: `mtl` works without it, and tracks no versions."
    done = subprocess.run(["git", "init", "--quiet"], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        said = " ".join(done.stderr.split())
        return f"`git init` failed ({said}): `mtl` works without git, and tracks no versions."
    return "It is a git repository, nothing is committed yet."


def _ignored(folder: Path, there: Path) -> bool:
    """True where the git repository around a folder ignores what is written there."""
    if in_repository(there) is None or shutil.which("git") is None:
        return False
    command = ["git", "check-ignore", "--quiet", str(folder / DVC_FILE)]
    return subprocess.run(command, cwd=there, capture_output=True, check=False).returncode == 0


def _existing(folder: Path) -> set[Path]:
    """The folder with its parents and all in the places where files of a project go, as far as they exist."""
    paths = {folder, *folder.parents}
    for place in OUR_FILES:
        paths |= {folder / place, *(folder / parent for parent in place.parents)}
    for brought in (folder / RAW, folder / PLUGINS):
        paths |= {brought, *brought.parents, *(brought.rglob("*") if brought.exists() else ())}
    return {path for path in paths if path.exists()}


def _undo(folder: Path, before: set[Path]) -> None:
    """Removes what a project that was not finished has left."""
    for path in sorted(_existing(folder) - before, key=lambda path: len(path.parts), reverse=True):
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        else:
            path.unlink(missing_ok=True)
