"""Quantiles of the rows that follow a sample, z-scored.

B samples of a batch, n of a part, T target channels, H horizon, Q levels. A prediction is [n, T, H · Q], where the Q
quantiles of a row stand side by side.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from mtl.config.losses import MEDIAN, QuantileLoss
from mtl.config.tasks import ForecastTask, Task
from mtl.errors import DataError
from mtl.results.examples import Example, Window, shown_values
from mtl.results.numbers import Metrics
from mtl.tasks.answers import Numbers
from mtl.tasks.base import Detail, weighted_mean
from mtl.tasks.context import AtSource
from mtl.tasks.forecast import RowsAhead
from mtl.tasks.forecast_scores import CHUNK, ForecastScores, finite, finite_by_name, mean_along
from mtl.tasks.forms import RowsForm
from mtl.tasks.gaps import sample_means
from mtl.tasks.of_quantiles import OfQuantiles
from mtl.tasks.quantile_scores import QuantileScores, median_of, normal_quantiles
from mtl.tasks.quantiles import crps, without_crossing


@dataclass(frozen=True, kw_only=True)
class QuantileForecast(OfQuantiles, RowsAhead):
    """The next H rows of some channels, the quantiles of some levels each; the median is the point prediction."""

    kind: ClassVar[str] = "quantile_forecast"

    @classmethod
    def resolve(cls, task: Task, at: AtSource) -> "QuantileForecast":
        assert isinstance(task, ForecastTask) and isinstance(task.loss, QuantileLoss)
        return cls(levels=task.loss.quantiles, **cls.at_source(task, at))

    @property
    def outputs(self) -> int:
        return self.horizon * len(self.levels)

    def blind(self, train: Tensor | None, count: int) -> Float[Tensor, "n T _"]:
        """Quantiles of a standard normal variable: channels are z-scored by the training rows."""
        row = torch.tensor(normal_quantiles(self.levels)).repeat(self.horizon)
        return row.expand(count, len(self.targets), -1)

    @property
    def form(self) -> RowsForm:
        return RowsForm(tuple(self.targets), self.horizon, self.levels)

    def quantiles(self, prediction: Float[Tensor, "n T _"]) -> Float[Tensor, "n T H Q"]:
        """Predicted quantiles in ascending order."""
        return without_crossing(torch.unflatten(prediction, -1, (self.horizon, len(self.levels))))

    def point(self, prediction: Float[Tensor, "n T _"]) -> Float[Tensor, "n T H"]:
        """The median."""
        return median_of(self.quantiles(prediction), self.levels)

    def sample_losses(self, prediction: Float[Tensor, "n T _"], target: Float[Tensor, "n T H"]) -> Float[Tensor, " n"]:
        scores = crps(self.quantiles(prediction), target, torch.tensor(self.levels, dtype=prediction.dtype))
        return sample_means(scores, target) if self.gaps else scores.flatten(1).mean(dim=1)

    def errors(self, prediction: Float[Tensor, "B T _"], target: Float[Tensor, "B T H"]) -> Float[Tensor, "B 1"]:
        """Mean squared error of the median."""
        errors = (median_of(self.quantiles(prediction), self.levels) - target).square()
        return sample_means(errors, target)[:, None] if self.gaps else errors.mean(dim=(1, 2))[:, None]

    def score(
        self, prediction: Float[Tensor, "n T _"], target: Float[Tensor, "n T H"], detailed: bool
    ) -> tuple[Metrics, Detail]:
        """CRPS and coverage of the quantiles, in ascending order, and the errors of their median."""
        if len(target) == 0:
            raise DataError("A forecast cannot be measured on 0 samples; the part holds no whole window.")
        scores = QuantileScores(self.levels)
        errors = ForecastScores(self._std.float(), self.target_columns, self.units if detailed else None)
        for start in range(0, len(target), CHUNK):
            part = slice(start, start + CHUNK)
            quantiles = self.quantiles(prediction[part].detach().cpu().double())
            truth = target[part].detach().cpu().double()
            scores.add(quantiles, truth)
            errors.add(median_of(quantiles, self.levels), truth)
        metrics, intervals = scores.result(detailed)
        of_median, detail = errors.result()
        by_horizon, by_channel = (mean_along(scores.crps, scores.counts, dim) for dim in (0, 1))
        detail |= finite("crps_by_horizon", by_horizon)
        detail["crps_by_channel"] = finite_by_name(self.target_columns, by_channel)
        return metrics | of_median, detail | intervals

    def combine(self, predictions: Sequence[Tensor], shares: Sequence[float]) -> Float[Tensor, "n T _"]:
        """Mean of each quantile over the models (Vincent averaging: the mean quantile function)."""
        return weighted_mean([self.quantiles(prediction).flatten(-2) for prediction in predictions], shares)

    def by_level(self, prediction: Float[Tensor, "n T _"]) -> list[Float[Tensor, "n T H"]]:
        """The quantiles of each level, in original units."""
        return [self.original(values) for values in self.quantiles(prediction).unbind(-1)]

    def examples(
        self, x: Float[Tensor, "n C L"], prediction: Float[Tensor, "n T _"], target: Float[Tensor, "n T H"]
    ) -> Example:
        past, truth = (shown_values(self.original(values)) for values in (x[:, self.targets], target))
        quantiles = self.by_level(prediction)
        median = quantiles[self.levels.index(MEDIAN)].tolist()
        several = torch.stack(quantiles, dim=1).tolist()
        names = self.target_columns
        return Example(
            columns=names,
            units={name: unit for name, unit in self.units.items() if name in names},
            windows=[
                Window(input=i, truth=t, prediction=p, quantiles=q)
                for i, t, p, q in zip(past, truth, median, several, strict=True)
            ],
            levels=list(self.levels),
        )

    def answer(self, prediction: Float[Tensor, "n T _"]) -> Numbers:
        several = torch.stack(self.by_level(prediction), dim=-1)
        median = several[..., self.levels.index(MEDIAN)]
        return Numbers(median.numpy(), self.target_columns, self.units, self.levels, several.numpy())

    def present(self, prediction: Float[Tensor, "n T _"]) -> dict[str, Any]:
        """The median under the channel's name, and every other quantile with its level."""
        quantiles = dict(zip(self.levels, self.by_level(prediction), strict=True))
        columns = {name: quantiles[MEDIAN][:, number] for number, name in enumerate(self.target_columns)}
        for level, values in quantiles.items():
            if level != MEDIAN:
                columns |= {
                    f"{name}, quantile {level:g}": values[:, number] for number, name in enumerate(self.target_columns)
                }
        return columns
