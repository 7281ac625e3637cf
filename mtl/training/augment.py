"""Images of a training batch, changed at random (`train.augment`).

Every number is drawn from a generator of the seed, the pool, the epoch and the samples of the batch: a single-task run
and a joint one that take the same samples see the same pixels, and a run that goes on from a saved state goes on with
the draws that it would have made. Images are normalised, so that 0 is the mean colour.

B samples, C channels, Y × X pixels.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mtl.config.augment import Augment
from mtl.config.inputs import PartLayout
from mtl.seeding import stable_seed
from mtl.types import Batch, Table


@dataclass(frozen=True)
class Mixed:
    """Partners of the samples of a mixed batch.

    Args:
        others: the batch with the targets of the partners.
        share: weight of the samples' own losses; the partners' have the rest.
    """

    others: Batch
    share: float


@dataclass(frozen=True)
class Pixels:
    """Place of the images in a batch.

    Args:
        shape: C, Y, X where they are numbers among others; None: the batch is images.
        begin: place of their first number.
        end: place behind their last.
    """

    shape: tuple[int, ...] | None = None
    begin: int = 0
    end: int = 0

    @classmethod
    def of(cls, part: PartLayout, begin: int) -> "Pixels":
        """The pixels of a part of mixed samples, which stands at `begin`."""
        shape = tuple(number for number in part.shape if number is not None)
        return cls(shape, begin, begin + part.numbers)

    def changed(
        self, x: Float[Tensor, "B *S"], change: Callable[[Float[Tensor, "B C Y X"]], Float[Tensor, "B C Y X"]]
    ) -> Float[Tensor, "B *S"]:
        """The batch with its images changed."""
        if self.shape is None:
            return change(x)
        images = change(x[:, self.begin : self.end].reshape(-1, *self.shape)).flatten(1)
        return torch.cat([x[:, : self.begin], images, x[:, self.end :]], dim=1)


WHOLE = Pixels()
"""Batches that are images."""


@dataclass(frozen=True)
class Augmentation:
    """Changes of the training images of a run.

    Args:
        config: section `train.augment`.
        seed: of the run.
        pools: names of those that hold images, and where these lie in a batch.
    """

    config: Augment
    seed: int
    pools: Mapping[str, Pixels]

    def __call__(self, batch: Batch, epoch: int, index: Int[Tensor, " B"]) -> tuple[Batch, Mixed | None]:
        """The batch with other pixels, and the partners where images are mixed.

        Args:
            batch: of a training pool.
            epoch: of the step, from 1.
            index: numbers of its samples, on the CPU.
        """
        if batch.pool not in self.pools:
            return batch, None
        samples = hashlib.sha256(index.numpy().tobytes()).hexdigest()
        drawer = np.random.default_rng(stable_seed(self.seed, "augment", batch.pool, epoch, samples))
        x = self.pools[batch.pool].changed(batch.x, lambda images: changed(images, self.config, drawer))
        if not self.config.mixup:
            return replace(batch, x=x), None
        share = float(drawer.beta(self.config.mixup, self.config.mixup))
        order = torch.from_numpy(drawer.permutation(len(x))).to(x.device)
        mixed = replace(batch, x=torch.lerp(x.index_select(0, order), x, share))
        return mixed, Mixed(_of(mixed, order), share)


def changed(x: Float[Tensor, "B C Y X"], config: Augment, drawer: np.random.Generator) -> Float[Tensor, "B C Y X"]:
    """The images, each changed by draws of its own; a draw is made whether or not its change is asked for, so that
    asking for another one leaves it as it was."""
    count = len(x)
    flip = drawer.random(count) < 0.5
    down, right = (drawer.integers(-config.shift, config.shift + 1, count) for _ in range(2))
    tones = drawer.uniform(-1, 1, (3, count))
    place = drawer.random((2, count))
    if config.flip or config.shift:
        x = _moved(x, flip & config.flip, down, right)
    if config.colour:
        x = _coloured(x, torch.from_numpy(config.colour * tones).to(x))
    return _cut_out(x, config.cutout, place) if config.cutout else x


def _moved(
    x: Float[Tensor, "B C Y X"], flip: Bool[np.ndarray, " B"], down: Int[np.ndarray, " B"], right: Int[np.ndarray, " B"]
) -> Float[Tensor, "B C Y X"]:
    """Images that are mirrored and moved in one gather; what comes in is 0."""
    count, _, height, width = x.shape
    rows = np.arange(height) - down[:, None]
    columns = np.arange(width) - right[:, None]
    columns = np.where(flip[:, None], width - 1 - columns, columns)  # mirrored, then moved
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
    at = torch.from_numpy(np.clip(rows, 0, height - 1)).to(x.device)[:, :, None]
    across = torch.from_numpy(np.clip(columns, 0, width - 1)).to(x.device)[:, None, :]
    image = torch.arange(count, device=x.device)[:, None, None]
    moved = x.permute(0, 2, 3, 1)[image, at, across]  # channels last, as encoders want them
    return (moved * torch.from_numpy(inside).to(x)[..., None]).permute(0, 3, 1, 2)


def _coloured(x: Float[Tensor, "B C Y X"], tones: Float[Tensor, "3 B"]) -> Float[Tensor, "B C Y X"]:
    """Images with another brightness, contrast (about the mean of each channel) and saturation (about its grey)."""
    brightness, contrast, saturation = (tone[:, None, None, None] for tone in tones)
    shaded: Tensor = x + contrast * (x - x.mean(dim=(2, 3), keepdim=True)) + brightness
    coloured: Tensor = shaded + saturation * (shaded - shaded.mean(dim=1, keepdim=True))
    return coloured


def _cut_out(x: Float[Tensor, "B C Y X"], side: int, place: Float[np.ndarray, "2 B"]) -> Float[Tensor, "B C Y X"]:
    """Images with a square of 0 whose middle may be anywhere, so that it may lie partly outside."""
    height, width = x.shape[2:]
    top, left = (
        np.floor(part * length).astype(np.int64) - side // 2
        for part, length in zip(place, (height, width), strict=True)
    )
    rows, columns = np.arange(height) - top[:, None], np.arange(width) - left[:, None]
    hole = ((rows >= 0) & (rows < side))[:, :, None] & ((columns >= 0) & (columns < side))[:, None, :]
    return x * torch.from_numpy(~hole).to(x)[:, None]


def _of(batch: Batch, order: Int[Tensor, " B"]) -> Batch:
    """The same images with the targets of others."""
    return replace(
        batch,
        ahead={name: values.index_select(0, order) for name, values in batch.ahead.items()},
        tables=tuple(Table(table.tasks, table.values.index_select(0, order)) for table in batch.tables),
        valid=None if batch.valid is None else batch.valid.index_select(0, order),
        weights=None if batch.weights is None else batch.weights.index_select(0, order),
    )
