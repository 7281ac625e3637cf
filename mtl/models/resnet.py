"""A small residual network for images: a 3×3 convolution, then stages of residual blocks (He et al. 2016, arXiv
1512.03385, section 4.2, with projections where the width changes).

B samples, C channels, Y × X pixels, D width of the last stage, whose pixels become features by `pool`.
"""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mtl.config.encoder import ResNetEncoder
from mtl.models.base import StagedEncoder, Window
from mtl.models.cnn import pooled
from mtl.models.dropout import drop
from mtl.models.features import Features


class ConvNorm(nn.Module):
    """A convolution without a bias, and the batch norm that brings one."""

    def __init__(self, inputs: int, width: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, width, kernel, stride, padding=kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Float[Tensor, "B _ Y X"]) -> Float[Tensor, "B _ y x"]:
        normalised: Tensor = self.norm(self.convolution(x))
        return normalised


class Block(nn.Module):
    """relu(x + F(x)), F two convolutions; the identity becomes a 1×1 convolution where width or size change."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.first = ConvNorm(inputs, width, 3, stride)
        self.second = ConvNorm(width, width, 3, 1)
        self.shortcut = None if (inputs, stride) == (width, 1) else ConvNorm(inputs, width, 1, stride)

    def forward(self, x: Float[Tensor, "B _ Y X"], rate: float) -> Float[Tensor, "B _ y x"]:
        change = self.second(drop(F.relu(self.first(x)), rate))
        kept: Tensor = x if self.shortcut is None else self.shortcut(x)
        return F.relu(kept + change)


class ResidualStage(nn.Module):
    """Blocks of one width; the stage that sees the image itself begins with a convolution.

    Args:
        inputs: channels that come in.
        width: channels that go out.
        depth: number of blocks.
        stride: step of the first convolution.
        stem: the stage is the first.
    """

    def __init__(self, inputs: int, width: int, depth: int, stride: int, stem: bool) -> None:
        super().__init__()
        self.stem = ConvNorm(inputs, width, 3, stride) if stem else None
        first = (width, 1) if stem else (inputs, stride)
        steps = [first, *[(width, 1)] * (depth - 1)]
        self.blocks = nn.ModuleList(Block(channels, width, step) for channels, step in steps)

    def forward(self, x: Float[Tensor, "B _ Y X"], rate: float) -> Float[Tensor, "B _ y x"]:
        # Channels last: the layout in which a CPU convolves fastest, and the same for every form of sharing.
        x = x.contiguous(memory_format=torch.channels_last)
        if self.stem is not None:
            x = F.relu(self.stem(x))
        for block in self.blocks:
            x = block(x, rate)
        return x


class ResNet(StagedEncoder):
    """Each width is a stage.

    Args:
        config: widths, blocks of a stage, step of the first convolution and dropout.
        shape: (C, Y, X) of an image.
    """

    channel_dim = 1

    def __init__(self, config: ResNetEncoder, shape: tuple[int, int, int]) -> None:
        super().__init__()
        channels, *size = shape
        self.pool = config.pool
        step = config.stride * 2 ** (len(config.widths) - 1)
        self.width = config.widths[-1] * (1 if config.pool == "mean" else math.prod(-(-side // step) for side in size))
        self.widths = tuple(config.widths)
        self.dropout = config.dropout
        pairs = pairwise([channels, *config.widths])
        self.stack = nn.ModuleList(
            ResidualStage(a, b, config.depth, config.stride if number == 0 else 2, number == 0)
            for number, (a, b) in enumerate(pairs)
        )

    @property
    def stages(self) -> tuple[str, ...]:
        return tuple(f"stack.{number}" for number in range(len(self.stack)))

    @property
    def stage_widths(self) -> tuple[int, ...]:
        return self.widths

    def stage(self, number: int, tensor: Float[Tensor, "B _ Y X"], rate: float) -> Float[Tensor, "B _ y x"]:
        maps: Tensor = self.stack[number](tensor, rate)
        return maps

    def end(self, tensor: Float[Tensor, "B D Y X"], window: Window) -> Features:
        del window
        # In one layout, since the order in which a mean adds up follows it.
        tensor = tensor.contiguous(memory_format=torch.channels_last)
        return pooled(tensor, self.pool)
