"""Dynamic weight average (Liu 2019, arXiv 1803.10704, eq. 7): tasks whose loss falls slowly gain weight.

w = K·softmax(r/τ), r_k = L_k(e−1) / L_k(e−2), with L_k(e) the mean loss of epoch e; equal in the first two epochs.
Torchjd's keeps its means out of its state and knows no absent tasks; where both can work, they agree.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from mtl.balancing.base import LossWeighting, Step
from mtl.balancing.weighted import chosen
from mtl.tasks.base import TaskSpec


class Dwa(LossWeighting):
    """Means are over the steps that held a sample of the task; a task that lacks one of two means has r = 1.

    Args:
        specs: the tasks.
        temperature: τ; larger is more even.
    """

    def __init__(self, specs: list[TaskSpec], temperature: float) -> None:
        super().__init__(specs)
        self.temperature = temperature
        count = len(specs)
        self.sums: Tensor
        self.steps: Tensor
        self.means: Tensor  # [2, K]: of the epoch before the last, and of the last
        self.epoch: Tensor
        self.weights: Tensor
        self.register_buffer("sums", torch.zeros(count))
        self.register_buffer("steps", torch.zeros(count))
        self.register_buffer("means", torch.full((2, count), torch.nan))
        self.register_buffer("epoch", torch.ones((), dtype=torch.int64))
        self.register_buffer("weights", torch.ones(count))

    def combine(self, step: Step) -> tuple[Float[Tensor, ""], Float[Tensor, " K"]]:
        if step.epoch != self.epoch:
            self._turn(step.epoch)
        present = list(step.present)
        self.sums[present] += step.losses.detach()
        self.steps[present] += 1
        return (chosen(self.weights, step) * step.losses).sum(), self.weights

    def _turn(self, epoch: int) -> None:
        """Closes the epoch that went before."""
        self.means = torch.stack([self.means[1], self.sums / self.steps])
        self.sums.zero_()
        self.steps.zero_()
        self.epoch.fill_(epoch)
        rates = (self.means[1] / self.means[0]).nan_to_num(nan=1.0)
        self.weights = len(rates) * torch.softmax(rates / self.temperature, dim=0)
