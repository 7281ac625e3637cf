"""Images of a source, as samples of a pool: kept as uint8, normalised batch by batch where they are used."""

from dataclasses import dataclass, replace

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

    def __len__(self) -> int:
        return self.rows.shape[0]

    def gather(self, index: Int[Tensor, " B"], horizon: int) -> tuple[Float[Tensor, "B C Y X"], None]:
        """Normalised images; nothing follows an image, so `horizon` is 0."""
        assert horizon == 0
        x = self.pixels.index_select(0, self.rows.index_select(0, index)).float()
        return torch.addcmul(self.shift[:, None, None], x, self.scale[:, None, None]), None

    def pick(self, index: Int[Tensor, " m"]) -> "Images":
        """Some of the samples."""
        return replace(self, rows=self.rows[index])

    def to(self, device: torch.device) -> "Images":
        return Images(*(part.to(device) for part in (self.pixels, self.rows, self.scale, self.shift)))


def channel_statistics(source: ImageSet, fold: int) -> tuple[Float[Tensor, " C"], Float[Tensor, " C"]]:
    """(mean, standard deviation) of each channel in shares of full brightness, float64.

    The config's where it names them; else those of the training images, all but the test part and `fold`.
    """
    chosen = source.images[(source.fold != -1) & (source.fold != fold)]
    if source.mean is not None and source.std is not None:
        return torch.tensor(source.mean, dtype=torch.float64), torch.tensor(source.std, dtype=torch.float64)
    levels = torch.arange(256, dtype=torch.float64) / FULL
    counts = torch.stack([torch.bincount(channel.flatten(), minlength=256) for channel in chosen.unbind(1)])
    shares = counts / counts.sum(1, keepdim=True)
    mean = shares @ levels
    # A channel of one grey level has no spread; it is left where it is.
    spread = ((levels - mean[:, None]).square() * shares).sum(1).sqrt()
    own = torch.where(spread > 0, spread, torch.ones_like(spread))
    return (
        mean if source.mean is None else torch.tensor(source.mean, dtype=torch.float64),
        own if source.std is None else torch.tensor(source.std, dtype=torch.float64),
    )


def image_samples(source: ImageSet, rows: Int[Tensor, " n"], mean: Tensor, std: Tensor) -> Images:
    """Samples from `rows` of a source, normalised by `mean` and `std` [C] (shares of full brightness)."""
    return Images(source.images, rows, (1 / (FULL * std)).float(), (-mean / std).float())
