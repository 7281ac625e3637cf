"""Second moments of windows and of the rows that follow them, from which every ridge forecast is solved.

n windows, C channels, L rows of a window, T target channels, H horizon. Moments are sums over windows, accumulated
over blocks, so that memory does not grow with n: G = Σ x xᵀ, K = Σ x yᵀ, q = Σ y². They are kept by channel, G
[C, L, L] and K [C, L, H], or over all channels at once, G [C·L, C·L] and K [C·L, C, H]. A level μ = bᵀx of each window,
which is taken off x and y, only changes them linearly: x − μ1 = A x with A = I − 1bᵀ.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float64, Int
from torch import Tensor

from mtl.data.loading.pools import Pool

BLOCK = 512
"""Windows that are gathered at once."""


@dataclass(frozen=True)
class Moments:
    """Sums over the windows of a task, float64."""

    count: int
    """n."""
    joint: bool
    """Over all channels at once."""
    inputs: Float64[Tensor, "*maps P P"]
    """G: by channel [C, L, L], joint [C·L, C·L]."""
    cross: Float64[Tensor, "_ _ H"]
    """K: by channel [C, L, H], joint [C·L, C, H]."""
    squares: Float64[Tensor, "C H"]
    """q."""

    def plus(self, other: "Moments") -> "Moments":
        """Moments of both sets of windows, with the shorter horizon."""
        horizon = min(self.squares.shape[-1], other.squares.shape[-1])
        return Moments(
            self.count + other.count, self.joint, self.inputs + other.inputs,
            self.cross[..., :horizon] + other.cross[..., :horizon],
            self.squares[..., :horizon] + other.squares[..., :horizon],
        )  # fmt: skip

    def first(self, horizon: int) -> "Moments":
        """Moments with the first rows ahead alone."""
        return Moments(self.count, self.joint, self.inputs, self.cross[..., :horizon], self.squares[..., :horizon])

    def by_channel(self, channels: int) -> "Moments":
        """Moments of each channel for itself."""
        if not self.joint:
            return self
        length = self.inputs.shape[0] // channels
        own = torch.arange(channels)
        inputs = _by_channel(self.inputs, channels, length)[own, :, own]
        cross = torch.unflatten(self.cross, 0, (channels, length))[own, :, own]
        return Moments(self.count, False, inputs, cross, self.squares)


def pool_moments(pool: Pool, horizons: dict[str, int], joint: bool) -> dict[str, Moments]:
    """Moments of some tasks of a pool that predict rows ahead, over all channels as targets.

    Tasks share the sums of the windows that they have in common. Windows with a target that was not measured are left
    out; a task without any other is absent.

    Args:
        pool: of windows.
        horizons: task → H.
        joint: over all channels at once.
    """
    names = list(horizons)
    chosen: Bool[Tensor, "n K"] = torch.ones(len(pool), len(names), dtype=torch.bool)
    for column, name in enumerate(names):
        target = pool.targets[name]
        complete = pool.samples.complete(horizons[name], target.channels)
        for mask in (target.valid, complete):
            if mask is not None:
                chosen[:, column] &= mask
    sums: dict[str, Moments] = {}
    patterns, which = torch.unique(chosen, dim=0, return_inverse=True)
    for number, pattern in enumerate(patterns.tolist()):
        members = [name for name, inside in zip(names, pattern, strict=True) if inside]
        if not members:
            continue
        places = (which == number).nonzero().squeeze(1)
        part = _accumulate(pool, places, max(horizons[name] for name in members), joint)
        for name in members:
            own = part.first(horizons[name])
            sums[name] = own if name not in sums else sums[name].plus(own)
    return sums


def _accumulate(pool: Pool, places: Int[Tensor, " n"], horizon: int, joint: bool) -> Moments:
    """Sums over the windows at `places`."""
    inputs: Tensor | None = None
    for block in torch.split(places, BLOCK):
        x, y = pool.samples.gather(block, horizon)
        assert y is not None, "rows follow a window"
        x, y = x.double(), y.double()
        if joint:
            flat = x.flatten(1)
            parts = flat.T @ flat, torch.unflatten(flat.T @ y.flatten(1), 1, y.shape[1:]), y.square().sum(0)
        else:
            by_channel = x.transpose(0, 1)  # [C, B, L]
            turned = by_channel.transpose(1, 2)
            parts = turned @ by_channel, turned @ y.transpose(0, 1), y.square().sum(0)
        if inputs is None:
            inputs, cross, squares = parts
        else:
            inputs, cross, squares = inputs + parts[0], cross + parts[1], squares + parts[2]
    assert inputs is not None
    return Moments(len(places), joint, inputs, cross, squares)


@dataclass(frozen=True)
class Problem:
    """Moments of M ridge regressions with P inputs and O outputs each, after a level was taken off."""

    count: int
    """Windows, times the channels where channels share a map."""
    inputs: Float64[Tensor, "M P P"]
    cross: Float64[Tensor, "M P O"]
    squares: Float64[Tensor, "M O"]

    def summed(self) -> "Problem":
        """One regression for all: channels are more samples of it."""
        count = self.count * len(self.inputs)
        return Problem(
            count, self.inputs.sum(0, keepdim=True), self.cross.sum(0, keepdim=True), self.squares.sum(0, keepdim=True)
        )

    def error(self, weight: Float64[Tensor, "M P O"]) -> float:
        """Mean squared error of predictions by `weight`, over windows and outputs."""
        explained = (2 * weight * self.cross).sum() - (weight * (self.inputs @ weight)).sum()
        return float(self.squares.sum() - explained) / (self.count * self.squares.numel())


def without_level(moments: Moments, targets: Sequence[int], level: Float64[Tensor, " L"]) -> Problem:
    """The regressions of some target channels, with the level μ = bᵀx of each channel taken off.

    Args:
        moments: of the windows.
        targets: channels that are predicted.
        level: b.
    """
    length = len(level)
    take = torch.eye(length, dtype=torch.float64) - torch.ones(length, 1, dtype=torch.float64) * level  # A
    chosen = list(targets)
    own = moments.by_channel(len(moments.squares))
    inputs, cross, squares = own.inputs[chosen], own.cross[chosen], own.squares[chosen]
    shift = inputs @ level  # [T, L]: Σ x μ
    rest = squares - 2 * torch.einsum("l,tlh->th", level, cross) + (shift @ level)[:, None]
    if not moments.joint:
        less = take @ (cross - shift[..., None])
        return Problem(moments.count, take @ inputs @ take.T, less, rest)
    width = moments.inputs.shape[0]
    channels = width // length
    blocks = _by_channel(moments.inputs, channels, length)
    blocks = torch.einsum("ab,cbde->cade", take, blocks)
    both = torch.einsum("cade,fe->cadf", blocks, take).reshape(width, width)
    # [P, T]: Σ x μ of each target
    of_target = torch.unflatten(moments.inputs, 1, (channels, length))[:, chosen] @ level
    by_input = torch.unflatten(moments.cross[:, chosen] - of_target[..., None], 0, (channels, length))
    joined = torch.einsum("ab,cbth->cath", take, by_input).reshape(1, width, -1)
    return Problem(moments.count, both[None], joined, rest.reshape(1, -1))


def _by_channel(inputs: Float64[Tensor, "P P"], channels: int, length: int) -> Float64[Tensor, "C L C L"]:
    """Splits the rows and the columns of a joint G, [C·L, C·L], into channels and rows of a window."""
    return inputs.reshape(channels, length, channels, length)
