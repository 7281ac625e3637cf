"""Images that a column of a table names: their pixels, and the rows whose files can be read. S rows."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mtl.config.table_source import TableSource
from mtl.data.columns.cells import written_cells
from mtl.data.formats.table import Table
from mtl.data.pictures.files import Pictures, Problem, form_of, name_problem, read_pictures
from mtl.data.sources.table_columns import Column
from mtl.errors import DataError, shown

ROOM = Path("data/prepared")
"""Folder that holds the pixels until they are written in their place, on the same disk."""
NAMED = 3
"""Files without pixels that a note names."""


@dataclass(frozen=True)
class TableImages:
    """Images of a table.

    Args:
        pixels: uint8 [S, C, Y, X], mapped to a file.
        column: hash of the pixels of each row, by which equal images are found.
        kept: rows of the table whose files could be read, ascending; None: all.
    """

    pixels: np.ndarray
    column: Column
    kept: np.ndarray | None


def read_images(table: Table, config: TableSource, root: Path, notes: list[str]) -> TableImages:
    """The images that the rows of a table name.

    Args:
        table: as it was read.
        config: its source, with `images`.
        root: the project's folder.
        notes: takes how many rows are left out.

    Raises:
        DataError: a file that is missing, empty or broken, unless such are left out; a name that leads out of the
            folder, or a file that would unpack to far too many pixels, in any case.
    """
    column, images = config.image_column, config.images
    assert column is not None and images is not None
    names, folder = names_of(table, column), _folder(config, root)
    _check_names(table, column, names)
    paths = ["" if name is None else str(root / folder / f"{name}{images.ending}") for name in names]
    # A table that is only looked at lies in no project, and leaves nothing behind.
    room = root / ROOM if (root / ROOM.parent).is_dir() else Path(tempfile.gettempdir())
    pictures = read_pictures(paths, form_of(images), room)
    if not pictures.problems:
        return TableImages(pictures.pixels, _hashes(column, pictures.digests), None)
    for problem in pictures.problems:
        if problem.refused or images.broken == "error":
            raise DataError(_told(table, names, problem, pictures, config))
    kept = np.setdiff1d(np.arange(len(names)), [problem.row for problem in pictures.problems])
    if not len(kept):
        raise DataError(f"{_told(table, names, pictures.problems[0], pictures, config)} No row is left.")
    gone = [names[problem.row] or "a row without a name" for problem in pictures.problems]
    more = f" and {len(gone) - NAMED} more" if len(gone) > NAMED else ""
    notes.append(
        f"{column}: {len(gone):,} of {len(names):,} rows left out, for their files are missing, empty or broken: "
        f"{', '.join(gone[:NAMED])}{more}."
    )
    return TableImages(_moved_up(pictures.pixels, kept), _hashes(column, pictures.digests[kept]), kept)


def _folder(config: TableSource, root: Path) -> str:
    """Folder that names start from, relative to the project's."""
    assert config.images is not None
    if config.images.folder is not None:
        return config.images.folder
    if (root / config.path).is_dir():
        return config.path
    raise DataError(
        f"{config.path}: `images.folder` of the source should name the folder of the image files, found null, which is "
        "for a `path` that is a folder itself."
    )


def names_of(table: Table, column: str) -> list[str | None]:
    """Name in each row without blanks around it; None where there is none."""
    cells = written_cells(table, [column])[column]
    return [None if pd.isna(cell) or not str(cell).strip() else str(cell).strip() for cell in cells.tolist()]


def _check_names(table: Table, column: str, names: list[str | None]) -> None:
    """Raises a DataError on a name that leads out of the folder."""
    for row, name in enumerate(names):
        problem = None if name is None else name_problem(name)
        if problem is not None:
            raise DataError(f"{table.at(row, column)}: {shown(name)} {problem}.")


def _told(table: Table, names: list[str | None], problem: Problem, pictures: Pictures, config: TableSource) -> str:
    """The message on a row without pixels."""
    images, column, name = config.images, config.image_column, names[problem.row]
    assert images is not None
    place = table.at(problem.row, column)
    if name is None:
        told = f"{place}: should name an image file, found nothing"
    else:
        told = f"{place}: {Path(images.folder or config.path) / name}{images.ending} {problem.text}"
    others = len(pictures.problems) - 1
    more = f" ({others:,} other row{'s' * (others != 1)} cannot be used either)" if others else ""
    if problem.refused:
        return f"{told}{more}."
    hint = f"; {_other_place(name, config)}" if name is not None and problem.text == "is missing" else ""
    return f"{told}{more}{hint}: mend the file or the row, or let `images.broken: leave_out` leave such rows out."


def _other_place(name: str, config: TableSource) -> str:
    images = config.images
    assert images is not None
    ending = f", with the ending {images.ending!r} (`images.ending`) behind it" if images.ending else ""
    return f"names are looked for below `images.folder` ({images.folder or config.path}){ending}"


def _hashes(column: str, digests: np.ndarray) -> Column:
    return Column(column, column, digests.astype(np.int64), [])


def _moved_up(pixels: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """The pixels of some rows in front, in place: memory holds one image at a time."""
    for place, row in enumerate(kept.tolist()):
        if place != row:
            pixels[place] = pixels[row]
    return pixels[: len(kept)]
