"""Random changes of training images: what each does is known, and the draws are those of the samples alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from mtl.config.augment import Augment
from mtl.training.augment import WHOLE, Augmentation, changed
from mtl.types import Batch, Table


def drawer(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def images(count: int = 64, size: tuple[int, int] = (6, 8)) -> Tensor:
    return torch.randn(count, 3, *size, generator=torch.Generator().manual_seed(0))


def test_a_flip_mirrors_half_of_the_images_and_no_row() -> None:
    x = images(400)
    y = changed(x, Augment(flip=True), drawer())
    same, mirrored = (torch.tensor([torch.equal(a, b) for a, b in zip(y, z, strict=True)]) for z in (x, x.flip(3)))
    assert bool((same ^ mirrored).all()) and 160 < int(same.sum()) < 240


def test_a_shift_moves_by_whole_pixels_and_brings_in_the_mean_colour() -> None:
    x = images(300) + 10  # so that 0 stands for what came in
    y = changed(x, Augment(shift=2), drawer())
    seen = set()
    for before, after in zip(x, y, strict=True):
        ways = []
        for down in range(-2, 3):
            for right in range(-2, 3):
                moved = torch.zeros_like(before)
                to = [slice(max(0, way), length + min(0, way)) for way, length in ((down, 6), (right, 8))]
                of = [slice(max(0, -way), length + min(0, -way)) for way, length in ((down, 6), (right, 8))]
                moved[:, to[0], to[1]] = before[:, of[0], of[1]]
                if torch.equal(moved, after):
                    ways.append((down, right))
        assert len(ways) == 1
        seen.update(ways)
    assert len(seen) == 25


def test_cutout_clears_one_square_that_may_lie_partly_outside() -> None:
    y = changed(torch.ones(200, 3, 12, 12), Augment(cutout=4), drawer())
    cleared = (y == 0).all(dim=1)
    sizes = cleared.flatten(1).sum(dim=1)
    assert int(sizes.max()) == 16 and 0 < int(sizes.min()) < 16
    assert bool(((y == 0) | (y == 1)).all())
    for hole in cleared:
        rows, columns = hole.any(dim=1).nonzero().squeeze(1), hole.any(dim=0).nonzero().squeeze(1)
        assert int(hole.sum()) == len(rows) * len(columns) and max(len(rows), len(columns)) <= 4


def test_colour_changes_brightness_contrast_and_saturation_within_their_limits() -> None:
    flat = torch.full((500, 3, 4, 4), 0.5)  # no contrast and no colour: brightness alone changes it
    change = (changed(flat, Augment(colour=0.2), drawer()) - flat).flatten(1)
    assert float(change.abs().max()) <= 0.2 + 1e-6 and float(change[:, 0].std()) > 0.1
    assert torch.allclose(change, change[:, :1].expand_as(change), atol=1e-6)
    x = images(500)
    spread = changed(x, Augment(colour=0.2), drawer()).std(dim=(1, 2, 3)) / x.std(dim=(1, 2, 3))
    assert 0.6 < float(spread.min()) < 0.95 and 1.05 < float(spread.max()) < 1.45


def test_asking_for_one_more_change_leaves_the_others_as_they_were() -> None:
    x = images()
    flipped = changed(x, Augment(flip=True), drawer())
    both = changed(x, Augment(flip=True, cutout=2), drawer())
    kept = both != 0
    assert torch.equal(both[kept], flipped[kept])


def batch(index: Tensor, pool: str = "photos/a") -> Batch:
    x = images(100).index_select(0, index)
    labels = Table(("kind", "kids"), torch.stack([index % 10, index % 2], dim=1))
    valid = torch.stack([index % 3 > 0, index % 2 == 0], dim=1)
    return Batch(pool, index, x, {}, (labels,), valid, index.float())


INDEX = torch.tensor([5, 17, 3, 88, 41, 60, 7, 12])
ALL = Augment(flip=True, shift=1, colour=0.1, cutout=2, mixup=0.4)


def test_draws_depend_on_seed_epoch_and_samples_and_on_no_task() -> None:
    augment = Augmentation(ALL, 0, {"photos/a": WHOLE})
    whole, mixed = augment(batch(INDEX), 1, INDEX)
    alone = replace(batch(INDEX), tables=(), valid=None)
    assert torch.equal(augment(alone, 1, INDEX)[0].x, whole.x) and mixed is not None
    others = [
        augment(batch(INDEX), 2, INDEX),
        augment(batch(INDEX[:4]), 1, INDEX[:4]),
        Augmentation(ALL, 1, {"photos/a": WHOLE})(batch(INDEX), 1, INDEX),
    ]
    assert all(not torch.equal(other.x[:4], whole.x[:4]) for other, _ in others)


def test_a_pool_without_images_is_left_alone() -> None:
    rows = batch(INDEX, "table/a")
    assert Augmentation(ALL, 0, {"photos/a": WHOLE})(rows, 1, INDEX) == (rows, None)


def test_mixed_images_keep_the_targets_and_masks_of_both() -> None:
    augment = Augmentation(Augment(mixup=1.0), 0, {"photos/a": WHOLE})
    before = batch(INDEX)
    after, mixed = augment(before, 1, INDEX)
    assert mixed is not None and 0 < mixed.share < 1
    weights = mixed.others.weights
    assert weights is not None
    order = torch.tensor([INDEX.tolist().index(int(weight)) for weight in weights])
    assert sorted(order.tolist()) == list(range(len(INDEX)))
    assert torch.allclose(after.x, mixed.share * before.x + (1 - mixed.share) * before.x[order], atol=1e-6)
    assert torch.equal(mixed.others.tables[0].values, before.tables[0].values[order])
    assert after.valid is not None and before.valid is not None and mixed.others.valid is not None
    assert torch.equal(mixed.others.valid, before.valid[order]) and torch.equal(after.valid, before.valid)


def test_a_section_that_changes_nothing_is_refused() -> None:
    with pytest.raises(ValidationError, match="should change something, or be null"):
        Augment()
