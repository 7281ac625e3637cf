"""A folder with a folder of images for each class, as a table of the columns `image` and `class`; where a folder of
classes stands in each of `train`, `test` and perhaps `val`, also of the column `part`.
"""

from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from mtl.config.table_file import TableFile
from mtl.config.table_split import ColumnSplit
from mtl.data.formats.reading import reading
from mtl.data.formats.records import Lines
from mtl.data.formats.table import Table
from mtl.errors import DataError, shown

IMAGE, CLASS, PART = "image", "class", "part"
"""Columns of the table."""
ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff")
"""Endings of image files, in any case of letters."""
PARTS = frozenset(
    name for setting in ("train", "val", "test") for name in ColumnSplit.model_fields[setting].get_default()
)
"""Names of folders that stand for a part."""


def folder_table(path: Path, config: TableFile, notes: list[str]) -> Table:
    """The table of a folder: a row an image file, in the order of their paths.

    Args:
        path: of the folder.
        config: its options, of which those of text are not asked.
        notes: takes how many files are left out.

    Raises:
        DataError: it holds no image, or images that lie in no folder of a class.
    """
    names = listed_files(path, config.path)
    images = [name for name in names if name.name.lower().endswith(ENDINGS)]
    if not images:
        raise DataError(
            f"{config.path}: should hold a folder of images for each class ({', '.join(ENDINGS)}), found none in "
            f"{len(names):,} files."
        )
    if len(images) < len(names):
        left = len(names) - len(images)
        files = "1 file has" if left == 1 else f"{left:,} files have"
        notes.append(f"{files} no ending of an image, and no place in the table.")
    depth = len(images[0].parts)
    odd = next((image for image in images if len(image.parts) != depth), images[0] if depth not in (2, 3) else None)
    first = sorted({image.parts[0] for image in images})
    if odd is not None or (depth == 3 and not set(first) <= PARTS):
        place = images[0] if odd is None else odd
        raise DataError(
            f"{config.path}/{place}: every image should lie in the folder of its class, as `cat/1.jpg`, or in one of "
            f"`train`, `val` and `test`, as `train/cat/1.jpg`; found folders {shown(first)}."
        )
    columns = {IMAGE: [str(image) for image in images], CLASS: [image.parts[-2] for image in images]}
    if depth == 3:
        columns[PART] = [image.parts[0] for image in images]
    numbers = np.arange(1, len(images) + 1)
    lines = Lines(lambda: numbers, np.arange(len(images)))
    return Table(config.path, pd.DataFrame(columns, dtype=object), lines, "image", config, notes=notes)


def listed_files(path: Path, where: str) -> list[PurePosixPath]:
    """Files below a folder that are not hidden, by their paths in it, in order.

    Args:
        path: of the folder.
        where: its name in messages.
    """
    with reading(where):
        inside = (file.relative_to(path) for file in path.rglob("*") if file.is_file())
        visible = [PurePosixPath(file.as_posix()) for file in inside if not any(part[0] == "." for part in file.parts)]
    return sorted(visible, key=str)


def listed_images(path: Path, where: str) -> list[PurePosixPath]:
    """Image files below a folder, as `listed_files`.

    Raises:
        DataError: there is none.
    """
    images = [name for name in listed_files(path, where) if name.name.lower().endswith(ENDINGS)]
    if not images:
        raise DataError(f"{where}: should hold images ({', '.join(ENDINGS)}), found none.")
    return images
