"""Sources of images: what `prepare.sources` may say of them."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from mtl.config.common import Fraction, PositiveFraction, Section, Seed


class ImageSource(Section):
    """What every set of images has; its pixels stay uint8, and are normalised a batch at a time."""

    channels: ClassVar[int]
    folds: Annotated[int, Field(ge=2, le=50, strict=True)] = 5
    """Training images are dealt into this many parts, every class spread evenly; seed s holds out part s mod folds."""
    split_seed: Seed = 0
    mean: Annotated[tuple[Fraction, ...], Field(min_length=1)] | None = None
    """Of each channel, in shares of full brightness; null takes it from the training images."""
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


class DigitsSource(ImageSource):
    """1,797 handwritten digits of 8×8 pixels, part of scikit-learn (Alpaydin and Kaynak 1998); grey."""

    channels: ClassVar[int] = 1
    kind: Literal["digits"]
    test: Annotated[float, Field(ge=0.05, le=0.5, strict=True)] = 0.2
    """Share of the images that is the test part: stratified, drawn by `split_seed` (the set comes without a split)."""


class MnistSource(ImageSource):
    """Four gzipped idx files in a folder, named as those of MNIST; sets made in its image (Fashion-MNIST) have them
    as well."""

    channels: ClassVar[int] = 1
    kind: Literal["mnist"]
    path: str = "data/raw/mnist"
    """Folder with train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-… and t10k-labels-…"""


class Cifar10Source(ImageSource):
    """CIFAR-10, the binary version; as many training batches as the archive holds."""

    channels: ClassVar[int] = 3
    kind: Literal["cifar10"]
    # At this place the names of the published classes are expected; an archive with others should have another path.
    path: str = "data/raw/cifar-10-binary.tar.gz"


class Cifar100Source(ImageSource):
    """CIFAR-100, the binary version: `classes` are the 100 fine ones, `coarse` the 20 superclasses."""

    channels: ClassVar[int] = 3
    kind: Literal["cifar100"]
    # As above.
    path: str = "data/raw/cifar-100-binary.tar.gz"
