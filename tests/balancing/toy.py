"""The two-task toy of Liu 2021 (arXiv 2110.14048, appendix, "toy optimization problem"), its losses divided by 20.

Two numbers θ; a plateau and two valleys divide the starts from the Pareto set, along which θ₂ ≈ −8.3. Where θ₂ < −1,
L_k = g_k·tanh(−θ₂/2) / 20 with g_k = ((∓θ₁ + 7)² + 0.1·(−θ₂ − 8)²)/10 − 20.
"""

import functools

import torch
from torch import Tensor

from mtl.balancing.base import Balancer, Step

STARTS = [(-8.5, 7.5), (-8.5, 5.0), (0.0, 0.0), (9.0, 9.0), (10.0, -8.0)]
SMALLEST = 5e-6


def losses(theta: Tensor) -> Tensor:
    """[2], from the authors' formulas."""
    x, y = theta
    f1 = torch.clamp((0.5 * (-x - 7) - torch.tanh(-y)).abs(), SMALLEST).log() + 6
    f2 = torch.clamp((0.5 * (-x + 3) + torch.tanh(-y) + 2).abs(), SMALLEST).log() + 6
    above = torch.clamp(torch.tanh(y * 0.5), 0)
    g1 = ((-x + 7).square() + 0.1 * (-y - 8).square()) / 10 - 20
    g2 = ((-x - 7).square() + 0.1 * (-y - 8).square()) / 10 - 20
    below = torch.clamp(torch.tanh(-y * 0.5), 0)
    return torch.stack([f1 * above + g1 * below, f2 * above + g2 * below]) / 20


@functools.cache
def pareto_set() -> Tensor:
    """[n, 2] points, 0.01 apart: θ₁ ∈ [−7, 7], where some convex sum of the g is least, and the θ₂ where that sum's
    product with tanh(−θ₂/2) is."""
    x = torch.linspace(-7, 7, 1401, dtype=torch.float64)
    y = torch.linspace(-9, -7, 1001, dtype=torch.float64)
    share = (x + 7) / 14
    squares = share * (x - 7).square() + (1 - share) * (x + 7).square()
    values = ((squares[:, None] + 0.1 * (-y - 8).square()) / 10 - 20) * torch.tanh(-y / 2)
    return torch.stack([x, y[values.argmin(dim=1)]], dim=1)


def pareto_distance(theta: Tensor) -> float:
    """Distance of θ to the Pareto set."""
    return float((pareto_set() - theta.double()).norm(dim=1).min())


def run(method: Balancer, start: tuple[float, float], steps: int = 500, lr: float = 0.2) -> Tensor:
    """θ after Adam's steps along the method's directions, their rate falling to 0; its second moment has a short
    memory, since gradients shrink a hundredfold on the way."""
    theta = torch.nn.Parameter(torch.tensor([start]))
    learnt = list(method.parameters())
    optimiser = torch.optim.Adam([theta], lr=lr, betas=(0.9, 0.95))
    weights = torch.optim.Adam(learnt, lr=0.01) if learnt else None
    for step in range(steps):
        optimiser.zero_grad()
        for parameter in learnt:
            parameter.grad = None
        optimiser.param_groups[0]["lr"] = lr * (1 - step / steps)
        # Losses lie above −1; methods that divide by them or take their logarithm need positive ones.
        values = losses(theta[0]) + 1.1
        method.backward(Step(values, (0, 1), step / steps, shared=[theta], epoch=1 + 10 * step // steps))
        optimiser.step()
        if weights is not None:
            weights.step()
    return theta.detach()[0]
