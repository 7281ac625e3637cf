"""Images of a source, as samples of a pool: kept as uint8, normalised batch by batch where they are used."""

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from mtl.types import ImageSet

FULL = 255.0
"""Full brightness of a pixel."""


@dataclass(frozen=True)
class Images:
    """Some of the images of a source."""

    pixels: UInt8[Tensor, "S C Y X"]
    """All images of the source; pools share the one tensor."""
    rows: Int[Tensor, " n"]
    """Which of them are the samples."""
    scale: Float[Tensor, " C"]
    shift: Float[Tensor, " C"]
    """Pixel → pixel · scale + shift, so that each channel has mean 0 and standard deviation 1."""

    @cached_property
    def one(self) -> tuple[float, float] | None:
        """Scale and shift of the only channel; None when there are several."""
        return (float(self.scale), float(self.shift)) if len(self.scale) == 1 else None

    def __len__(self) -> int:
        return self.rows.shape[0]

    def gather(self, index: Int[Tensor, " B"], horizon: int) -> tuple[Float[Tensor, "B C Y X"], None]:
        """Normalised images; nothing follows an image, so `horizon` is 0."""
        assert horizon == 0
        x = self.pixels.index_select(0, self.rows.index_select(0, index)).float()
        if self.one is not None:  # plain numbers: a fifth of the time that broadcasting takes
            return x.mul_(self.one[0]).add_(self.one[1]), None
        return x.mul_(self.scale[:, None, None]).add_(self.shift[:, None, None]), None

    def pick(self, index: Int[Tensor, " m"]) -> "Images":
        """Some of the samples."""
        return replace(self, rows=self.rows[index])

    def to(self, device: torch.device) -> "Images":
        return Images(*(part.to(device) for part in (self.pixels, self.rows, self.scale, self.shift)))


def image_samples(source: ImageSet, rows: Int[Tensor, " n"], mean: Tensor, std: Tensor) -> Images:
    """Samples from `rows` of a source, normalised by `mean` and `std` [C] (shares of full brightness)."""
    return Images(source.images, rows, (1 / (FULL * std)).float(), (-mean / std).float())
