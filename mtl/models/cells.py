"""Embeddings of the cells of a row: numbers, flags of missing ones, categories.

B rows, W numbers of a row (`mtl.config.inputs.RowLayout`), F of them numbers, G categories, T pieces, E numbers of an
embedding, N numbers of all embeddings of a row.
"""

import math
from typing import assert_never

import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from mtl.config.inputs import RowLayout
from mtl.config.tabular import TabularEncoder

NARROW = 1e-9
"""Width of a piece, in z-scored units, below which nothing lies inside."""


class Piecewise(nn.Module):
    """x · slope + bias + Σ_t share_t(x) · w_t: share_t is the share of piece t that lies below x, pieces reach from one
    quantile of training rows to the next (Gorishniy et al. 2022, eq. 1), and the w_t start at 0.

    Args:
        numbers: F.
        pieces: T.
        width: E.
    """

    def __init__(self, numbers: int, pieces: int, width: int) -> None:
        super().__init__()
        places = torch.linspace(0.5 / pieces, 1 - 0.5 / pieces, pieces + 1)
        self.register_buffer("edges", torch.special.ndtri(places).repeat(numbers, 1))
        self.edges: Float[Tensor, "F _"]
        self.weight = nn.Parameter(torch.zeros(numbers, pieces, width))
        self.slope = nn.Parameter(torch.empty(numbers, width).uniform_(-1, 1))
        self.bias = nn.Parameter(torch.empty(numbers, width).uniform_(-1, 1))

    def fit(self, x: Float[Tensor, "n F"]) -> None:
        """Puts half of the edges at quantiles of training rows, and half at quantiles of their distinct values: a
        number that most rows share leaves the others to the second half."""
        count = self.edges.shape[1]
        for column in range(x.shape[1]):
            ordered = x[:, column].double().sort().values
            distinct = torch.unique(ordered)
            edges = torch.cat([_quantiles(ordered, count - count // 2), _quantiles(distinct, count // 2)])
            self.edges[column] = edges.sort().values.float()

    def forward(self, x: Float[Tensor, "*B F"]) -> Float[Tensor, "*B F E"]:
        low, size = self.edges[:, :-1], self.edges.diff(dim=1)
        whole = size > NARROW
        shares = ((x[..., None] - low) / torch.where(whole, size, 1.0)).clamp(0, 1) * whole
        pieces = torch.einsum("...ft,fte->...fe", shares, self.weight)
        return pieces + x[..., None] * self.slope + self.bias


def _quantiles(ordered: Float64[Tensor, " n"], count: int) -> Float64[Tensor, " c"]:
    """Quantiles of ascending values, from the smallest to the largest."""
    at = torch.linspace(0, len(ordered) - 1, count, dtype=torch.float64)
    low = at.floor().long()
    high = (low + 1).clamp(max=len(ordered) - 1)
    return torch.lerp(ordered[low], ordered[high], at - low)


class Periodic(nn.Module):
    """ReLU of a linear map of sin 2πcx and cos 2πcx with learnt frequencies c (Gorishniy et al. 2022, eq. 2), and of x.

    Args:
        numbers: F.
        frequencies: number of frequencies c of each number.
        spread: standard deviation of the first frequencies.
        width: E.
    """

    def __init__(self, numbers: int, frequencies: int, spread: float, width: int) -> None:
        super().__init__()
        # Cut at three deviations: a rare large frequency would turn a number into noise.
        drawn = nn.init.trunc_normal_(torch.empty(numbers, frequencies), std=spread, a=-3 * spread, b=3 * spread)
        self.frequencies = nn.Parameter(drawn)
        bound = (2 * frequencies) ** -0.5
        self.weight = nn.Parameter(torch.empty(numbers, 2 * frequencies, width).uniform_(-bound, bound))
        self.slope = nn.Parameter(torch.empty(numbers, width).uniform_(-1, 1))
        self.bias = nn.Parameter(torch.empty(numbers, width).uniform_(-bound, bound))

    def forward(self, x: Float[Tensor, "*B F"]) -> Float[Tensor, "*B F E"]:
        angles = 2 * math.pi * self.frequencies * x[..., None]
        waves = torch.cat([angles.sin(), angles.cos()], dim=-1)
        mixed = torch.einsum("...fn,fne->...fe", waves, self.weight)
        return (mixed + x[..., None] * self.slope + self.bias).relu()


class Cells(nn.Module):
    """All numbers of a row embedded: numbers, flags as they are, a vector for each category.

    Args:
        config: sizes.
        layout: meaning of the W numbers.
    """

    def __init__(self, config: TabularEncoder, layout: RowLayout) -> None:
        super().__init__()
        self.numbers, self.coded = layout.numbers, layout.numbers + len(layout.flags)
        own = 1 if config.numbers == "linear" else config.number_width
        self.embedding: nn.Module | None = None
        match config.numbers:
            case "piecewise":
                self.embedding = Piecewise(layout.numbers, config.bins, own)
            case "periodic":
                self.embedding = Periodic(layout.numbers, config.frequencies, config.frequency, own)
            case "linear":
                pass
            case _:
                assert_never(config.numbers)
        widths = [min(config.category_width, (count + 1) // 2) for count in layout.codes]
        tables = [nn.Parameter(torch.randn(count, wide)) for count, wide in zip(layout.codes, widths, strict=True)]
        for table in tables:
            with torch.no_grad():
                table[0] = 0.0  # an unknown category, which no training row may have
        self.tables = nn.ParameterList(tables)
        self.width = layout.numbers * own + len(layout.flags) + sum(widths)

    @property
    def fits(self) -> bool:
        """`fit` has something to do."""
        return isinstance(self.embedding, Piecewise)

    def fit(self, rows: Float[Tensor, "n W"]) -> None:
        """Fits embeddings of numbers to training rows."""
        if isinstance(self.embedding, Piecewise):
            self.embedding.fit(rows[:, : self.numbers])

    def forward(self, x: Float[Tensor, "*B W"]) -> Float[Tensor, "*B N"]:
        numbers = x[..., : self.numbers]
        parts = [numbers if self.embedding is None else self.embedding(numbers).flatten(-2)]
        parts.append(x[..., self.numbers : self.coded])
        codes = x[..., self.coded :].long()
        for place, table in enumerate(self.tables):
            parts.append(table[codes[..., place].clamp(0, len(table) - 1)])
        return torch.cat(parts, dim=-1)
