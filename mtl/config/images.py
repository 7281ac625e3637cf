"""Sources of images: what `prepare.sources` may say of them, and what is known of the built-in sets.

A `path` other than the default leads to files of one's own, of which only the format is known.
"""

import math
from abc import abstractmethod
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from mtl.config.common import Folds, Fraction, PositiveFraction, Problem, Seed, parts_dealt
from mtl.config.image_sets import (
    CIFAR10,
    CIFAR100,
    CIFAR100_COARSE,
    CIFAR_TRAIN,
    CLASSES,
    COARSE,
    DIGITS,
    DIGITS_IMAGES,
    LEFT,
    MNIST_FILES,
    MNIST_TRAIN,
    RIGHT,
)
from mtl.config.inputs import IMAGES, InputKind, Known, SourceBase


class ImageSource(SourceBase):
    """Base of the sections of image sets, whose pixels stay uint8 and are normalised a batch at a time."""

    holds: ClassVar[InputKind | None] = IMAGES
    channels: ClassVar[int]
    folds: Folds = 5
    """Training images are dealt into this many parts, every class spread evenly; seed s holds out part s mod folds. 1:
    a fifth of them, drawn by split_seed, is held out for every seed."""
    split_seed: Seed = 0
    mean: Annotated[tuple[Fraction, ...], Field(min_length=1)] | None = None
    """Mean of each channel, in shares of full brightness; null takes it from the training images."""
    train_images: Annotated[int, Field(ge=10, strict=True)] | None = None
    """Only so many of the training images, every class in its share, drawn by `split_seed`; null takes all, as does
    their number. The test part stays whole."""
    std: Annotated[tuple[PositiveFraction, ...], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _of_each_channel(self) -> "ImageSource":
        if (self.mean is None) != (self.std is None):
            raise ValueError("mean and std should be given together, or neither of them")
        for key, given in (("mean", self.mean), ("std", self.std)):
            if given is not None and len(given) != self.channels:
                numbers = "1 number" if self.channels == 1 else f"{self.channels} numbers, one a channel"
                raise ValueError(f"{key} should have {numbers}, found {len(given)}")
        return self

    @property
    @abstractmethod
    def known(self) -> Known:
        """Classes, sizes and format of the published files; only the format of other files."""

    def problem(self, name: str) -> Problem | None:
        known = self.known
        assert known.labels is not None, "built-in sets have classes"
        return self.part_problem(name, known.labels[CLASSES], known.train_size)

    def part_problem(self, name: str, classes: int, images: int | None) -> Problem | None:
        """Problem of the part of its training images that a source takes, or None.

        Args:
            name: name of the source.
            classes: number of classes of the label `classes`.
            images: number of training images; None where only the data tell.
        """
        path, wanted = f"prepare.sources.{name}.train_images", self.train_images
        if wanted is None:
            return None
        if images is not None and wanted > images:
            message = f"should be at most {images:,}, the training images that there are, or null for all of them"
            return path, f"{message}, found {wanted:,}."
        parts = parts_dealt(self.folds)
        if wanted < classes * parts:
            message = f"should be at least {classes * parts:,}, an image of each of the {classes} classes in each of "
            return path, f"{message}the {parts} {'folds' if self.folds > 1 else 'parts'}, found {wanted:,}."
        return None


class DigitsSource(ImageSource):
    """1,797 handwritten digits of 8×8 pixels, part of scikit-learn (Alpaydin and Kaynak 1998); grey."""

    channels: ClassVar[int] = 1
    kind: Literal["digits"]
    test: Annotated[float, Field(ge=0.05, le=0.5, strict=True)] = 0.2
    """Share of the images that is the test part: stratified, drawn by `split_seed` (the set comes without a split)."""

    @property
    def known(self) -> Known:
        test = math.ceil(DIGITS_IMAGES * self.test)  # as scikit-learn rounds it
        return Known((1, 8, 8), {CLASSES: 10}, {CLASSES: DIGITS}, DIGITS_IMAGES - test)


class MnistSource(ImageSource):
    """Four gzipped idx files in a folder, named as those of MNIST; sets made in its image (Fashion-MNIST) have them
    as well."""

    channels: ClassVar[int] = 1
    kind: Literal["mnist"]
    path: str = "data/raw/mnist"
    """Folder with train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-… and t10k-labels-…"""

    @property
    def known(self) -> Known:
        side, most = (28, MNIST_TRAIN) if _published(self) else (None, None)
        return Known((1, side, side), {CLASSES: 10}, {CLASSES: DIGITS}, most)

    @property
    def files(self) -> list[str]:
        return [f"{self.path}/{name}" for name in MNIST_FILES]

    @property
    def to_add(self) -> list[str]:
        return [self.path]


class MultiMnistSource(SourceBase):
    """Pairs of digits on one image, the left one and the right one (Sabour et al. 2017, arXiv 1710.09829, as used by
    Sener and Koltun 2018, arXiv 1810.04650): made of a set in the format of MNIST, train pairs of its training images
    and test pairs of its test images.

    On a canvas that is 8 pixels larger each way, one digit stands 1 to 4 pixels to the upper left of the middle and one
    1 to 4 pixels to the lower right; the brighter pixel counts, and the canvas is resized to the size of a digit.
    """

    holds: ClassVar[InputKind | None] = IMAGES

    kind: Literal["multi_mnist"]
    path: str = "data/raw/mnist"
    """Folder of the digits, as of `kind: mnist`."""
    train_pairs: Annotated[int, Field(ge=10, le=1_000_000, strict=True)] = 60_000
    test_pairs: Annotated[int, Field(ge=10, le=1_000_000, strict=True)] = 10_000
    folds: Folds = 5
    """Training digits are dealt into this many parts before they are paired, so that no digit of a validation pair is
    trained on; seed s holds out part s mod folds. 1: the pairs of a fifth, drawn by split_seed, for every seed."""
    split_seed: Seed = 0
    """Seed of the parts, the pairs and their places."""

    @property
    def known(self) -> Known:
        side = 28 if Path(self.path) == Path(type(self).model_fields["path"].default) else None
        labels = (LEFT, RIGHT)
        return Known((1, side, side), dict.fromkeys(labels, 10), dict.fromkeys(labels, DIGITS), self.train_pairs)

    @property
    def files(self) -> list[str]:
        return [f"{self.path}/{name}" for name in MNIST_FILES]

    @property
    def to_add(self) -> list[str]:
        return [self.path]


class Cifar10Source(ImageSource):
    """CIFAR-10, the binary version; as many training batches as the archive holds."""

    channels: ClassVar[int] = 3
    kind: Literal["cifar10"]
    # At this place the names of the published classes are expected; an archive with others should have another path.
    path: str = "data/raw/cifar-10-binary.tar.gz"

    @property
    def known(self) -> Known:
        return _cifar({CLASSES: CIFAR10}, _published(self))

    @property
    def files(self) -> list[str]:
        return [self.path]


class Cifar100Source(ImageSource):
    """CIFAR-100, the binary version: `classes` are the 100 fine ones, `coarse` the 20 superclasses."""

    channels: ClassVar[int] = 3
    kind: Literal["cifar100"]
    # As above.
    path: str = "data/raw/cifar-100-binary.tar.gz"

    @property
    def known(self) -> Known:
        return _cifar({COARSE: CIFAR100_COARSE, CLASSES: CIFAR100}, _published(self))

    @property
    def files(self) -> list[str]:
        return [self.path]


def _published(source: MnistSource | Cifar10Source | Cifar100Source) -> bool:
    """The files are where `mtl data get` puts the published ones."""
    return Path(source.path) == Path(type(source).model_fields["path"].default)


def _cifar(names: dict[str, tuple[str, ...]], published: bool) -> Known:
    counts = {label: len(classes) for label, classes in names.items()}
    return Known((3, 32, 32), counts, *((names, CIFAR_TRAIN) if published else (None, None)))


BuiltIn = DigitsSource | MnistSource | Cifar10Source | Cifar100Source
