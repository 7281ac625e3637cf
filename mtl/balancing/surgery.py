"""PCGrad and GradVac: each task's gradient is altered against the others', one after the other, in random order.

Row i of C [K, K] holds the altered gradient i as a combination of the original ones, C·G its inner products with
them. All rows take their t-th partner at the same time: K steps over whole matrices instead of K² over numbers.
"""

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from mtl.balancing.aggregation import Weigher, unit_trace
from mtl.balancing.chance import Chance

EPS = 1e-8


class PcGrad(Weigher):
    """Projects conflicting gradients onto each other's normal plane (Yu 2020, arXiv 2001.06782, algorithm 1)."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.chance = Chance(seed)

    def forward(self, gramian: Float64[Tensor, "k k"], present: list[int]) -> Float64[Tensor, " k"]:
        del present
        g = unit_trace(gramian)
        count = len(g)
        rows = torch.arange(count)
        with self.chance.own():
            orders = torch.stack([torch.randperm(count) for _ in range(count)])
        squares = g.diagonal().clamp_min(torch.finfo(g.dtype).tiny)
        altered = torch.eye(count, dtype=g.dtype)
        products = g.clone()
        for partners in orders.T:
            with_partner = products[rows, partners]
            change = torch.where((with_partner < 0) & (partners != rows), -with_partner / squares[partners], 0.0)
            altered[rows, partners] += change
            products.addcmul_(change[:, None], g[partners])
        return altered.sum(dim=0)


class GradVac(Weigher):
    """Raises the cosine of two gradients to its running mean (Wang 2021, arXiv 2010.05874, eq. 2 and 3).

    Args:
        count: K.
        beta: share of the newest cosine in the running mean.
        seed: of the random orders.
    """

    def __init__(self, count: int, beta: float, seed: int) -> None:
        super().__init__()
        self.beta = beta
        self.chance = Chance(seed)
        self.target: Tensor
        self.register_buffer("target", torch.zeros(count, count, dtype=torch.float64))

    def forward(self, gramian: Float64[Tensor, "k k"], present: list[int]) -> Float64[Tensor, " k"]:
        g = unit_trace(gramian)
        count = len(g)
        rows = torch.arange(count)
        at = torch.tensor(present)
        target = self.target[at[:, None], at].clone()
        with self.chance.own():
            orders = self._orders(count)
        lengths = g.diagonal().clamp_min(0).sqrt()
        altered = torch.eye(count, dtype=g.dtype)
        products = g.clone()
        for partners in orders.T:
            own = (products * altered).sum(dim=1).clamp_min(0).sqrt()
            cosine = products[rows, partners] / (own * lengths[partners] + EPS)
            goal = target[rows, partners]
            sine, goal_sine = _sine(cosine), _sine(goal)
            change = own * (goal * sine - cosine * goal_sine) / (lengths[partners] * goal_sine + EPS)
            change = torch.where(cosine < goal, change, 0.0)
            altered[rows, partners] += change
            products.addcmul_(change[:, None], g[partners])
            target[rows, partners] = (1 - self.beta) * goal + self.beta * cosine
        self.target[at[:, None], at] = target
        return altered.sum(dim=0)

    def _orders(self, count: int) -> Int64[Tensor, "k others"]:
        """Row i: the others of task i, shuffled."""
        drawn = torch.stack([torch.randperm(count - 1) for _ in range(count)])
        return drawn + (drawn >= torch.arange(count)[:, None])


def _sine(cosine: Float64[Tensor, " k"]) -> Float64[Tensor, " k"]:
    return (1 - cosine * cosine).clamp_min(0).sqrt()
