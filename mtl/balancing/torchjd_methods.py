"""Aggregators of torchjd (Quinton & Rey, torchjd.org) that are taken as they are."""

import torch
from jaxtyping import Float, Float64
from torch import Tensor
from torchjd.aggregation import (
    AlignedMTLWeighting,
    ConFIG,
    GradDrop,
    IMTLGWeighting,
    RandomWeighting,
)

from mtl.balancing.aggregation import Direction, Weigher, preferences, unit_trace
from mtl.balancing.chance import Chance


class Mean(Weigher):
    """The mean of the gradients: with `sum`, what plain gradient descent does to the shared weights."""

    needs_gramian = False

    def forward(self, gramian: Float64[Tensor, "k k"], present: list[int]) -> Float64[Tensor, " k"]:
        return torch.full((len(present),), 1 / len(present), dtype=torch.float64)


class Sum(Weigher):
    """The sum of the gradients."""

    needs_gramian = False

    def forward(self, gramian: Float64[Tensor, "k k"], present: list[int]) -> Float64[Tensor, " k"]:
        return torch.ones(len(present), dtype=torch.float64)


class Random(Weigher):
    """Softmax of normal numbers, new in every step (Lin 2021, arXiv 2111.10603, algorithm 2)."""

    needs_gramian = False

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.chance = Chance(seed)
        self.inner = RandomWeighting()

    def forward(self, gramian: Float64[Tensor, "k k"], present: list[int]) -> Float64[Tensor, " k"]:
        with self.chance.own():
            return self.inner(torch.empty(len(present), 0, dtype=torch.float64))


class ImtlG(Weigher):
    """Equal projections onto every gradient (Liu 2021, ICLR "Towards impartial multi-task learning", eq. 6)."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = IMTLGWeighting()

    def forward(self, gramian: Float64[Tensor, "k k"], present: list[int]) -> Float64[Tensor, " k"]:
        return self.inner(unit_trace(gramian))


class AlignedMtl(Weigher):
    """Aligns the principal components of the gradients (Senushkin 2023, CVPR, algorithm 1)."""

    def __init__(self, given: list[float] | None, count: int) -> None:
        super().__init__()
        self.given: Tensor
        self.register_buffer("given", preferences(given, count), persistent=False)

    def forward(self, gramian: Float64[Tensor, "k k"], present: list[int]) -> Float64[Tensor, " k"]:
        return AlignedMTLWeighting(self.given[present])(unit_trace(gramian))


class ConFig(Weigher):
    """The direction with the wanted cosine to every gradient (Liu 2024, arXiv 2408.11104, eq. 2).

    Torchjd's takes J. It only uses lengths and angles, so it is given √G instead: K×K numbers.
    """

    def __init__(self, given: list[float] | None, count: int) -> None:
        super().__init__()
        self.given: Tensor
        self.register_buffer("given", preferences(given, count), persistent=False)

    def forward(self, gramian: Float64[Tensor, "k k"], present: list[int]) -> Float64[Tensor, " k"]:
        values, vectors = torch.linalg.eigh(gramian)
        roots = values.clamp_min(0).sqrt()
        direction: Tensor = ConFIG(self.given[present])((vectors * roots) @ vectors.T)
        kept = roots > roots.max() * len(roots) * torch.finfo(roots.dtype).eps ** 0.5
        inverse = torch.where(kept, 1 / torch.where(kept, roots, 1), 0)
        weights: Tensor = (vectors * inverse) @ (vectors.T @ direction)
        return weights


class SignDrop(Direction):
    """GradDrop (Chen 2020, arXiv 2010.06808, algorithm 1): each number follows the gradients of one sign.

    It weighs numbers, not tasks: 1 is logged for each task.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.chance = Chance(seed)
        self.inner = GradDrop()

    def forward(self, jacobian: Float[Tensor, "k n"], present: list[int]) -> tuple[Tensor, Tensor]:
        with self.chance.own(jacobian.device):
            return self.inner(jacobian), jacobian.new_ones(len(present))
