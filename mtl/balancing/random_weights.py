"""Random loss weighting (Lin 2021, arXiv 2111.10603, algorithm 1): a litmus test for every other method."""

import torch
from jaxtyping import Float
from torch import Tensor

from mtl.balancing.base import LossWeighting, Step, placed
from mtl.balancing.chance import Chance
from mtl.tasks.base import TaskSpec


class RandomWeights(LossWeighting):
    """Softmax of normal numbers, new in every step; over the tasks that have a sample in it.

    Torchjd's would draw from torch's global generator, and so move the dropout of a run.
    """

    def __init__(self, specs: list[TaskSpec], seed: int) -> None:
        super().__init__(specs)
        self.chance = Chance(seed)

    def combine(self, step: Step) -> tuple[Float[Tensor, ""], Float[Tensor, " K"]]:
        with self.chance.own():
            drawn = torch.randn(len(self.specs))
        weights = torch.softmax(drawn[list(step.present)], dim=0).to(step.losses)
        return (weights * step.losses).sum(), placed(weights, step, len(self.specs))
