"""New images: files that a column of a table names, or those of a folder, a piece at a time.

n images of a piece, C channels, Y × X pixels.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import UInt8
from numpy import ndarray
from pydantic import JsonValue

from mtl.config.image_files import ImageFiles
from mtl.config.inputs import SourceBase
from mtl.config.table_source import TableSource
from mtl.data.formats.image_folders import IMAGE, listed_images
from mtl.data.formats.pieces import table_pieces
from mtl.data.formats.table import Table
from mtl.data.pictures.decode import Form
from mtl.data.pictures.files import form_of, name_problem, read_pictures
from mtl.data.sources.table_images import names_of
from mtl.errors import DataError, UserError, shown
from mtl.results.deployment import Origin
from mtl.serving.new_data.columns import check_columns, kept_columns
from mtl.serving.new_data.options import rows_options

FOLDER = "folder"
"""Option by which a user says where new images lie."""
PIECE = 4096
"""Images that are predicted together."""
Also = Callable[[Table], pd.DataFrame]


@dataclass(frozen=True)
class Pictures:
    """Some images, and what is kept beside them."""

    pixels: UInt8[ndarray, "n C Y X"]
    kept: pd.DataFrame


@dataclass(frozen=True)
class Wanted:
    """Images as a model reads them.

    Args:
        form: of their pixels.
        column: of a table that names them; None: the model was trained on no table of images.
        ending: behind every name.
        folder: name of the folder that held the images of training; None: they lay beside the table, or are unknown.
    """

    form: Form
    column: str | None = None
    ending: str = ""
    folder: str | None = None

    @classmethod
    def of(cls, section: SourceBase | None, shape: Sequence[int]) -> "Wanted":
        """The images of a source.

        Args:
            section: by which it was read in training; None where that is not known.
            shape: C, Y, X of an image.
        """
        if isinstance(section, TableSource) and section.images is not None:
            images = section.images
            folder = None if images.folder is None else Path(images.folder).name
            return cls(form_of(images), section.image_column, images.ending, folder)
        channels, *size = shape
        return cls(form_of(ImageFiles(size=(size[0], size[1]), colour=channels > 1)))


@dataclass(frozen=True)
class Files:
    """Image files that a column of new rows names.

    Args:
        column: of the names.
        folder: that names start from.
        wanted: images as the model reads them.
    """

    column: str
    folder: Path
    wanted: Wanted

    @classmethod
    def of(cls, data: Path, wanted: Wanted, column: str, changes: Mapping[str, JsonValue]) -> "Files":
        """The files of a table: names start from `folder` of the `changes`, else from the folder beside the table that
        is named as in training, or without one from its own."""
        beside = data.parent if wanted.folder is None else data.parent / wanted.folder
        return cls(column, Path(str(changes.get(FOLDER, beside if beside.is_dir() else data.parent))), wanted)

    def pixels(self, table: Table) -> UInt8[ndarray, "n C Y X"]:
        """The images of some rows.

        Raises:
            DataError: a file is missing or broken, or a name is; names the row.
        """
        names = _named(table, self.column)
        return _pixels(self.folder, names, self.wanted, partial(table.at, column=self.column))


def pieces(
    data: Path,
    origin: Origin | None,
    wanted: Wanted,
    changes: Mapping[str, JsonValue],
    keep: Sequence[str],
    notes: list[str],
    also: Also | None = None,
) -> Iterator[Pictures]:
    """The images of a table or of a folder.

    Args:
        data: table, whose names start from `folder` of the `changes`, else from the folder beside it that is named as
            in training, or without one from its own; or a folder of images.
        origin: the source that the model was trained on; None where it is not known.
        wanted: images as the model reads them.
        changes: options of the reader that the user gives.
        keep: columns of the table that the output repeats.
        notes: takes sentences on what was read otherwise than it is written.
        also: table of a piece → what is kept beside its images; None: the names and the columns `keep`.

    Raises:
        DataError: a column or a file is missing or broken; names the row.
    """
    if data.is_dir():
        if changes or keep:
            raise UserError(f"{data}: --set and --keep are for tables, and this is a folder of images.")
        names = [str(name) for name in listed_images(data, str(data))]
        for begin in range(0, len(names), PIECE):
            some = names[begin : begin + PIECE]
            yield Pictures(_pixels(data, some, wanted, lambda _: str(data)), pd.DataFrame({IMAGE: some}))
        return
    if wanted.column is None:
        raise UserError(
            f"{data}: should be a folder of image files, or an .npz with the images as an array `x` [n, C, Y, X]: the "
            "model was trained on no table that names images."
        )
    others = {name: value for name, value in changes.items() if name != FOLDER}
    files = Files.of(data, wanted, wanted.column, changes)
    options = rows_options(data, origin, others)
    column = wanted.column
    for table in table_pieces(options, Path()):
        there = [str(name) for name in table.frame.columns]
        check_columns(options.path, there, [column])
        kept_columns(options.path, there, keep)
        notes += [note for note in table.notes if note not in notes]
        for begin in range(0, len(table.frame), PIECE):
            part = table.take(np.arange(begin, min(begin + PIECE, len(table.frame))))
            pixels = files.pixels(part)
            kept = part.frame[list(dict.fromkeys([column, *keep]))] if also is None else also(part)
            yield Pictures(pixels, kept.reset_index(drop=True))


def _named(table: Table, column: str) -> list[str]:
    """Name in each row.

    Raises:
        DataError: there is none, or it leads out of the folder.
    """
    named = []
    for row, name in enumerate(names_of(table, column)):
        problem = "should name an image file" if name is None else name_problem(name)
        if name is None or problem is not None:
            raise DataError(f"{table.at(row, column)}: {'' if name is None else f'{shown(name)} '}{problem}.")
        named.append(name)
    return named


def _pixels(folder: Path, names: Sequence[str], wanted: Wanted, at: Callable[[int], str]) -> ndarray:
    paths = [str(folder / f"{name}{wanted.ending}") for name in names]
    room = Path(tempfile.gettempdir())
    pictures = read_pictures(paths, wanted.form, room)
    if pictures.problems:
        first = pictures.problems[0]
        remedy = f"; names start from {folder}, or from `--set folder=DIR`" if first.text == "is missing" else ""
        raise DataError(f"{at(first.row)}: {paths[first.row]} {first.text}{remedy}.")
    return pictures.pixels
