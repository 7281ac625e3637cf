"""Last step of every reader of images: its training and test images, dealt into folds, as one `ImageSet`.

S images, Y × X pixels, C channels.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import UInt8
from numpy import ndarray

from mtl.config.common import parts_dealt
from mtl.config.image_sets import CLASSES
from mtl.config.images import ImageSource
from mtl.data.sources.folds import stratified_folds
from mtl.errors import SettingError
from mtl.types import ImageSet

GREY, COLOURS = ["grey"], ["red", "green", "blue"]


@dataclass(frozen=True)
class Images:
    """Images of one part and their labels."""

    pixels: UInt8[ndarray, "S C Y X"]
    labels: dict[str, ndarray]
    """Label name → int64 class numbers [S]."""


def _only(images: Images, count: int, classes: int, seed: int) -> Images:
    """`count` images in their order, every class in its share; where fewer are left out than there are classes, any."""
    from sklearn.model_selection import train_test_split

    numbers, labels = np.arange(len(images.pixels)), images.labels[CLASSES]
    strata = labels if len(labels) - count >= classes else None
    kept, _ = train_test_split(numbers, train_size=count, stratify=strata, random_state=seed)
    kept.sort()
    return Images(images.pixels[kept], {key: labels[kept] for key, labels in images.labels.items()})


def image_set(
    config: ImageSource, name: str, where: str, train: Images, test: Images, classes: dict[str, list[str]],
    notes: list[str],
) -> ImageSet:  # fmt: skip
    """Training images, then test images, in the order given.

    Args:
        config: section of the source.
        name: its key.
        where: the file to name in messages.
        train: to be dealt into folds.
        test: as many channels and pixels.
        classes: label name → class names in the order of the numbers.
        notes: what the reader has to say.

    Raises:
        SettingError: fewer training images are there than are asked for, or fewer are asked for than can be dealt out.
        DataError: a class has fewer training images than there are folds.
    """
    available = len(train.pixels)
    problem = config.part_problem(name, len(classes[CLASSES]), available)
    if problem is not None:
        raise SettingError(*problem)
    fewest = np.bincount(train.labels[CLASSES], minlength=len(classes[CLASSES])).min()
    enough = fewest >= parts_dealt(config.folds)
    if config.train_images is not None and config.train_images < available and enough:  # dealing out says what lacks
        train = _only(train, config.train_images, len(classes[CLASSES]), config.split_seed)
        notes = [*notes, f"{len(train.pixels):,} of the {available:,} training images are taken (`train_images`)."]
    fold = np.full(len(train.pixels) + len(test.pixels), -1, dtype=np.int64)
    fold[: len(train.pixels)] = stratified_folds(
        train.labels[CLASSES], classes[CLASSES], config.folds, config.split_seed, where
    )
    return ImageSet(
        name=name,
        images=torch.from_numpy(np.concatenate([train.pixels, test.pixels])),
        columns=GREY if config.channels == 1 else COLOURS,
        fold=torch.from_numpy(fold),
        folds=config.folds,
        labels={key: torch.from_numpy(np.concatenate([train.labels[key], test.labels[key]])) for key in classes},
        classes=classes,
        mean=config.mean,
        std=config.std,
        notes=notes,
    )
