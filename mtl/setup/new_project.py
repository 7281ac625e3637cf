"""Files of a project that is no clone, all but params.yaml: its pipeline, DVC's settings, .gitignore, plugins/."""

from pathlib import Path

from mtl.files import replace_text
from mtl.project.pipeline import DVC_FILE, pipeline, upgrade
from mtl.project.places import TEMPLATE

FILES = {
    "gitignore": ".gitignore",
    "dvcignore": ".dvcignore",
    "dvc/config": ".dvc/config",
    "dvc/gitignore": ".dvc/.gitignore",
    "dvc/plots/curves.json": ".dvc/plots/curves.json",
    "plugins.md": "plugins/README.md",
}
"""File of the package → its place in a project."""


def lay_out(folder: Path) -> list[str]:
    """Writes every file that a project needs beside params.yaml and that is not there yet, code.json last.

    Args:
        folder: of the project; made if it is missing.

    Returns:
        Files that were written, relative to the folder.
    """
    texts = {place: (TEMPLATE / name).read_text(encoding="utf-8") for name, place in FILES.items()}
    texts[DVC_FILE.as_posix()] = pipeline()
    written = [place for place in texts if not (folder / place).exists()]
    for place in written:
        replace_text(folder / place, texts[place])
    change = upgrade(folder)
    if change is not None:
        change.write(folder)
    return written
