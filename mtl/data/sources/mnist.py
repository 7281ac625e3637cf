"""`kind: mnist`: four gzipped idx files (LeCun, Cortes and Burges).

idx is big-endian: two bytes 0, one for the type (08: uint8), one for the number of dimensions; the sizes, four bytes
each; then the values in row-major order.
"""

from math import prod
from pathlib import Path

import numpy as np

from mtl.config.image_sets import CLASSES, MNIST_FILES, MNIST_STEMS
from mtl.config.images import MnistSource
from mtl.data.formats.packing import plain_bytes
from mtl.data.formats.reading import check_count
from mtl.data.sources.images import Images, image_set
from mtl.errors import DataError
from mtl.types import ImageSet

DIGITS = 10
UINT8 = 8


def read(config: MnistSource, name: str, root: Path) -> ImageSet:
    """Training images, then test images, in the order of the files.

    Raises:
        DataError: a file is missing or damaged, is not what its header says, has a label that is no digit, or images
            and labels do not go together.
    """
    notes: list[str] = []
    train, test = digits_of(config.path, root, notes)
    classes = {CLASSES: [str(digit) for digit in range(DIGITS)]}
    return image_set(config, name, f"{config.path}/{MNIST_FILES[1]}", train, test, classes, notes)


def digits_of(path: str, root: Path, notes: list[str]) -> tuple[Images, Images]:
    """Training and test images of a folder in the format of MNIST.

    Args:
        path: of the folder.
        root: the project's folder.
        notes: takes what was unpacked otherwise than named.

    Raises:
        DataError: as `read`.
    """
    parts = []
    for stem in MNIST_STEMS:
        images, labels = (f"{stem}-images-idx3-ubyte.gz", f"{stem}-labels-idx1-ubyte.gz")
        pixels = _idx(root / path / images, f"{path}/{images}", 3, notes)
        numbers = _idx(root / path / labels, f"{path}/{labels}", 1, notes)
        where = f"{path}/{labels}"
        if len(pixels) != len(numbers):
            raise DataError(f"{where}: should have a label for each of the {len(pixels):,} images of {images}, "
                            f"found {len(numbers):,}.")  # fmt: skip
        wrong = np.flatnonzero(numbers >= DIGITS)
        if len(wrong):
            place = f"{where}: label {wrong[0]} (counted from 0)"
            raise DataError(f"{place} should be a digit from 0 to {DIGITS - 1}, found {numbers[wrong[0]]}.")
        parts.append(Images(pixels[:, None], {CLASSES: numbers.astype(np.int64)}))
    train, test = parts
    if train.pixels.shape[1:] != test.pixels.shape[1:]:
        sizes = [" × ".join(map(str, part.pixels.shape[2:])) for part in parts]
        raise DataError(f"{path}: test images should have {sizes[0]} pixels as those of train, found {sizes[1]}.")
    return train, test


def _idx(path: Path, where: str, dimensions: int, notes: list[str]) -> np.ndarray:
    """The uint8 array of a file with that many dimensions, packed once, twice or not at all."""
    data = plain_bytes(path, where, bytes([0, 0, UINT8]), notes)
    magic = bytes([0, 0, UINT8, dimensions])
    if data[:4] != magic:
        what = "images" if dimensions == 3 else "labels"
        beginning = data[:4].hex(" ") or "nothing"
        raise DataError(f"{where}: should be {what} in idx form, which begin with {magic.hex(' ')}, found {beginning}.")
    start = 4 + 4 * dimensions
    if len(data) < start:
        raise DataError(f"{where}: the idx header should have {start} bytes, found {len(data)}: the file is cut off.")
    sizes = [int.from_bytes(data[at : at + 4], "big") for at in range(4, start, 4)]
    shape = " × ".join(f"{size:,}" for size in sizes)
    check_count(prod(sizes), where)
    if prod(sizes) != len(data) - start:
        raise DataError(f"{where}: the header says {shape}, so {prod(sizes):,} bytes should follow, found "
                        f"{len(data) - start:,}.")  # fmt: skip
    if not prod(sizes):
        raise DataError(f"{where}: should hold something, found {shape}.")
    return np.frombuffer(data, np.uint8, offset=start).reshape(sizes)
