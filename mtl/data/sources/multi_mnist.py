"""`kind: multi_mnist`: pairs of overlapped digits, the left one and the right one.

S pairs, Y × X pixels of a digit. See `mtl.config.images.MultiMnistSource` for the construction and its sources.
"""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from numpy import ndarray
from PIL import Image

from mtl.config.image_sets import CLASSES, DIGITS, LEFT, MNIST_FILES, RIGHT
from mtl.config.images import MultiMnistSource
from mtl.data.formats.reading import check_count
from mtl.data.sources.folds import stratified_folds
from mtl.data.sources.images import GREY, Images
from mtl.data.sources.mnist import digits_of
from mtl.types import ImageSet

SPARE = 4
"""Pixels around a digit in the middle of the canvas, and the most that one is moved."""
TEST = -1


def read(config: MultiMnistSource, name: str, root: Path) -> ImageSet:
    """Training pairs fold by fold, then test pairs.

    Raises:
        DataError: as `mtl.data.sources.mnist.read`.
    """
    notes: list[str] = []
    train, test = digits_of(config.path, root, notes)
    check_count((config.train_pairs + config.test_pairs) * int(np.prod(train.pixels.shape[1:])), config.path)
    where = f"{config.path}/{MNIST_FILES[1]}"
    part = stratified_folds(train.labels[CLASSES], list(DIGITS), config.folds, config.split_seed, where)
    drawer = np.random.default_rng(config.split_seed)
    pieces: list[tuple[UInt8[ndarray, "n Y X"], Int64[ndarray, "n 2"]]] = []
    folds: list[ndarray] = []
    # As many pairs of each part as it has digits: the parts of `folds: 1` differ in size.
    ends = np.round(np.cumsum(np.bincount(part)) / len(part) * config.train_pairs).astype(int)
    for number, count in enumerate(np.diff(ends, prepend=0).tolist()):
        pieces.append(_pairs(train, np.flatnonzero(part == number), count, drawer))
        folds.append(np.full(count, number))
    pieces.append(_pairs(test, np.arange(len(test.pixels)), config.test_pairs, drawer))
    folds.append(np.full(config.test_pairs, TEST))
    labels = np.concatenate([numbers for _, numbers in pieces])
    return ImageSet(
        name=name,
        images=torch.from_numpy(np.concatenate([pixels for pixels, _ in pieces])[:, None]),
        columns=GREY,
        fold=torch.from_numpy(np.concatenate(folds).astype(np.int64)),
        folds=config.folds,
        labels={LEFT: torch.from_numpy(labels[:, 0].copy()), RIGHT: torch.from_numpy(labels[:, 1].copy())},
        classes={LEFT: list(DIGITS), RIGHT: list(DIGITS)},
        notes=notes,
    )


def _pairs(
    digits: Images, among: Int64[ndarray, " m"], count: int, drawer: np.random.Generator
) -> tuple[UInt8[ndarray, "n Y X"], Int64[ndarray, "n 2"]]:
    """Pairs of some of the digits, and the class of the left and of the right one; every digit is in about as many."""
    left, right = (_dealt(among, count, drawer) for _ in range(2))
    same = left == right  # No digit is paired with itself.
    right[same] = np.roll(among, 1)[np.searchsorted(among, right[same])]
    moved = drawer.integers(1, SPARE + 1, (4, count))
    first = _placed(digits.pixels[left, 0], SPARE - moved[0], SPARE - moved[1])
    second = _placed(digits.pixels[right, 0], SPARE + moved[2], SPARE + moved[3])
    classes = digits.labels[CLASSES]
    return _resized(np.maximum(first, second), digits.pixels.shape[2:]), np.stack(
        [classes[left], classes[right]], axis=1
    )


def _dealt(among: Int64[ndarray, " m"], count: int, drawer: np.random.Generator) -> Int64[ndarray, " n"]:
    """`count` of the numbers, in an order by chance, each as often as the others or once more."""
    rounds = [drawer.permutation(among) for _ in range(-(-count // len(among)))]
    dealt: Int64[ndarray, " n"] = np.concatenate(rounds)[:count]
    return dealt


def _placed(
    digits: UInt8[ndarray, "n Y X"], top: Int64[ndarray, " n"], left: Int64[ndarray, " n"]
) -> UInt8[ndarray, "n V H"]:
    """The digits on black canvases, at places of their own."""
    count, height, width = digits.shape
    canvas = np.zeros((count, height + 2 * SPARE, width + 2 * SPARE), dtype=np.uint8)
    rows = top[:, None, None] + np.arange(height)[:, None]
    columns = left[:, None, None] + np.arange(width)
    canvas[np.arange(count)[:, None, None], rows, columns] = digits
    return canvas


def _resized(canvases: UInt8[ndarray, "n V H"], size: tuple[int, ...]) -> UInt8[ndarray, "n Y X"]:
    """The canvases at another size, of rows and columns."""
    resized = np.empty((len(canvases), *size), dtype=np.uint8)
    for place, canvas in enumerate(canvases):
        resized[place] = np.asarray(Image.fromarray(canvas).resize((size[1], size[0]), Image.Resampling.BILINEAR))
    return resized
