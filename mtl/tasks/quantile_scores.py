"""How sharp and how well calibrated predicted quantiles are, added up over chunks of samples.

n samples, *place the targets of a sample (channels and horizon of a forecast, nothing of a number), Q levels, I central
intervals. Sums run in float64.
"""

from collections.abc import Sequence
from statistics import NormalDist

import torch
from jaxtyping import Float
from torch import Tensor

from mtl.config.losses import MEDIAN, central_intervals
from mtl.results.numbers import Metrics
from mtl.tasks.base import Detail
from mtl.tasks.gaps import measured
from mtl.tasks.quantiles import crps, inside_intervals


class QuantileScores:
    """CRPS of each target, and coverage and width of the central intervals.

    Args:
        levels: the Q levels.
    """

    def __init__(self, levels: Sequence[float]) -> None:
        self.levels = tuple(levels)
        self.intervals = central_intervals(levels)
        self.counts: Tensor = torch.zeros((), dtype=torch.int64)
        """[*place] samples that were measured."""
        self.cells = 0
        self.crps: Tensor = torch.zeros((), dtype=torch.float64)
        """[*place] sum over the samples."""
        self.inside = torch.zeros(len(self.intervals), dtype=torch.float64)
        self.width = torch.zeros(len(self.intervals), dtype=torch.float64)
        """[I] sums over the measured targets."""

    def add(self, quantiles: Float[Tensor, "n *place Q"], target: Float[Tensor, "n *place"]) -> None:
        """Adds samples, both z-scored and float64; the quantiles ascend. A target that is NaN does not count."""
        there = measured(target)
        scores = crps(quantiles, target, torch.tensor(self.levels, dtype=quantiles.dtype))
        self.crps = self.crps + torch.where(there, scores, 0.0).sum(0)
        self.counts = self.counts + there.sum(0)
        cells = there.reshape(-1)
        inside = inside_intervals(quantiles, target, self.levels).flatten(0, -2)
        low, high = (quantiles[..., [interval[bound] for interval in self.intervals]] for bound in (0, 1))
        self.inside = self.inside + inside[cells].sum(0).double()
        self.width = self.width + (high - low).flatten(0, -2)[cells].sum(0)
        self.cells += int(cells.sum())

    def result(self, detailed: bool) -> tuple[Metrics, Detail]:
        """`crps` and, where `detailed` and the levels span an interval, `coverage` of the widest one; the detail then
        holds `intervals`, the widest first: the share that each should hold, the one that it holds, and its width."""
        metrics = {"crps": (self.crps.sum() / self.cells).item()}
        if not detailed or not self.intervals:
            return metrics, {}
        coverage = (self.inside / self.cells).tolist()
        shares = [share for _, _, share in self.intervals]
        width = (self.width / self.cells).tolist()
        intervals = {"share": shares, "coverage": coverage, "width": width}
        return metrics | {"coverage": coverage[0]}, {"intervals": intervals}


def median_of(quantiles: Float[Tensor, "*sample Q"], levels: Sequence[float]) -> Float[Tensor, "*sample"]:
    """The quantile of the level 0.5."""
    return quantiles[..., list(levels).index(MEDIAN)]


def normal_quantiles(levels: Sequence[float]) -> list[float]:
    """Quantiles of the standard normal distribution."""
    return [NormalDist().inv_cdf(level) for level in levels]


def normal_crps(levels: Sequence[float]) -> float:
    """Expected CRPS, by the mean over the levels, of a standard normal variable and its own quantiles.

    The pinball loss of the level τ at the quantile q of τ has the mean τ·E[y] − E[y; y < q] = φ(q), since E[y] is 0 and
    E[y; y < q] is −φ(q).
    """
    return 2 * sum(NormalDist().pdf(quantile) for quantile in normal_quantiles(levels)) / len(levels)
