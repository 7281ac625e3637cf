"""Weighted sum with a schedule (methods 2.1): L = (1 − λ(t)) · L_forecast + λ(t) · L_label.

With several tasks of a kind, the kind's share is split in proportion to the tasks' own weights (evenly by default).
"""

import math
from typing import Literal

from torch import Tensor

from mtl.balancing.base import Balancer
from mtl.types import TaskSpec

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
    """Weight of each task when the labels' share is λ."""
    totals = {True: 0.0, False: 0.0}
    for spec in specs:
        totals[spec.kind == "forecast"] += spec.weight
    return {
        spec.name: ((1 - lam) if spec.kind == "forecast" else lam) * spec.weight / totals[spec.kind == "forecast"]
        for spec in specs
    }


class WeightedSum(Balancer):
    """λ weighting with a schedule per optimiser step."""

    def __init__(self, specs: list[TaskSpec], lam: float, schedule: Schedule) -> None:
        super().__init__(specs)
        self.lam, self.schedule = lam, schedule

    def combine(self, losses: dict[str, Tensor], progress: float) -> tuple[Tensor, dict[str, Tensor | float]]:
        weights = task_weights(list(self.specs.values()), self.share(progress))
        terms = [weights[name] * loss for name, loss in losses.items()]
        return sum(terms[1:], terms[0]), {**weights}

    def share(self, progress: float) -> float:
        return scheduled(self.lam, self.schedule, progress)


class PlainSum(Balancer):
    """Every loss with weight 1: a single task, or the tasks of one kind in a sequential run."""

    def combine(self, losses: dict[str, Tensor], progress: float) -> tuple[Tensor, dict[str, Tensor | float]]:
        del progress
        terms = list(losses.values())
        return sum(terms[1:], terms[0]), dict.fromkeys(self.specs, 1.0)
