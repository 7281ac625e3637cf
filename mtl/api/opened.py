"""`mtl.open`: results of a project that lies in a folder."""

from pathlib import Path

from mtl.api.result import Result
from mtl.config import PARAMS
from mtl.errors import UserError
from mtl.paths import VERDICTS


def open_project(folder: Path) -> Result:
    """As `mtl.open`, which is the way in."""
    if not (folder / PARAMS).is_file():
        raise UserError(f"{folder} is no project, for it has no {PARAMS}: `mtl init` or `Result.save` makes one.")
    if not (folder / VERDICTS).is_file():
        raise UserError(f"{folder / VERDICTS} is missing: run `mtl repro` in {folder} first.")
    return Result(folder)
