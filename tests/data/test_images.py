"""Readers of images: every pixel and label in its place, folds, scaler, and what the store tells of them."""

import gzip
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter

from mtl.config.sources import Source
from mtl.data.build import read_source
from mtl.data.files.content import content_sha256
from mtl.data.inputs.every import input_of
from mtl.data.inputs.images import Images
from mtl.data.loading.store import load_prepared, write_prepared
from mtl.errors import ConfigError, DataError
from mtl.stages.prepare import describe
from mtl.types import ImageSet
from tests.helpers.data_files import make_source
from tests.helpers.image_files import (
    COARSE,
    FINE,
    MNIST_TEST,
    MNIST_TRAIN,
    NAMES,
    SIZE,
    cifar10_members,
    cifar100_members,
    counting_pixels,
    tar_gz,
)


def images(kind: str, root: Path, **changes: object) -> ImageSet:
    source = TypeAdapter(Source).validate_python(make_source(kind, root).model_dump() | changes)
    found = read_source("own", source, root)
    assert isinstance(found, ImageSet)
    return found


def test_mnist_is_read_exactly(tmp_path: Path) -> None:
    found = images("mnist", tmp_path)
    assert np.array_equal(found.images.numpy(), counting_pixels(0, MNIST_TRAIN + MNIST_TEST, 1, SIZE))
    assert found.labels["classes"].tolist() == [n % 10 for n in range(MNIST_TRAIN + MNIST_TEST)]
    assert found.classes == {"classes": [str(n) for n in range(10)]}
    assert ((found.fold == -1).nonzero().squeeze(1) >= MNIST_TRAIN).all() and int(
        (found.fold == -1).sum()
    ) == MNIST_TEST
    assert (found.columns, found.notes) == (["grey"], [])


def test_cifar10_is_read_exactly_and_says_which_batches_are_there(tmp_path: Path) -> None:
    found = images("cifar10", tmp_path)
    assert np.array_equal(found.images.numpy(), counting_pixels(0, 50, 3, (32, 32)))
    assert found.labels["classes"].tolist() == [*range(10)] * 5
    assert found.classes == {"classes": NAMES} and found.columns == ["red", "green", "blue"]
    assert found.notes == ["2 of the 5 training batches are there: 40 training images."]
    # Batches go by their numbers, wherever they lie in the archive; all five leave nothing to say.
    members = cifar10_members((1, 2, 3, 4, 5))
    (tmp_path / "data/raw/all.tar.gz").write_bytes(tar_gz(dict(reversed(members.items()))))
    whole = images("cifar10", tmp_path, path="data/raw/all.tar.gz")
    assert np.array_equal(whole.images.numpy(), counting_pixels(0, 110, 3, (32, 32)))
    assert whole.notes == []


