"""Features that simple models read: the sample itself, a summary of a window, or random convolutions of it.

B samples, C channels, L rows of a window, P features.
"""

from collections.abc import Sequence
from math import prod
from typing import assert_never

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mtl.config.inputs import RowLayout
from mtl.data.inputs.vocabulary import PADDING
from mtl.models.rows import OneHot
from mtl.results.simple import (
    CellFeatures,
    Features,
    FlatFeatures,
    Formula,
    FrozenFeatures,
    JoinedFeatures,
    KernelFeatures,
    KernelGroup,
    OneHotFeatures,
    SummaryFeatures,
)

FIRST_CODE = 2
"""Code of the first category that training rows know."""
LAST = 8
"""Rows at the end of a window that are features themselves."""
FIRST_TAIL = 4
"""Rows of the shortest tail; each further one is twice as long."""


class Flat(nn.Module):
    """The numbers of a sample in a row."""

    def forward(self, x: Float[Tensor, "B *S"]) -> Float[Tensor, "B P"]:
        return x.flatten(1)


class Summary(nn.Module):
    """Last rows; of nested tails (4, 8, 16, … rows, the window) mean, standard deviation, mean absolute difference from
    row to row, and the last row less the mean; of each channel."""

    def __init__(self, input_len: int) -> None:
        super().__init__()
        tails = [FIRST_TAIL * 2**power for power in range(32) if FIRST_TAIL * 2**power < input_len]
        self.tails = (*tails, input_len)

    def forward(self, x: Float[Tensor, "B C L"]) -> Float[Tensor, "B P"]:
        last = x[:, :, -1:]
        parts = [x[:, :, -LAST:]]
        steps = x.diff(dim=2).abs()
        for rows in self.tails:
            tail = x[:, :, -rows:]
            mean = tail.mean(dim=2, keepdim=True)
            spread = (tail - mean).square().mean(dim=2, keepdim=True).sqrt()
            moved = steps[:, :, -(rows - 1) :].mean(dim=2, keepdim=True) if rows > 1 else torch.zeros_like(mean)
            parts += [mean, spread, moved, last - mean]
        return torch.cat(parts, dim=2).flatten(1)


class Kernels(nn.Module):
    """Share of positive values and maximum of each random convolution (Dempster et al. 2020, arXiv 1910.13051).

    Args:
        groups: kernels by length, dilation and padding; one call convolves with all of a group.
        channels: C.
    """

    def __init__(self, groups: Sequence[KernelGroup], channels: int) -> None:
        super().__init__()
        self.groups = list(groups)
        for number, group in enumerate(groups):
            self.register_buffer(f"weight_{number}", torch.zeros(group.count, channels, group.length))
            self.register_buffer(f"bias_{number}", torch.zeros(group.count))

    def forward(self, x: Float[Tensor, "B C L"]) -> Float[Tensor, "B P"]:
        positive, largest = [], []
        for number, group in enumerate(self.groups):
            weight, bias = self.get_buffer(f"weight_{number}"), self.get_buffer(f"bias_{number}")
            rows = F.conv1d(x, weight, bias, padding=group.padding, dilation=group.dilation)
            positive.append((rows > 0).float().mean(dim=2))
            largest.append(rows.amax(dim=2))
        return torch.cat([*positive, *largest], dim=1)


class Cells(nn.Module):
    """Numbers of a row and codes of its categories, both NaN where they are missing; a category that training rows do
    not know is missing too.

    Args:
        layout: meaning of the numbers of a row.
    """

    def __init__(self, layout: RowLayout) -> None:
        super().__init__()
        self.numbers, self.coded, self.flags = layout.numbers, layout.numbers + len(layout.flags), list(layout.flags)

    def forward(self, x: Float[Tensor, "B W"]) -> Float[Tensor, "B P"]:
        numbers, codes = x[:, : self.numbers].clone(), x[:, self.coded :]
        gone = x[:, self.numbers : self.coded] > 0
        numbers[:, self.flags] = numbers[:, self.flags].masked_fill(gone, torch.nan)
        return torch.cat([numbers, codes.masked_fill(codes < FIRST_CODE, torch.nan)], dim=1)


class Joined(nn.Module):
    """The parts of mixed samples side by side: a row with a column for each category, pixels, and the tokens of a text
    counted, which stand last.

    Args:
        features: sizes.
    """

    def __init__(self, features: JoinedFeatures) -> None:
        super().__init__()
        self.rows = features.layout.width
        self.one_hot = OneHot(features.layout) if features.codes else None
        self.end, self.tokens = self.rows + features.pixels, features.tokens

    def forward(self, x: Float[Tensor, "B P"]) -> Float[Tensor, "B _"]:
        rows = x[:, : self.rows] if self.one_hot is None else self.one_hot(x[:, : self.rows])
        return torch.cat([rows, x[:, self.rows : self.end], *([self._counted(x)] if self.tokens else [])], dim=1)

    def _counted(self, x: Float[Tensor, "B P"]) -> Float[Tensor, "B V"]:
        codes = x[:, self.end :].long().clamp(0, self.tokens - 1)
        counts = x.new_zeros(len(x), self.tokens).scatter_add_(1, codes, torch.ones_like(codes, dtype=x.dtype))
        counts[:, PADDING] = 0
        weights = torch.where(counts > 0, 1 + counts.clamp(min=1).log(), 0.0)
        unit: Tensor = weights / weights.norm(dim=1, keepdim=True).clamp(min=1)
        return unit


def count_features(features: Features, shape: tuple[int, ...]) -> int:
    """P of some features of samples of a shape."""
    match features:
        case FlatFeatures():
            return prod(shape)
        case SummaryFeatures():
            return shape[0] * (min(LAST, shape[1]) + 4 * len(Summary(shape[1]).tails))
        case KernelFeatures():
            return 2 * sum(group.count for group in features.groups)
        case OneHotFeatures():
            return features.layout.expanded
        case CellFeatures():
            return features.numbers + len(features.codes)
        case FrozenFeatures():
            return features.width
        case JoinedFeatures():
            return features.layout.expanded + features.pixels + features.tokens
        case _:
            assert_never(features)


def build_features(features: Formula, shape: tuple[int, ...]) -> nn.Module:
    """The module of some features of samples of a shape.

    Raises:
        ValueError: samples of that shape have no such features.
    """
    match features:
        case FlatFeatures():
            return Flat()
        case SummaryFeatures() if len(shape) == 2:
            return Summary(shape[1])
        case KernelFeatures() if len(shape) == 2:
            spans = [(group.dilation * (group.length - 1), group.padding) for group in features.groups]
            if any(span >= shape[1] or 2 * padding > span for span, padding in spans):
                raise ValueError(f"`groups` should hold kernels that fit into windows of {shape[1]} rows")
            return Kernels(features.groups, shape[0])
        case OneHotFeatures() if shape == (features.layout.width,) and features.codes:
            return OneHot(features.layout)
        case CellFeatures() if shape == (features.layout.width,):
            return Cells(features.layout)
        case JoinedFeatures() if shape == (features.layout.width + features.pixels + (features.tokens > 0),):
            return Joined(features)
        case OneHotFeatures() | CellFeatures() | JoinedFeatures():
            raise ValueError(f"features of kind {features.kind} should be those of rows of another width than {shape}.")
        case SummaryFeatures() | KernelFeatures():
            raise ValueError(f"features of kind {features.kind} should be those of windows, found samples of {shape}.")
        case _:
            assert_never(features)
