"""Pairs of digits: where each stands, whose classes they have, and that no digit is in two parts."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mtl.config.images import MultiMnistSource
from mtl.data.build import read_source
from mtl.data.sources import multi_mnist
from mtl.data.sources.multi_mnist import _dealt, _placed, _resized
from mtl.types import ImageSet
from tests.helpers.image_files import idx, write_mnist

SIDE = 28
TRAIN, TEST = 100, 40


def digits(count: int, first: int) -> tuple[np.ndarray, np.ndarray]:
    """Whole squares whose brightness names the digit image; its class is the number mod 10."""
    numbers = np.arange(first, first + count)
    return np.broadcast_to((numbers + 50).astype(np.uint8)[:, None, None], (count, SIDE, SIDE)), numbers % 10


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of digits; their pairs stay canvases of 36 × 36, in which every pixel is that of one digit."""
    monkeypatch.setattr(multi_mnist, "_resized", lambda canvases, size: canvases)
    files: dict[str, bytes] = {}
    for stem, count, first in (("train", TRAIN, 0), ("t10k", TEST, TRAIN)):
        pixels, classes = digits(count, first)
        files |= {f"{stem}-images-idx3-ubyte.gz": idx(pixels), f"{stem}-labels-idx1-ubyte.gz": idx(classes)}
    write_mnist(tmp_path / "data/raw/mnist", files)
    return tmp_path


def pairs(root: Path, **changes: object) -> ImageSet:
    values: dict[str, object] = {"kind": "multi_mnist", "train_pairs": 300, "test_pairs": 90, "folds": 5}
    images = read_source("own", MultiMnistSource.model_validate(values | changes), root)
    assert isinstance(images, ImageSet)
    return images


def corners(images: ImageSet) -> tuple[np.ndarray, np.ndarray]:
    """Number of the digit image at the upper left and at the lower right of the middle of each pair."""
    # A square of 28 on a canvas of 36, moved by 1 to 4 from the middle, is alone in these pixels.
    left, right = (images.images[:, 0, place, place].numpy().astype(int) - 50 for place in (4, SIDE + 3))
    return left, right


def test_the_left_digit_is_at_the_upper_left_and_the_right_one_at_the_lower_right(raw: Path) -> None:
    images = pairs(raw)
    left, right = corners(images)
    assert np.array_equal(left % 10, images.labels["left"].numpy())
    assert np.array_equal(right % 10, images.labels["right"].numpy())
    assert images.images.shape == (390, 1, SIDE + 8, SIDE + 8) and (left != right).all()


def test_the_brighter_pixel_counts(raw: Path) -> None:
    images = pairs(raw)
    left, right = corners(images)
    middle = images.images[:, 0, 18, 18].numpy().astype(int) - 50
    assert np.array_equal(middle, np.maximum(left, right))


def test_no_digit_is_in_two_folds_or_in_train_and_test(raw: Path) -> None:
    images = pairs(raw)
    left, right = corners(images)
    fold = images.fold.numpy()
    of_digit: dict[int, set[int]] = {}
    for digit, part in zip(np.concatenate([left, right]).tolist(), np.concatenate([fold, fold]).tolist(), strict=True):
        of_digit.setdefault(digit, set()).add(part)
    assert all(len(parts) == 1 for parts in of_digit.values())
    assert {digit for digit, parts in of_digit.items() if parts == {-1}} <= set(range(TRAIN, TRAIN + TEST))
    assert np.bincount(fold + 1).tolist() == [90, 60, 60, 60, 60, 60]


def test_every_digit_is_in_about_as_many_pairs(raw: Path) -> None:
    left, right = corners(pairs(raw))
    for side in (left[:300], right[:300]):
        assert np.bincount(side, minlength=TRAIN).min() >= 1


def test_a_seed_draws_the_same_pairs_and_another_one_others(raw: Path) -> None:
    first, again, other = pairs(raw), pairs(raw), pairs(raw, split_seed=1)
    assert torch.equal(first.images, again.images) and not torch.equal(first.images, other.images)


def test_one_fold_validates_on_a_fifth(raw: Path) -> None:
    images = pairs(raw, folds=1)
    assert np.bincount(images.fold.numpy() + 1).tolist() == [90, 60, 240]


def test_digits_are_placed_where_they_should_be() -> None:
    canvas = _placed(np.full((2, 2, 3), 9, dtype=np.uint8), np.array([0, 5]), np.array([8, 1]))
    assert canvas.shape == (2, 10, 11) and canvas[0, :2, 8:].min() == 9 and canvas[1, 5:7, 1:4].min() == 9
    assert canvas.sum() == 9 * 12


def test_numbers_are_dealt_evenly() -> None:
    dealt = _dealt(np.arange(7), 25, np.random.default_rng(0))
    assert sorted(np.bincount(dealt).tolist()) == [3, 3, 3, 4, 4, 4, 4]


def test_a_canvas_is_resized_to_the_size_of_a_digit() -> None:
    canvas = np.zeros((2, 36, 36), dtype=np.uint8)
    canvas[1] = 200
    small = _resized(canvas, (28, 28))
    assert small.shape == (2, 28, 28) and small[0].max() == 0 and small[1].min() == small[1].max() == 200
