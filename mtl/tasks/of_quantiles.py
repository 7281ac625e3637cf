"""Members that tasks have in common whose predictions are the quantiles of some levels.

n samples of a part.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jaxtyping import Int
from torch import Tensor

from mtl.config.losses import levels_problem
from mtl.results.numbers import Metrics
from mtl.tasks.base import RegressionSpec
from mtl.tasks.context import Oracle
from mtl.tasks.criterion import Criterion
from mtl.tasks.quantile_loss import QuantileCriterion
from mtl.tasks.quantile_scores import normal_crps


@dataclass(frozen=True, kw_only=True)
class OfQuantiles(RegressionSpec):
    """A task of numbers of which quantiles are predicted; the median is the point prediction."""

    metric: str = "crps"
    levels: tuple[float, ...]
    """Ascending, 0.5 among them."""
    gaps: bool = False
    """Some of the targets were not measured: they are NaN, and count nowhere."""

    @property
    def guess(self) -> float:
        """CRPS of the quantiles of a standard normal variable, which z-scored numbers are taken for."""
        return normal_crps(self.levels)

    @property
    def loss_metric(self) -> str:
        return "crps"

    @classmethod
    def criterion(cls, specs: Sequence[Any]) -> Criterion:
        (spec,) = specs
        return QuantileCriterion(spec.levels, spec.gaps)

    def optimum(self, oracle: Oracle, rows: Int[Tensor, " n"], target: Tensor) -> Metrics | None:
        """Unknown: an oracle tells the mean of what is predicted, not its quantiles."""
        return None

    def problem(self) -> str | None:
        return levels_problem(self.levels) or super().problem()
