"""The rows that follow a sample, z-scored.

B samples of a batch, n of a part, C channels, T of them targets, H horizon.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor, nn

from mtl.config.linear_map import Channels, Level
from mtl.config.losses import ErrorLoss, QuantileLoss
from mtl.config.tasks import ForecastTask, Task
from mtl.results.examples import Example, Window, shown_values
from mtl.results.numbers import Metrics
from mtl.tasks.answers import Numbers
from mtl.tasks.base import Detail, RegressionSpec, TaskSpec, weighted_mean
from mtl.tasks.context import AtSource, Heads, Oracle
from mtl.tasks.criterion import Criterion
from mtl.tasks.error_losses import error_of, guess_of, mean_error, nearest_metric
from mtl.tasks.forecast_scores import forecast_metrics, forecast_optimum
from mtl.tasks.forms import RowsForm
from mtl.tasks.gaps import mean_of, sample_means, without_gaps
from mtl.types import SourceData


@dataclass(frozen=True, kw_only=True)
class RowsAhead(RegressionSpec):
    """The next H rows of some channels, whatever is said of each number."""

    shown: ClassVar[bool] = True

    targets: list[int]
    """Numbers of the T channels that are predicted."""
    horizon: int
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    """Scaler of the T channels, original units; empty: mean 0, standard deviation 1."""
    units: dict[str, str] = field(default_factory=dict)
    """Channel → unit in words, of those targets where it is known."""
    linear: tuple[Level, Channels] | None = None
    """Linear map that the network starts from; None without one."""
    gaps: bool = False
    """Some of the targets were not measured: they are NaN, and count nowhere."""

    @staticmethod
    def at_source(task: ForecastTask, at: AtSource) -> dict[str, Any]:
        """Members that a section of params.yaml and its source give, whatever the loss."""
        names = task.followed(at.channels)
        targets = [at.columns.index(column) for column in names]
        return TaskSpec.common(task, at) | {
            "targets": targets, "horizon": task.horizon,
            "mean": tuple(at.mean[targets].tolist()), "std": tuple(at.std[targets].tolist()),
            "units": {name: at.units[name] for name in names if name in at.units},
            "linear": None if task.linear is None else (task.linear.level, task.linear.channels),
            "gaps": at.gaps,
        }  # fmt: skip

    @classmethod
    def column(cls, source: SourceData, learns: str) -> None:
        return None

    @property
    def target_columns(self) -> list[str]:
        """Names of the T channels."""
        return [self.columns[number] for number in self.targets]

    @property
    def ahead_channels(self) -> Int[Tensor, " T"] | None:
        return None if self.targets == list(range(len(self.columns))) else torch.tensor(self.targets)

    @property
    def rows_ahead(self) -> int:
        return self.horizon

    def problem(self) -> str | None:
        wide, sizes = len(self.columns), {len(self.mean), len(self.std)}
        if not self.targets or not set(self.targets) <= set(range(wide)) or self.horizon < 1:
            return f"`targets` should be among the {wide} columns and `horizon` positive"
        if sizes not in ({0}, {len(self.targets)}):
            return f"`mean` and `std` should have a number for each of the {len(self.targets)} targets"
        return super().problem()

    def head(self, encoder: Heads, rate: float) -> nn.Module:
        return encoder.forecast_head(self.shape, self.targets, self.outputs, rate)

    def linear_map(self, encoder: Heads) -> nn.Module | None:
        if self.linear is None:
            return None
        return encoder.linear_map(self.linear, self.shape, self.targets, self.horizon, self.outputs // self.horizon)

    def original(self, values: Float[Tensor, "n T S"]) -> Float[Tensor, "n T S"]:
        """Values of the T channels in original units."""
        return values * self._std.float()[:, None] + self._mean.float()[:, None]

    def taken_from(self, other: TaskSpec, prediction: Float[Tensor, "n T S"]) -> Float[Tensor, "n T S"]:
        assert isinstance(other, RowsAhead)
        if (self.mean, self.std) == (other.mean, other.std):
            return prediction
        return (other.original(prediction) - self._mean.float()[:, None]) / self._std.float()[:, None]

    def errors_from(self, other: TaskSpec, errors: Float[Tensor, "T *S"]) -> Float[Tensor, "T *S"]:
        assert isinstance(other, RowsAhead)
        if self.std == other.std:
            return errors
        return errors * (other._std / self._std).float().reshape(-1, *[1] * (errors.ndim - 1))

    def encode(self, values: Float64[Tensor, "n T H"]) -> Float[Tensor, "n T H"]:
        return ((values - self._mean[:, None]) / self._std[:, None]).float()

    def truth(self, target: Float[Tensor, "n T H"]) -> Float[Tensor, "n T H"]:
        return self.original(target)

    @property
    def _mean(self) -> Float[Tensor, " T"]:
        return torch.tensor(self.mean or [0.0] * len(self.targets), dtype=torch.float64)

    @property
    def _std(self) -> Float[Tensor, " T"]:
        return torch.tensor(self.std or [1.0] * len(self.targets), dtype=torch.float64)


@dataclass(frozen=True, kw_only=True)
class Forecast(RowsAhead):
    """The next H rows of some channels, one number each."""

    kind: ClassVar[str] = "forecast"

    loss: ErrorLoss = "mse"

    @classmethod
    def resolve(cls, task: Task, at: AtSource) -> "Forecast":
        assert isinstance(task, ForecastTask) and not isinstance(task.loss, QuantileLoss)
        return cls(loss=task.loss, **cls.at_source(task, at))

    @property
    def outputs(self) -> int:
        return self.horizon

    @property
    def guess(self) -> float:
        return guess_of(self.loss)

    def blind(self, train: Tensor | None, count: int) -> Float[Tensor, "n T H"]:
        """Zeros: channels are z-scored by the training rows, whose mean is 0."""
        return torch.zeros(count, len(self.targets), self.horizon)

    @property
    def loss_metric(self) -> str:
        return nearest_metric(self.loss)

    @property
    def form(self) -> RowsForm:
        return RowsForm(tuple(self.targets), self.horizon)

    @classmethod
    def criterion(cls, specs: Sequence[Any]) -> Criterion:
        (spec,) = specs
        return _Errors(spec.loss, spec.gaps)

    def sample_losses(self, prediction: Float[Tensor, "n T H"], target: Float[Tensor, "n T H"]) -> Float[Tensor, " n"]:
        errors = error_of(self.loss, prediction, target)
        return sample_means(errors, target) if self.gaps else errors.flatten(1).mean(dim=1)

    def errors(self, prediction: Float[Tensor, "B T H"], target: Float[Tensor, "B T H"]) -> Float[Tensor, "B 1"]:
        errors = (prediction - target).square()
        return sample_means(errors, target)[:, None] if self.gaps else errors.mean(dim=(1, 2))[:, None]

    def score(
        self, prediction: Float[Tensor, "n T H"], target: Float[Tensor, "n T H"], detailed: bool
    ) -> tuple[Metrics, Detail]:
        return forecast_metrics(
            prediction, target, self._std.float(), self.target_columns, self.units if detailed else None
        )

    def combine(self, predictions: Sequence[Tensor], shares: Sequence[float]) -> Float[Tensor, "n T H"]:
        return weighted_mean(predictions, shares)

    def optimum(self, oracle: Oracle, rows: Int[Tensor, " n"], target: Float[Tensor, "n T H"]) -> Metrics | None:
        if oracle.ahead is None:
            return None
        return forecast_optimum(oracle.ahead, oracle.first, rows, target, self.targets, self._mean, self._std)

    def examples(
        self, x: Float[Tensor, "n C L"], prediction: Float[Tensor, "n T H"], target: Float[Tensor, "n T H"]
    ) -> Example:
        parts = [shown_values(self.original(values)) for values in (x[:, self.targets], target, prediction)]
        names = self.target_columns
        return Example(
            columns=names,
            units={name: unit for name, unit in self.units.items() if name in names},
            windows=[Window(input=i, truth=t, prediction=p) for i, t, p in zip(*parts, strict=True)],
        )

    def present(self, prediction: Float[Tensor, "n T H"]) -> dict[str, Any]:
        values = self.original(prediction)
        return {name: values[:, number] for number, name in enumerate(self.target_columns)}

    def answer(self, prediction: Float[Tensor, "n T H"]) -> Numbers:
        return Numbers(self.original(prediction).numpy(), self.target_columns, self.units)


class _Errors(Criterion):
    """Mean over samples, channels and horizon."""

    def __init__(self, loss: ErrorLoss, gaps: bool) -> None:
        super().__init__()
        self.loss, self.gaps = loss, gaps

    def forward(self, prediction: Tensor, target: Tensor, places: Sequence[int] | None = None) -> Float[Tensor, ""]:
        if not self.gaps:
            return mean_error(self.loss, prediction, target)
        return mean_of(error_of(self.loss, prediction, without_gaps(target, prediction)), target)
