"""One number a sample, z-scored by the training samples of the fold. Any number of regressions on the same samples are
one layer and one loss.

B samples of a batch, n of a part, J regressions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor, nn

from mtl.config.losses import ErrorLoss, QuantileLoss
from mtl.config.tasks import RegressionTask, Task
from mtl.errors import DataError
from mtl.results.numbers import Metrics
from mtl.tasks.answers import Numbers
from mtl.tasks.base import ABSENT, Detail, RegressionSpec, TaskSpec, weighted_mean
from mtl.tasks.context import AtSource, Heads, Oracle
from mtl.tasks.criterion import Criterion
from mtl.tasks.error_losses import error_of, guess_of, nearest_metric
from mtl.tasks.forms import NumberForm
from mtl.tasks.optimum import oracle_positions
from mtl.tasks.regression_scores import regression_metrics
from mtl.tasks.sample_errors import root_values
from mtl.types import SourceData


@dataclass(frozen=True, kw_only=True)
class OfSamples(RegressionSpec):
    """A numeric target of every sample, whatever is said of it."""

    target: str
    """Its name at the source."""
    mean: float = 0.0
    std: float = 1.0
    """Sample standard deviation of the training samples, original units."""
    unit: str | None = None
    """Unit in words, where known."""
    linear: bool | None = field(default=None, metadata=ABSENT)
    """Its network starts at ridge regression of the row."""

    @staticmethod
    def at_source(task: RegressionTask, at: AtSource) -> dict[str, Any]:
        """Members that a section of params.yaml and its source give, whatever the loss.

        Raises:
            DataError: the target has one value only.
        """
        assert at.learns is not None and at.values is not None
        if len(at.values) < 2 or not float(at.values.std()) > 0:
            samples = f"{len(at.values)} sample{'' if len(at.values) == 1 else 's'}"
            raise DataError(
                f"tasks.{at.name}: the training samples of `{at.learns}` should have at least two different values, "
                f"found {samples}{'' if len(at.values) < 2 else f', all {float(at.values[0]):g}'}: raise "
                "`train_fraction`, choose other parts of the source, or leave the task out."
            )
        return TaskSpec.common(task, at) | {
            "target": at.learns, "mean": float(at.values.mean()), "std": float(at.values.std()),
            "unit": at.units.get(at.learns), "linear": None if task.linear is None else True,
        }  # fmt: skip

    @property
    def known_units(self) -> dict[str, str]:
        """Target → unit, where it is known."""
        return {} if self.unit is None else {self.target: self.unit}

    def linear_map(self, encoder: Heads) -> nn.Module | None:
        return None if self.linear is None else encoder.row_map(self.shape[0], self.layout, 1)

    @classmethod
    def column(cls, source: SourceData, learns: str) -> Tensor | None:
        return source.numbers[learns]

    def encode(self, values: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        return ((values - self.mean) / self.std).float()

    def judged_errors(self, prediction: Tensor, target: Float[Tensor, " n"]) -> Float64[Tensor, " n"] | None:
        if self.metric == "rmse":
            return self.std * root_values((self.point(prediction.double()) - target.double()).square())
        return super().judged_errors(prediction, target)

    def original(self, values: Float[Tensor, "n *Q"]) -> Float[Tensor, "n *Q"]:
        """Values in original units."""
        return values * self.std + self.mean

    def taken_from(self, other: TaskSpec, prediction: Float[Tensor, "n *Q"]) -> Float[Tensor, "n *Q"]:
        assert isinstance(other, OfSamples)
        if (self.mean, self.std) == (other.mean, other.std):
            return prediction
        return (other.original(prediction) - self.mean) / self.std

    def errors_from(self, other: TaskSpec, errors: Float[Tensor, "*Q"]) -> Float[Tensor, "*Q"]:
        assert isinstance(other, OfSamples)
        return errors if self.std == other.std else errors * (other.std / self.std)

    def truth(self, target: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        return self.original(target)


@dataclass(frozen=True, kw_only=True)
class Regression(OfSamples):
    """A numeric target, of which one number is predicted."""

    kind: ClassVar[str] = "regression"
    stacked: ClassVar[bool] = True

    loss: ErrorLoss = "mse"

    @classmethod
    def resolve(cls, task: Task, at: AtSource) -> "Regression":
        assert isinstance(task, RegressionTask) and not isinstance(task.loss, QuantileLoss)
        return cls(loss=task.loss, **cls.at_source(task, at))

    @property
    def outputs(self) -> int:
        return 1

    @property
    def guess(self) -> float:
        return guess_of(self.loss)

    def blind(self, train: Tensor | None, count: int) -> Float[Tensor, " n"]:
        assert train is not None
        return train.mean().expand(count)

    @property
    def loss_metric(self) -> str:
        return nearest_metric(self.loss)

    def head(self, encoder: Heads, rate: float) -> nn.Module:
        return encoder.vector_head(self.shape, 1, rate)

    @property
    def form(self) -> NumberForm:
        return NumberForm()

    @classmethod
    def criterion(cls, specs: Sequence[Any]) -> Criterion:
        return _Errors([spec.loss for spec in specs])

    def sample_losses(self, prediction: Float[Tensor, " n"], target: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        return error_of(self.loss, prediction, target)

    def errors(self, prediction: Float[Tensor, "B J"], target: Float[Tensor, "B J"]) -> Float[Tensor, "B J"]:
        return (prediction - target).square()

    def score(
        self, prediction: Float[Tensor, " n"], target: Float[Tensor, " n"], detailed: bool
    ) -> tuple[Metrics, Detail]:
        metrics, detail = regression_metrics(prediction, target, self.mean, self.std, detailed)
        return metrics, detail | ({"unit": self.unit} if detailed and self.unit else {})

    def combine(self, predictions: Sequence[Tensor], shares: Sequence[float]) -> Float[Tensor, " n"]:
        return weighted_mean(predictions, shares)

    def optimum(self, oracle: Oracle, rows: Int[Tensor, " n"], target: Float[Tensor, " n"]) -> Metrics | None:
        """Errors of the conditional mean, which is the best prediction in MSE."""
        if self.target not in oracle.numbers:
            return None
        best = oracle.numbers[self.target]
        chosen = best[oracle_positions(len(best), oracle.first, rows)].double()
        return regression_metrics((chosen - self.mean) / self.std, target, self.mean, self.std, True)[0]

    def present(self, prediction: Float[Tensor, " n"]) -> dict[str, Any]:
        return {self.target: self.original(prediction)}

    def answer(self, prediction: Float[Tensor, " n"]) -> Numbers:
        return Numbers(self.original(prediction).numpy(), [self.target], self.known_units)


class _Errors(Criterion):
    """Loss of each sample of each task, by the loss that the task names."""

    def __init__(self, losses: Sequence[ErrorLoss]) -> None:
        super().__init__()
        self.losses = tuple(losses)

    def forward(self, prediction: Tensor, target: Tensor, places: Sequence[int] | None = None) -> Float[Tensor, "B J"]:
        here = self.losses if places is None else [self.losses[place] for place in places]
        first, *others = dict.fromkeys(here)
        errors = error_of(first, prediction, target)
        for loss in others:
            its = torch.tensor([name == loss for name in here], device=prediction.device)
            errors = torch.where(its, error_of(loss, prediction, target), errors)
        return errors
