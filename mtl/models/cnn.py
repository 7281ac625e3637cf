"""A small convolutional network: (3×3 convolution → batch norm → ReLU) × depth and a 2×2 max pool, once for each width.

B samples, C channels, Y × X pixels, D width of the last stage, whose pixels become features by `pool`.
"""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mtl.config.encoder import CnnEncoder
from mtl.models.base import StagedEncoder, Window
from mtl.models.dropout import drop
from mtl.models.features import Features


def pooled(maps: Float[Tensor, "B D Y X"], pool: str) -> Features:
    """One token a sample: the mean over the pixels of the last stage, or all of them."""
    return Features((maps.mean(dim=(2, 3)) if pool == "mean" else maps.flatten(1))[:, None, None])


class ConvStage(nn.Module):
    """`depth` convolutions of one width, then the pool that halves both sides."""

    def __init__(self, inputs: int, width: int, depth: int) -> None:
        super().__init__()
        sizes = [inputs] + [width] * depth
        # The norm brings a bias of its own.
        self.convolutions = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1, bias=False) for a, b in pairwise(sizes))
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for _ in range(depth))

    def forward(self, x: Float[Tensor, "B _ Y X"], rate: float) -> Float[Tensor, "B _ y x"]:
        # Channels last: the layout in which a CPU convolves fastest, and the same for every form of sharing.
        x = x.contiguous(memory_format=torch.channels_last)
        last = len(self.norms) - 1
        for number, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            x = norm(convolution(x))
            if number < last:
                x = F.relu(x)
        # The largest of four, then ReLU: the same numbers and gradients as the other way round, on a quarter of the
        # pixels.
        return drop(F.relu(F.max_pool2d(x, 2)), rate)


class Cnn(StagedEncoder):
    """Each width is a stage.

    Args:
        config: widths, depth and dropout.
        shape: (C, Y, X) of an image.
    """

    channel_dim = 1

    def __init__(self, config: CnnEncoder, shape: tuple[int, int, int]) -> None:
        super().__init__()
        channels, *size = shape
        self.pool = config.pool
        halved = [side >> len(config.widths) for side in size]
        self.width = config.widths[-1] * (1 if config.pool == "mean" else math.prod(halved))
        self.widths = tuple(config.widths)
        self.dropout = config.dropout
        widths = [channels, *config.widths]
        self.blocks = nn.ModuleList(ConvStage(a, b, config.depth) for a, b in pairwise(widths))

    @property
    def stages(self) -> tuple[str, ...]:
        return tuple(f"blocks.{number}" for number in range(len(self.blocks)))

    @property
    def stage_widths(self) -> tuple[int, ...]:
        return self.widths

    def stage(self, number: int, tensor: Float[Tensor, "B _ Y X"], rate: float) -> Float[Tensor, "B _ y x"]:
        maps: Tensor = self.blocks[number](tensor, rate)
        return maps

    def end(self, tensor: Float[Tensor, "B D Y X"], window: Window) -> Features:
        del window
        return pooled(tensor, self.pool)
