"""Forecasts by formula: the last row, the last period, a linear map of the window.

B windows, C channels, L rows of a window, T target channels, H horizon, M maps.
"""

from collections.abc import Sequence
from typing import assert_never

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtl.config.linear_map import Channels, Level


class Persistence(nn.Module):
    """The last row of each target channel, repeated."""

    def __init__(self, targets: Sequence[int], horizon: int) -> None:
        super().__init__()
        self.targets, self.horizon = list(targets), horizon

    def forward(self, x: Float[Tensor, "B C L"]) -> Float[Tensor, "B T H"]:
        return x[:, self.targets, -1:].expand(-1, -1, self.horizon)


class Seasonal(nn.Module):
    """The last `period` rows of each target channel, repeated."""

    def __init__(self, targets: Sequence[int], horizon: int, period: int, input_len: int) -> None:
        super().__init__()
        if not 1 <= period <= input_len:
            raise ValueError(f"`period` should be from 1 to {input_len}, found {period}.")
        self.targets, self.rows = list(targets), seasonal_rows(period, horizon, input_len)

    def forward(self, x: Float[Tensor, "B C L"]) -> Float[Tensor, "B T H"]:
        return x[:, self.targets][:, :, self.rows]


def seasonal_rows(period: int, horizon: int, input_len: int) -> list[int]:
    """Row of the window that stands for each row ahead."""
    return [input_len - period + step % period for step in range(horizon)]


def level_weights(level: Level, input_len: int) -> Float[Tensor, " L"]:
    """Weights of the rows of a window in its level, float64."""
    weights = torch.zeros(input_len, dtype=torch.float64)
    match level:
        case "last":
            weights[-1] = 1.0
        case "mean":
            weights[:] = 1.0 / input_len
        case "zero":
            pass
        case _:
            assert_never(level)
    return weights


class RidgeForecast(nn.Module):
    """Y − μ = (X − μ) W, with μ the level of each channel.

    Args:
        targets: the T channels.
        shape: (C, L) of a window.
        horizon: H.
        level: the window's last value, its mean, or 0.
        channels: one map for all channels, a map for each target, or one from all channels to all targets.
    """

    def __init__(
        self, targets: Sequence[int], shape: tuple[int, int], horizon: int, level: Level, channels: Channels
    ) -> None:
        super().__init__()
        self.targets, self.horizon, self.kind, self.channels = list(targets), horizon, level, channels
        (width, length), count = shape, len(targets)
        sizes = {
            "one": (length, horizon), "own": (count, length, horizon), "all": (width * length, count * horizon),
        }  # fmt: skip
        self.register_buffer("weight", torch.zeros(sizes[channels]))
        self.register_buffer("level", level_weights(level, length).float(), persistent=False)
        self.weight: Tensor
        self.level: Tensor

    def forward(self, x: Float[Tensor, "B C L"]) -> Float[Tensor, "B T H"]:
        level = x @ self.level  # [B, C]
        x = x - level[..., None]
        match self.channels:
            case "one":
                ahead = x[:, self.targets] @ self.weight
            case "own":
                ahead = torch.einsum("btl,tlh->bth", x[:, self.targets], self.weight)
            case "all":
                ahead = torch.unflatten(x.flatten(1) @ self.weight, 1, (len(self.targets), self.horizon))
            case _:
                assert_never(self.channels)
        return ahead + level[:, self.targets, None]
