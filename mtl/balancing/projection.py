"""Projection onto the dual cone of the task gradients: DualProj and UPGrad.

The dual cone holds the directions that harm no task. In terms of weights (Quinton & Rey 2024, arXiv 2406.16232,
proposition 1) the projection of Jᵀu is Jᵀv, where v minimises vᵀGv subject to v ≥ u. With v = u + z, z ≥ 0, that is
½·zᵀGz + (Gu)ᵀz. As in torchjd, G is divided by its trace and 1e-4 is added to its diagonal.
"""

import torch
from jaxtyping import Float64
from torch import Tensor

from mtl.balancing.aggregation import Weigher, preferences, unit_trace
from mtl.balancing.nonnegative import one_by_one, solve, solve_rows

REGULARISATION = 1e-4
CANCELLED = 3e-2
"""Length of UPGrad's direction relative to the gradients', under which the programs are solved exactly: it is then
the small difference of large numbers."""


class DualProj(Weigher):
    """The preferred mean of the gradients, projected (GEM, Lopez-Paz & Ranzato 2017, eq. 11)."""

    def __init__(self, given: list[float] | None, count: int) -> None:
        super().__init__()
        self.preferences: Tensor
        self.register_buffer("preferences", preferences(given, count), persistent=False)

    def forward(self, gramian: Float64[Tensor, "k k"], present: list[int]) -> Float64[Tensor, " k"]:
        u = self.preferences[present]
        regular, scale, matrix = scaled(gramian)
        return u + scale * torch.from_numpy(solve(matrix.numpy(), ((regular @ u) * scale).numpy()))


class UpGrad(DualProj):
    """Every gradient projected by itself, then summed with the preferences (arXiv 2406.16232, eq. 6).

    The K programs share a matrix and are solved together: no loop over tasks.
    """

    def forward(self, gramian: Float64[Tensor, "k k"], present: list[int]) -> Float64[Tensor, " k"]:
        u = self.preferences[present]
        regular, scale, matrix = scaled(gramian)
        slopes = u[:, None] * regular * scale
        weights = u + scale * solve_rows(matrix, slopes).sum(dim=0)
        square = weights @ regular @ weights - REGULARISATION * weights @ weights
        if square < (CANCELLED * (u @ regular.diagonal().sqrt())).square():
            return u + scale * one_by_one(matrix, slopes).sum(dim=0)
        return weights


def scaled(gramian: Float64[Tensor, "k k"]) -> tuple[Tensor, Tensor, Tensor]:
    """(regularised G, D, DGD with a diagonal of 1): in units of D⁻¹ the programs are well scaled."""
    regular = unit_trace(gramian).clone()
    regular.diagonal().add_(REGULARISATION)
    scale = regular.diagonal().rsqrt()
    matrix = regular * scale[:, None] * scale
    matrix.fill_diagonal_(1)
    return regular, scale, matrix
