"""What is known of the built-in sets of images before any file is read: their shapes, classes and sizes.

A `path` other than the default leads to files of one's own, of which only the format is known.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from mtl.config.images import Cifar10Source, Cifar100Source, DigitsSource, MnistSource

CLASSES, COARSE = "classes", "coarse"
"""Labels: `classes` are the finest, which every set has; `coarse` are superclasses."""
DIGITS_IMAGES = 1797
MNIST_TRAIN = 60_000
CIFAR_TRAIN = 50_000
DIGITS: tuple[str, ...] = tuple(str(digit) for digit in range(10))
CIFAR10: tuple[str, ...] = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CIFAR100: tuple[str, ...] = (
    "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle", "bowl", "boy",
    "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle", "chair", "chimpanzee", "clock",
    "cloud", "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur", "dolphin", "elephant", "flatfish", "forest",
    "fox", "girl", "hamster", "house", "kangaroo", "keyboard", "lamp", "lawn_mower", "leopard", "lion", "lizard",
    "lobster", "man", "maple_tree", "motorcycle", "mountain", "mouse", "mushroom", "oak_tree", "orange", "orchid",
    "otter", "palm_tree", "pear", "pickup_truck", "pine_tree", "plain", "plate", "poppy", "porcupine", "possum",
    "rabbit", "raccoon", "ray", "road", "rocket", "rose", "sea", "seal", "shark", "shrew", "skunk", "skyscraper",
    "snail", "snake", "spider", "squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank", "telephone",
    "television", "tiger", "tractor", "train", "trout", "tulip", "turtle", "wardrobe", "whale", "willow_tree", "wolf",
    "woman", "worm",
)  # fmt: skip
CIFAR100_COARSE: tuple[str, ...] = (
    "aquatic_mammals", "fish", "flowers", "food_containers", "fruit_and_vegetables", "household_electrical_devices",
    "household_furniture", "insects", "large_carnivores", "large_man-made_outdoor_things",
    "large_natural_outdoor_scenes", "large_omnivores_and_herbivores", "medium_mammals", "non-insect_invertebrates",
    "people", "reptiles", "small_mammals", "trees", "vehicles_1", "vehicles_2",
)  # fmt: skip

BuiltIn = DigitsSource | MnistSource | Cifar10Source | Cifar100Source
Shape = tuple[int | None, ...]
"""Of one sample: (C, L) of a window, (C, Y, X) of an image; None where only the data tell."""


@dataclass(frozen=True)
class KnownSet:
    """A set of images, as far as its section tells."""

    shape: Shape
    labels: dict[str, int]
    """Label → number of its classes."""
    names: dict[str, tuple[str, ...]] | None
    """Label → its classes in the order of the numbers; None where only the data tell."""
    train_images: int | None
    """At most so many, before `train_images` takes a part; None where only the data tell."""


def known_set(source: BuiltIn) -> KnownSet:
    """What the section of a source tells of its images."""
    match source:
        case DigitsSource():
            test = math.ceil(DIGITS_IMAGES * source.test)  # as scikit-learn rounds it
            return KnownSet((1, 8, 8), {CLASSES: 10}, {CLASSES: DIGITS}, DIGITS_IMAGES - test)
        case MnistSource():
            side, most = (28, MNIST_TRAIN) if _published(source) else (None, None)
            return KnownSet((1, side, side), {CLASSES: 10}, {CLASSES: DIGITS}, most)
        case Cifar10Source():
            names = {CLASSES: CIFAR10}
        case Cifar100Source():
            names = {COARSE: CIFAR100_COARSE, CLASSES: CIFAR100}
        case _:
            assert_never(source)
    counts = {label: len(found) for label, found in names.items()}
    return KnownSet((3, 32, 32), counts, *((names, CIFAR_TRAIN) if _published(source) else (None, None)))


def _published(source: MnistSource | Cifar10Source | Cifar100Source) -> bool:
    """Whether the files are where `mtl data get` puts the published ones."""
    return Path(source.path) == Path(type(source).model_fields["path"].default)
