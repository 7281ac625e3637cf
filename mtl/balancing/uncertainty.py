"""Homoscedastic uncertainty weighting (Kendall, Gal, Cipolla 2018, arXiv 1705.07115, eq. 10).

s_k = log σ_k² is learnt per task, from 0. Regression: ½·e^{−s}·L + ½·s. Classification: e^{−s}·L + ½·s.
`half` puts the ½ before both, as write-ups of joint training have it. Torchjd's UW knows neither kinds of tasks nor a
step without one of them.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtl.balancing.base import LossWeighting, Step
from mtl.tasks.base import TaskSpec


class Uncertainty(LossWeighting):
    """Learnt weights; takes no λ."""

    def __init__(self, specs: list[TaskSpec], form: Literal["kendall", "half"]) -> None:
        super().__init__(specs)
        self.log_variance = nn.Parameter(torch.zeros(len(specs)))
        halved = [form == "half" or spec.family == "regression" for spec in specs]
        self.factor: Tensor
        self.register_buffer("factor", torch.tensor([0.5 if half else 1.0 for half in halved]))

    def combine(self, step: Step) -> tuple[Float[Tensor, ""], Float[Tensor, " K"]]:
        present = list(step.present)
        weight = self.factor * torch.exp(-self.log_variance)
        terms = weight[present] * step.losses + 0.5 * self.log_variance[present]
        return terms.sum(), weight