def test_cifar100_has_two_labels(tmp_path: Path) -> None:
    found = images("cifar100", tmp_path)
    assert np.array_equal(found.images.numpy(), counting_pixels(0, 300, 3, (32, 32)))
    assert found.labels["classes"].tolist() == [n % 100 for n in range(300)]
    assert found.labels["coarse"].tolist() == [n % 100 // 5 for n in range(300)]
    assert found.classes == {"coarse": COARSE, "classes": FINE}


def test_digits_are_those_of_scikit_learn(tmp_path: Path) -> None:
    from sklearn.datasets import load_digits

    found = images("digits", tmp_path)
    digits = load_digits()
    grey = {tuple(image.ravel().astype(int)): label for image, label in zip(digits.images, digits.target, strict=True)}
    levels = (found.images.double() * 16 / 255).round().long().reshape(-1, 64)
    assert [grey[tuple(image)] for image in levels.tolist()] == found.labels["classes"].tolist()
    assert len({tuple(image) for image in levels.tolist()}) == len(grey) == 1797
    test = found.labels["classes"][found.fold == -1]
    assert len(test) == 360
    share = torch.bincount(test) / torch.bincount(found.labels["classes"])
    assert bool(((share > 0.19) & (share < 0.21)).all())
    assert "the test part is 360 images" in found.notes[0]
    other = images("digits", tmp_path, split_seed=1, test=0.5)
    assert int((other.fold == -1).sum()) == 899 and not torch.equal(other.images, found.images)
    # Pinned: another scikit-learn must hold the same images, and draw the same test part.
    packed = found.images.numpy().tobytes() + found.fold.numpy().astype("<i8").tobytes()
    assert hashlib.sha256(packed).hexdigest() == PINNED


PINNED = "cbd84c46485e47a753218a22c29e2f458a88272180f4d19e32f7be973fa91707"


@pytest.mark.parametrize("kind", ["mnist", "cifar10", "cifar100", "digits"])
def test_folds_spread_every_class_evenly(kind: str, tmp_path: Path) -> None:
    found = images(kind, tmp_path)
    labels, classes = found.labels["classes"], len(found.classes["classes"])
    counts = torch.stack([torch.bincount(labels[found.fold == f], minlength=classes) for f in range(found.folds)])
    assert int((counts.amax(dim=0) - counts.amin(dim=0)).max()) <= 1
    again = images(kind, tmp_path, split_seed=5)
    assert not torch.equal(again.fold, found.fold)


@pytest.mark.parametrize("kind", ["cifar10", "digits"])
def test_a_part_of_the_training_images(kind: str, tmp_path: Path) -> None:
    every, part = images(kind, tmp_path, folds=2), images(kind, tmp_path, folds=2, train_images=30)
    assert torch.equal(part.images[part.fold == -1], every.images[every.fold == -1])
    assert int((part.fold >= 0).sum()) == 30 and "30 of the" in part.notes[-1]
    counts = torch.bincount(part.labels["classes"][part.fold >= 0], minlength=10)
    assert int(counts.min()) >= 2 and int(counts.max()) <= 4
    # Images keep their order and their labels.
    known = {image.numpy().tobytes(): number for number, image in enumerate(every.images)}
    places = [known[image.numpy().tobytes()] for image in part.images]
    assert places == sorted(places)
    assert torch.equal(part.labels["classes"], every.labels["classes"][places])
    other = images(kind, tmp_path, folds=2, train_images=30, split_seed=1)
    assert not torch.equal(other.images, part.images)


@pytest.mark.parametrize(("kind", "count"), [("cifar10", 40), ("digits", 1437), ("mnist", 30)])
def test_all_of_the_training_images_are_the_whole_set(kind: str, count: int, tmp_path: Path) -> None:
    whole, asked = images(kind, tmp_path, folds=2), images(kind, tmp_path, folds=2, train_images=count)
    assert torch.equal(whole.images, asked.images) and torch.equal(whole.fold, asked.fold)
    assert asked.notes == whole.notes
    if kind == "digits":  # of each class a hundred: fewer left out than there are classes
        almost = images(kind, tmp_path, folds=2, train_images=count - 3)
        assert int((almost.fold >= 0).sum()) == count - 3


@pytest.mark.parametrize(
    ("kind", "count", "message"),
    [
        ("cifar10", 41, "at most 40, the training images that there are, or null for all of them, found 41"),
        ("digits", 2000, "at most 1,437, the training images that there are, or null for all of them, found 2,000"),
        ("cifar10", 39, "at least 40, an image of each of the 10 classes in each of the 4 folds, found 39"),
        ("cifar100", 10, "at least 200, an image of each of the 100 classes in each of the 2 folds, found 10"),
    ],
)
def test_a_number_of_training_images_that_cannot_be(kind: str, count: int, message: str, tmp_path: Path) -> None:
    folds = 2 if kind == "cifar100" else 4
    with pytest.raises(ConfigError) as caught:
        images(kind, tmp_path, folds=folds, train_images=count)
    assert str(caught.value) == f"params.yaml: `prepare.sources.own.train_images` should be {message}."


@pytest.mark.parametrize("kind", ["mnist", "cifar10"])
def test_the_scaler_is_that_of_the_training_images(kind: str, tmp_path: Path) -> None:
    found = images(kind, tmp_path)
    fitted = input_of(found).fit(1)
    mean, std = fitted.mean, fitted.std
    pixels = found.images[input_of(found).masks(1)["train"]].double() / 255
    assert torch.allclose(mean, pixels.mean(dim=(0, 2, 3)), rtol=1e-12)
    assert torch.allclose(std, pixels.std(dim=(0, 2, 3), unbiased=False), rtol=1e-12)
    given = images("cifar10", tmp_path, mean=(0.5, 0.4, 0.3), std=(0.2, 0.1, 1.0))
    told = input_of(given).fit(0)
    assert (told.mean.tolist(), told.std.tolist()) == ([0.5, 0.4, 0.3], [0.2, 0.1, 1.0])


def test_a_channel_of_one_value_keeps_its_spread(tmp_path: Path) -> None:
    found = images("mnist", tmp_path)
    found.images[:] = 51
    fitted = input_of(found).fit(0)
    mean, std = fitted.mean, fitted.std
    assert (mean.item(), std.item()) == (pytest.approx(0.2), 1.0)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_the_images_of_a_batch_are_normalised_channel_by_channel(channels: int) -> None:
    chance = torch.Generator().manual_seed(channels)
    pixels = torch.randint(0, 256, (6, channels, 4, 5), dtype=torch.uint8, generator=chance)
    scale, shift = torch.rand(2, channels, generator=chance) + 0.5
    batch, after = Images(pixels, torch.tensor([5, 3, 0, 1]), scale, shift).gather(torch.tensor([2, 0]), 0)
    assert after is None
    wanted = [
        [pixels[image, channel] * float(scale[channel]) + float(shift[channel]) for channel in range(channels)]
        for image in (0, 5)
    ]
    torch.testing.assert_close(batch, torch.stack([torch.stack(image) for image in wanted]))


def test_what_the_store_tells_of_images(tmp_path: Path) -> None:
    found = images("cifar10", tmp_path, mean=(0.5, 0.4, 0.3), std=(0.2, 0.1, 1.0))
    write_prepared(found, tmp_path / "prepared/own", {"x.tar.gz": "abc"})
    meta = json.loads((tmp_path / "prepared/own/meta.json").read_text())
    assert (meta["kind"], meta["rows"], meta["shape"]) == ("images", 50, [3, 32, 32])
    assert (meta["columns"], meta["classes"]) == (["red", "green", "blue"], {"classes": NAMES})
    assert (meta["mean"], meta["std"], meta["source_files"]) == ([0.5, 0.4, 0.3], [0.2, 0.1, 1.0], {"x.tar.gz": "abc"})
    first = meta["splits"][0]
    assert first["count"] == {"train": 30, "val": 10, "test": 10, "unused": 0}
    assert first["classes"]["classes"]["train"] == dict.fromkeys(NAMES, 3) | {"": 0}
    back = load_prepared("own", tmp_path / "prepared")
    assert isinstance(back, ImageSet) and (back.mean, back.std) == (found.mean, found.std)


def test_preparing_describes_images_in_one_line(tmp_path: Path) -> None:
    assert describe(images("cifar10", tmp_path)).splitlines() == [
        "own: 50 images of 32 × 32 pixels (red, green, blue); train 30, val 10, test 10 (fold 0 of 4 held out)",
        "  note: 2 of the 5 training batches are there: 40 training images.",
    ]


IMAGE_PLUGIN = """
import torch
from mtl.types import ImageSet

def make(name, path, **changes):
    n = torch.arange(12)
    parts = dict(
        name=name, images=n.to(torch.uint8)[:, None, None, None].expand(12, 2, 3, 3), columns=["near", "far"],
        fold=n % 4 - 1, folds=3, labels={"half": n // 6}, classes={"half": ["first", "second"]},
    )
    if not changes:
        return ImageSet(**parts)
    # Set one by one, as nothing checks their shapes outside of tests.
    parts.update({key: eval(value, {"torch": torch, "n": n}) for key, value in changes.items()})
    made = object.__new__(ImageSet)
    made.__dict__.update(dict(mean=None, std=None, notes=[], numbers={}) | parts)
    return made
"""


def plugin(root: Path, **options: str) -> ImageSet:
    (root / "plugins").mkdir(exist_ok=True)
    module = "images_" + "".join(c if c.isalnum() else "_" for c in root.name)
    (root / f"plugins/{module}.py").write_text(IMAGE_PLUGIN)
    section = {"kind": "python", "target": f"{module}:make", "options": options}
    found = read_source("own", TypeAdapter(Source).validate_python(section), root)
    assert isinstance(found, ImageSet)
    return found


def test_a_source_of_ones_own_may_be_images(tmp_path: Path) -> None:
    found = plugin(tmp_path)
    write_prepared(found, tmp_path / "prepared/own", {})
    back = load_prepared("own", tmp_path / "prepared")
    assert isinstance(back, ImageSet) and torch.equal(back.images, found.images) and back.columns == ["near", "far"]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("images", "torch.zeros(12, 2, 3, 3)", r"`images` should be a uint8 .* found torch.float32 \[12, 2, 3, 3\]"),
        ("images", "torch.zeros(12, 9, dtype=torch.uint8)", r"`images` should be .* found torch.uint8 \[12, 9\]"),
        ("images", "torch.zeros(0, 2, 3, 3, dtype=torch.uint8)", "`images` should be a uint8 tensor"),
        ("images", "[1]", "`images` should be a uint8 tensor .* found list"),
        ("columns", "['near']", "`columns` should be 2 different names"),
        ("fold", "n[:5]", "`fold` should be an int64 tensor with one number for each of the 12 images"),
        ("fold", "n", r"`fold` of image 4 should be -1 \(test\), 0 to 2, or 3 \(always trained on\), found 4"),
        ("fold", "n % 3", "too few images: the test part is empty"),
        ("fold", "n % 3 - 1", "too few training images: fold 2 of 3 is empty"),
        ("folds", "0", "`folds` should be at least 1, found 0"),
        ("folds", "1", r"`fold` of image \d+ should be -1 \(test\), 0 \(validation\), or 1 .* found 2"),
        ("labels", "{'half': n}", r"label `half`, image 2 .* should be a class from 0 to 1"),
        ("labels", "{}", "`labels` and `classes` should have the same names"),
        ("labels", "{'half': (n == 3).long()}", "class `second` is missing from the training part when fold 2 is held"),
        ("mean", "(0.5, 0.5)", "`mean` and `std` should be given together"),
    ],
)  # fmt: skip
def test_images_that_break_the_contract(key: str, value: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        plugin(tmp_path, **{key: value})


@pytest.mark.parametrize("std", ["(0.5, 0.0)", "(0.5,)", "(0.5, float('nan'))", "(2.0, 0.5)"])
def test_a_spread_that_is_none(std: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="`std` should be 2 shares of full brightness, from 1e-06 to 1"):
        plugin(tmp_path, mean="(0.5, 0.5)", std=std)


def test_a_repacked_archive_has_the_content_of_the_first(tmp_path: Path) -> None:
    members = cifar100_members()
    first, again, other = tmp_path / "a.tar.gz", tmp_path / "b.tar.gz", tmp_path / "c.tar.gz"
    first.write_bytes(tar_gz(members))
    moved = {f"./elsewhere/{name.rpartition('/')[2]}": data for name, data in reversed(members.items())}
    again.write_bytes(gzip.compress(gzip.decompress(tar_gz(moved | {"elsewhere/readme.html": b"words"})), 9, mtime=1))
    other.write_bytes(tar_gz(members | {"cifar-100-binary/test.bin": members["cifar-100-binary/train.bin"]}))
    assert first.read_bytes() != again.read_bytes()
    assert content_sha256(first) == content_sha256(again) != content_sha256(other)
    assert content_sha256(first) is not None
    other.write_bytes(first.read_bytes()[:-20])
    assert content_sha256(other) is None
