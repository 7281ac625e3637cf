"""Curriculum: which samples are in use in an epoch, easiest first (Bengio 2009; pacing as in Platanios 2019).

n samples of a pool, E epochs.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mtl.config.methods import Curriculum


@dataclass(frozen=True)
class Easing:
    """The order in which a pool's samples come into use."""

    order: Int[Tensor, " n"]
    """Numbers of the samples, easiest first."""
    shares: tuple[float, ...]
    """Share of them that is in use, for each epoch."""

    def in_use(self, epoch: int) -> Int[Tensor, " m"]:
        """The samples of an epoch (from 0); never none."""
        return self.order[: max(1, math.ceil(self.shares[epoch] * len(self.order) - 1e-9))]


def shares_in_use(config: Curriculum, epochs: int) -> tuple[float, ...]:
    """Share c of the samples in each epoch e, with t = e / (full · E) ≤ 1 and c₀ the first share.

    linear c₀ + (1 − c₀)·t; root √(c₀² + (1 − c₀²)·t) (Platanios 2019, arXiv 1903.09848, eq. 7); step: linear, cut to
    `levels` equal steps.
    """
    shares = []
    for epoch in range(epochs):
        t = min(1.0, epoch / (config.full * epochs))
        match config.pacing:
            case "linear":
                share = config.start + (1 - config.start) * t
            case "root":
                share = math.sqrt(config.start**2 + (1 - config.start**2) * t)
            case "step":
                share = config.start + (1 - config.start) * math.floor(t * config.levels + 1e-9) / config.levels
        shares.append(min(1.0, share))
    return tuple(shares)


def easiest_first(losses: Float[Tensor, "n K"]) -> Int[Tensor, " n"]:
    """Samples ordered by difficulty: the mean over tasks of the rank of their loss, ties by number.

    Args:
        losses: of each sample for each task; NaN where a task has no target for it. A sample without any comes last.
    """
    known = ~losses.isnan()
    ranks = torch.zeros_like(losses, dtype=torch.float64)
    for task in range(losses.shape[1]):
        mine = known[:, task].nonzero().squeeze(1)
        order = mine[losses[mine, task].argsort(stable=True)]
        ranks[order, task] = torch.arange(len(order), dtype=torch.float64) / max(1, len(order) - 1)
    counted = known.sum(dim=1)
    mean = torch.where(counted > 0, ranks.sum(dim=1) / counted.clamp_min(1), torch.inf)
    return mean.argsort(stable=True)
