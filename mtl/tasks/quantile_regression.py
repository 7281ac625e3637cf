"""Quantiles of one number a sample, z-scored by the training samples of the fold.

B samples of a batch, n of a part, Q levels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtl.config.losses import MEDIAN, QuantileLoss
from mtl.config.tasks import RegressionTask, Task
from mtl.errors import DataError
from mtl.results.numbers import Metrics
from mtl.tasks.answers import Numbers
from mtl.tasks.base import Detail, weighted_mean
from mtl.tasks.context import AtSource, Heads
from mtl.tasks.forms import NumberForm
from mtl.tasks.of_quantiles import OfQuantiles
from mtl.tasks.quantile_scores import QuantileScores, median_of
from mtl.tasks.quantiles import crps, without_crossing
from mtl.tasks.regression import OfSamples
from mtl.tasks.regression_scores import regression_metrics


@dataclass(frozen=True, kw_only=True)
class QuantileRegression(OfQuantiles, OfSamples):
    """A numeric target, of which the quantiles of some levels are predicted; the median is its point prediction."""

    kind: ClassVar[str] = "quantile_regression"

    @classmethod
    def resolve(cls, task: Task, at: AtSource) -> "QuantileRegression":
        assert isinstance(task, RegressionTask) and isinstance(task.loss, QuantileLoss)
        return cls(levels=task.loss.quantiles, **cls.at_source(task, at))

    @property
    def outputs(self) -> int:
        return len(self.levels)

    def blind(self, train: Tensor | None, count: int) -> Float[Tensor, "n Q"]:
        """Quantiles of the training targets."""
        assert train is not None
        ordered = train.double().sort().values
        places = torch.tensor(self.levels, dtype=torch.float64) * (len(ordered) - 1)
        low = places.floor().long()
        high = (low + 1).clamp(max=len(ordered) - 1)
        return torch.lerp(ordered[low], ordered[high], places - low).float().expand(count, -1)

    def head(self, encoder: Heads, rate: float) -> nn.Module:
        return encoder.vector_head(self.shape, len(self.levels), rate)

    @property
    def form(self) -> NumberForm:
        return NumberForm(self.levels)

    def point(self, prediction: Float[Tensor, "n Q"]) -> Float[Tensor, " n"]:
        """The median."""
        return median_of(without_crossing(prediction), self.levels)

    def sample_losses(self, prediction: Float[Tensor, "n Q"], target: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        return crps(without_crossing(prediction), target, torch.tensor(self.levels, dtype=prediction.dtype))

    def errors(self, prediction: Float[Tensor, "B Q"], target: Float[Tensor, " B"]) -> Float[Tensor, "B 1"]:
        """Squared error of the median."""
        return (self.point(prediction) - target).square()[:, None]

    def score(
        self, prediction: Float[Tensor, "n Q"], target: Float[Tensor, " n"], detailed: bool
    ) -> tuple[Metrics, Detail]:
        """CRPS and coverage of the quantiles, in ascending order, and the errors of their median."""
        if len(target) == 0:
            raise DataError("A regression cannot be measured on 0 samples; no sample of this part has a target.")
        quantiles = without_crossing(prediction.detach().cpu().double())
        errors, detail = regression_metrics(median_of(quantiles, self.levels), target, self.mean, self.std, detailed)
        scores = QuantileScores(self.levels)
        scores.add(quantiles, target.detach().cpu().double())
        metrics, intervals = scores.result(detailed)
        named = {"unit": self.unit} if detailed and self.unit else {}
        return metrics | errors, detail | intervals | named

    def combine(self, predictions: Sequence[Tensor], shares: Sequence[float]) -> Float[Tensor, "n Q"]:
        """Mean of each quantile over the models (Vincent averaging: the mean quantile function)."""
        return weighted_mean([without_crossing(prediction) for prediction in predictions], shares)

    def answer(self, prediction: Float[Tensor, "n Q"]) -> Numbers:
        values = self.original(without_crossing(prediction))
        median = values[:, self.levels.index(MEDIAN)]
        return Numbers(median.numpy(), [self.target], self.known_units, self.levels, values.numpy())

    def present(self, prediction: Float[Tensor, "n Q"]) -> dict[str, Any]:
        """The median under the target's name, and every other quantile with its level."""
        values = self.original(without_crossing(prediction))
        names = {
            level: self.target if level == MEDIAN else f"{self.target}, quantile {level:g}" for level in self.levels
        }
        ordered = sorted(range(len(self.levels)), key=lambda number: self.levels[number] != MEDIAN)
        return {names[self.levels[number]]: values[:, number] for number in ordered}
