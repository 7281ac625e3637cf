"""Loss weighting by a function of the losses: geometric mean, smooth Tchebycheff, IMTL-L.

A task without a sample in the step has no part in it.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torchjd.scalarization import IMTLL, GeometricMean

from mtl.balancing.aggregation import preferences
from mtl.balancing.base import LossWeighting, Step, placed
from mtl.balancing.weighted import chosen
from mtl.tasks.base import TaskSpec

SMALLEST = 1e-8
"""A loss counts as at least this where it is divided by."""


class GeometricLoss(LossWeighting):
    """(ΠL)^(1/k) (GLS, Chennupati 2019, CVPR workshops, eq. 4): a loss's relative change counts, not its size."""

    def __init__(self, specs: list[TaskSpec]) -> None:
        super().__init__(specs)
        self.inner = GeometricMean()

    def combine(self, step: Step) -> tuple[Float[Tensor, ""], Float[Tensor, " K"]]:
        losses = step.losses.clamp_min(SMALLEST)
        mean = self.inner(losses)
        return mean, placed(mean.detach() / (len(losses) * losses.detach()), step, len(self.specs))


class Stch(LossWeighting):
    """μ·log Σ exp(λ_k·L_k / μ), a smooth maximum (Lin 2024, arXiv 2402.19078, eq. 5).

    Its weights are λ·softmax(λL / μ), which costs less than torchjd's own, whose function is differentiated.

    Args:
        mu: μ; smaller is closer to the maximum.
        given: λ, one for each task; None is the same for all. They are divided by their sum.
    """

    def __init__(self, specs: list[TaskSpec], mu: float, given: list[float] | None) -> None:
        super().__init__(specs)
        self.mu = mu
        self.given: Tensor
        self.register_buffer("given", preferences(given, len(specs)).float(), persistent=False)

    def combine(self, step: Step) -> tuple[Float[Tensor, ""], Float[Tensor, " K"]]:
        given = chosen(self.given, step)
        weights = given * torch.softmax(given * step.losses.detach() / self.mu, dim=0)
        return (weights * step.losses).sum(), placed(weights, step, len(self.specs))


class ImtlL(LossWeighting):
    """Σ e^{s_k}·L_k − s_k with learnt s (Liu 2021, ICLR "Towards impartial multi-task learning", eq. 7)."""

    def __init__(self, specs: list[TaskSpec]) -> None:
        super().__init__(specs)
        self.inner = IMTLL(len(specs))

    def combine(self, step: Step) -> tuple[Float[Tensor, ""], Float[Tensor, " K"]]:
        weights = torch.exp(self.inner.log_scale.detach())
        if len(step.losses) == len(self.specs):
            return self.inner(step.losses), weights
        # At L = e^{−s} the slope of s is 0: an absent task's s rests.
        present = torch.tensor(step.present, device=weights.device)
        values = (1 / weights).index_copy(0, present, step.losses)
        return self.inner(values), weights
