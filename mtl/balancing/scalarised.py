"""Loss weighting through torchjd's scalarizers: geometric mean, smooth Tchebycheff, IMTL-L.

The scalarizer is differentiated on the losses' values alone, which gives the weights; with these the losses are
differentiated in one pass through the network. A task without a sample in the step has weight 0.
"""

from abc import abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor
from torchjd.scalarization import IMTLL, STCH, GeometricMean

from mtl.balancing.aggregation import preferences
from mtl.balancing.base import Balancer, Step, placed
from mtl.types import TaskSpec

SMALLEST = 1e-8
"""A loss counts as at least this where it is divided by."""


class Scalarised(Balancer):
    """A function of the losses; its own parameters, if it has any, get their gradients too."""

    @abstractmethod
    def scalar(self, losses: Float[Tensor, " k"], step: Step) -> Float[Tensor, ""]:
        """The function at these values, which carry no graph of the network."""

    def backward(self, step: Step) -> Float[Tensor, " K"]:
        values = step.losses.detach().clone().requires_grad_()
        self.scalar(values, step).backward()
        assert values.grad is not None
        step.losses.backward(values.grad)
        return placed(values.grad, step, len(self.specs))


class GeometricLoss(Scalarised):
    """(ΠL)^(1/k) (GLS, Chennupati 2019, CVPR workshops, eq. 4): a loss's relative change counts, not its size."""

    def __init__(self, specs: list[TaskSpec]) -> None:
        super().__init__(specs)
        self.inner = GeometricMean()

    def scalar(self, losses: Float[Tensor, " k"], step: Step) -> Float[Tensor, ""]:
        return self.inner(losses.clamp_min(SMALLEST))


class Stch(Scalarised):
    """μ·log Σ exp(λ_k·L_k / μ), a smooth maximum (Lin 2024, arXiv 2402.19078, eq. 5).

    Args:
        mu: μ; smaller is closer to the maximum.
        given: λ, one for each task; None is the same for all. They are divided by their sum.
    """

    def __init__(self, specs: list[TaskSpec], mu: float, given: list[float] | None) -> None:
        super().__init__(specs)
        self.inner = STCH(mu)
        self.given: Tensor
        self.register_buffer("given", preferences(given, len(specs)).float(), persistent=False)

    def scalar(self, losses: Float[Tensor, " k"], step: Step) -> Float[Tensor, ""]:
        self.inner.weights = self.given if len(losses) == len(self.specs) else self.given[list(step.present)]
        return self.inner(losses)


class ImtlL(Scalarised):
    """Σ e^{s_k}·L_k − s_k with learnt s (Liu 2021, ICLR "Towards impartial multi-task learning", eq. 7)."""

    def __init__(self, specs: list[TaskSpec]) -> None:
        super().__init__(specs)
        self.inner = IMTLL(len(specs))

    def scalar(self, losses: Float[Tensor, " k"], step: Step) -> Float[Tensor, ""]:
        if len(losses) == len(self.specs):
            return self.inner(losses)
        # At L = e^{−s} the slope of s is 0: an absent task's s rests.
        values = torch.exp(-self.inner.log_scale).detach()
        values[list(step.present)] = losses
        return self.inner(values)
