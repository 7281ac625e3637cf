"""Homoscedastic uncertainty weighting (Kendall, Gal, Cipolla 2018, arXiv 1705.07115, eq. 10).

s_k = log σ_k² is learnt per task, from 0. Regression: ½·e^{−s}·L + ½·s. Classification: e^{−s}·L + ½·s.
`half` puts the ½ before both, as write-ups of joint training have it.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from mtl.balancing.base import Balancer
from mtl.types import TaskSpec


class Uncertainty(Balancer):
    """Learnt weights; takes no λ."""

    def __init__(self, specs: list[TaskSpec], form: Literal["kendall", "half"]) -> None:
        super().__init__(specs)
        self.log_variance = nn.Parameter(torch.zeros(len(specs)))
        halved = [form == "half" or spec.kind == "forecast" for spec in specs]
        self.factor: Tensor
        self.register_buffer("factor", torch.tensor([0.5 if half else 1.0 for half in halved]))
        self.position = {spec.name: i for i, spec in enumerate(specs)}

    def combine(self, losses: dict[str, Tensor], progress: float) -> tuple[Tensor, dict[str, Tensor | float]]:
        del progress
        weight = self.factor * torch.exp(-self.log_variance)
        present = [self.position[name] for name in losses]
        terms = weight[present] * torch.stack(list(losses.values())) + 0.5 * self.log_variance[present]
        shown: dict[str, Tensor | float] = {name: weight[i].detach() for name, i in self.position.items()}
        return terms.sum(), shown
