"""Weighted sum with a schedule: L = (1 − λ(t)) · L_regression + λ(t) · L_classification.

With several tasks of a family, its share is split in proportion to the tasks' own weights (evenly by default).
"""

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mtl.balancing.base import LossWeighting, Step
from mtl.tasks.base import TaskSpec

Schedule = Literal["constant", "linear", "cosine", "warmup"]
WARMUP = 0.2
"""Share of the training over which `warmup` rises."""


def scheduled(lam: float, schedule: Schedule, progress: float) -> float:
    """λ(p) at progress p ∈ [0, 1]: constant λ; linear λp; cosine λ(1 − cos πp)/2; warmup λ·min(1, p/0.2)."""
    match schedule:
        case "constant":
            return lam
        case "linear":
            return lam * progress
        case "cosine":
            return lam * (1 - math.cos(math.pi * progress)) / 2
        case "warmup":
            return lam * min(1.0, progress / WARMUP)


def task_weights(specs: list[TaskSpec], lam: float) -> dict[str, float]:
    """Weight of each task when the share of the classifications is λ."""
    share = {"regression": 1 - lam, "classification": lam}
    totals = dict.fromkeys(share, 0.0)
    for spec in specs:
        totals[spec.family] += spec.weight
    return {spec.name: share[spec.family] * spec.weight / totals[spec.family] for spec in specs}


class WeightedSum(LossWeighting):
    """λ weighting with a schedule per optimiser step."""

    def __init__(self, specs: list[TaskSpec], lam: float, schedule: Schedule) -> None:
        super().__init__(specs)
        self.lam, self.schedule = lam, schedule
        self.parts: Tensor  # [2, K]: each task's weight at λ = 0, and what λ = 1 adds to it
        at = [list(task_weights(specs, lam).values()) for lam in (0.0, 1.0)]
        parts = torch.tensor([at[0], [b - a for a, b in zip(*at, strict=True)]], dtype=torch.float64)
        self.register_buffer("parts", parts, persistent=False)

    def combine(self, step: Step) -> tuple[Float[Tensor, ""], Float[Tensor, " K"]]:
        weights = (self.parts[0] + self.share(step.progress) * self.parts[1]).float()
        return (chosen(weights, step) * step.losses).sum(), weights

    def share(self, progress: float) -> float:
        return scheduled(self.lam, self.schedule, progress)


class FixedWeights(LossWeighting):
    """Σ w_k · L_k; with weights of 1 it is a single task, equal weighting, or a phase of a sequential run."""

    def __init__(self, specs: list[TaskSpec], weights: list[float] | None = None) -> None:
        super().__init__(specs)
        self.weights: Tensor
        self.register_buffer("weights", torch.tensor(weights or [1.0] * len(specs)), persistent=False)

    def combine(self, step: Step) -> tuple[Float[Tensor, ""], Float[Tensor, " K"]]:
        return (chosen(self.weights, step) * step.losses).sum(), self.weights


def chosen(weights: Float[Tensor, " K"], step: Step) -> Float[Tensor, " k"]:
    """The weights of the tasks that are present; without a copy when all are."""
    return weights if len(step.present) == len(weights) else weights[list(step.present)]
