"""GradNorm (Chen 2018, arXiv 1711.02257, algorithm 1): weights are learnt so that tasks train at similar rates.

G_k = w_k·‖∇L_k‖ on the last shared layer, r_k = (L_k / L_k(0)) / mean. The weights alone descend
Σ|G_k − stop(mean(G)·r_k^α)|; they are kept positive and at a sum of K.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtl.balancing.base import Balancer, Step
from mtl.balancing.gradients import look, task_gradients
from mtl.tasks.base import TaskSpec

SMALLEST = 1e-3
"""Smallest value of a weight."""
SLOPE = 1e-3
"""Length of the weights' own gradient: it means nothing to Adam, and should not count in the norm that is clipped."""


class GradNorm(Balancer):
    """Costs a backward pass of the heads and of the last shared layer for every task.

    The last shared layer is the last matrix that all losses depend on; where tasks mix columns, that of every column.
    A task without a sample in the step rests.

    Args:
        specs: the tasks.
        alpha: α; how strongly the rates are pulled together.
    """

    def __init__(self, specs: list[TaskSpec], alpha: float) -> None:
        super().__init__(specs)
        self.alpha = alpha
        self.weights = nn.Parameter(torch.ones(len(specs)))
        self.initial: Tensor
        self.register_buffer("initial", torch.full((len(specs),), torch.nan))

    def backward(self, step: Step) -> Float[Tensor, " K"]:
        present = list(step.present)
        losses = step.losses.detach()
        with torch.no_grad():
            self.weights.clamp_(min=SMALLEST)
            self.weights.mul_(len(self.weights) / self.weights.sum())
            self.initial[present] = torch.where(self.initial[present].isnan(), losses, self.initial[present])
            weights = self.weights[present].clone()
        reach = look(step.losses)
        columns = [reach.reached(list(column)) for column in step.columns or [step.shared]]
        layer = [next(p for p in reversed(column) if p.ndim > 1) for column in columns if column]
        lengths = task_gradients(step.losses, layer, reach.at_once).norm(dim=1)
        scaled = weights * lengths
        rates = losses / self.initial[present]
        target = scaled.mean() * (rates / rates.mean()) ** self.alpha
        step.losses.backward(weights)
        slope = torch.zeros_like(self.weights)
        slope[present] = torch.sign(scaled - target) * lengths
        self.weights.grad = slope * (SLOPE / slope.norm().clamp_min(torch.finfo(slope.dtype).tiny))
        return self.weights.detach().clone()
