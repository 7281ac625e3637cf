"""The contract of a kind of task: what a task of a run is, once it is resolved against its source.

Whoever trains, measures, balances or reports asks a task these questions and never which kind it is, so that a new kind
is one file here and one `case` in `mtl.tasks.every`.

B samples of a batch, n samples of a part, J tasks of a kind, C channels.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Bool, Float, Float64, Int
from pydantic import ConfigDict
from torch import Tensor, nn

from mtl.config.inputs import WINDOWS, InputKind, PartLayout, RowLayout
from mtl.config.metrics import METRICS, Family
from mtl.config.tasks import Task
from mtl.errors import shown
from mtl.results.decision import Cheapest, MeanCosts, Threshold
from mtl.results.examples import Example
from mtl.results.numbers import Metrics
from mtl.tasks.answers import Answer
from mtl.tasks.context import AtSource, Heads, Oracle
from mtl.tasks.criterion import Criterion
from mtl.tasks.forms import Form
from mtl.tasks.gaps import measured
from mtl.tasks.sample_errors import ratio_values
from mtl.types import NO_LABEL, SourceData

ABSENT = {"absent": True}
"""Marks a field of a task that is left out of what describes it while it is None."""
Detail = dict[str, Any]
"""Measurements of one task besides its metrics; plain values, as JSON has them."""


Noted = tuple[Float[Tensor, "B _"] | None, Bool[Tensor, "B _"] | None, Float[Tensor, "B _"] | None]
"""Probability of the true class and whether it was predicted, for labels; squared error, for numbers; else None."""


@dataclass(frozen=True, kw_only=True)
class TaskSpec(ABC):
    """One task, resolved against its source."""

    kind: ClassVar[str]
    family: ClassVar[Family]
    shown: ClassVar[bool] = False
    """Samples with what follows them are shown in the report."""
    stacked: ClassVar[bool] = False
    """It predicts one number a sample: tasks of the kind on the same samples are one layer and one loss."""
    at_positions: ClassVar[bool] = False
    """It predicts at every position of a sample."""
    probabilities: ClassVar[bool] = False
    """It predicts logits of classes, whose probabilities can be calibrated."""
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    """How a saved task is read."""

    name: str
    source: str
    shape: tuple[int, ...]
    """Shape of one sample: (C, L) of a window, (C, Y, X) of an image, (F,) of a row."""
    columns: list[str]
    """Inputs, in order: channels, or the numbers and then the categories of a row."""
    input: InputKind = WINDOWS
    """Kind of its samples."""
    metric: str
    """Name of the primary metric."""
    role: Literal["main", "auxiliary"] = "main"
    weight: float = 1.0
    dropout: float | None = None
    head_lr: float | None = None
    """Learning rate of the task's head; None takes that of the run."""
    layout: RowLayout | None = field(default=None, metadata=ABSENT)
    """Meaning of the numbers of a row; None where each is a number, and of other samples."""
    parts: tuple[PartLayout, ...] | None = field(default=None, metadata=ABSENT)
    """Parts of a mixed sample, in order; None of others."""

    @classmethod
    @abstractmethod
    def resolve(cls, task: Task, at: AtSource) -> "TaskSpec":
        """The task of a section of params.yaml at its source.

        Raises:
            DataError: its training samples do not hold what it needs.
        """

    @staticmethod
    def common(task: Task, at: AtSource) -> dict[str, Any]:
        """Members that a section of params.yaml and its source give, whatever the kind."""
        return {
            "name": at.name, "source": at.source, "input": at.input, "shape": at.shape, "columns": at.columns,
            "metric": task.primary_metric, "role": task.role, "weight": task.weight, "dropout": task.dropout,
            "head_lr": task.head_lr, "layout": at.layout, "parts": at.parts or None,
        }  # fmt: skip

    @classmethod
    @abstractmethod
    def column(cls, source: SourceData, learns: str) -> Tensor | None:
        """Targets of all rows or samples of a source, as it holds them; None for what follows a sample."""

    @classmethod
    def unmeasurable(cls, metric: str, values: Tensor, classes: int) -> str | None:
        """The reason why no predictions give a metric on samples with these targets, of so many classes; None where
        they do."""
        return None

    @property
    def lower_is_better(self) -> bool:
        """Direction of the primary metric."""
        return METRICS[self.metric].lower_is_better

    @property
    def at_steps(self) -> bool:
        """It predicts at every row of a window."""
        return self.at_positions and self.input.has_length

    @property
    def input_len(self) -> int:
        """Rows of a window; 0 for samples without any."""
        return self.shape[1] if len(self.shape) == 2 else 0

    @property
    def samples(self) -> tuple[str, tuple[int, ...]]:
        """Source and shape of a sample as a user gives it: tasks that agree in both read the same samples. What
        networks see of a row of a table may depend on the training rows, and does not count."""
        return self.source, () if self.input.tabular else self.shape

    @property
    def rows_ahead(self) -> int:
        """Rows behind a sample that belong to it; 0 where the target belongs to the sample itself."""
        return 0

    def problem(self) -> str | None:
        """The reason why the values read from a file make no task, in words; None where they make one."""
        if self.metric not in METRICS:
            return f"`metric` should be one of {', '.join(METRICS)}, found {shown(self.metric)}"
        if self.layout is not None:
            wide, counts = self.layout.width, [self.layout.numbers, *self.layout.flags, *self.layout.codes]
            if self.shape != (wide,) or len(self.columns) + len(self.layout.flags) != wide or min(counts) < 0:
                return f"`shape` should be that of `layout` ({wide}), with a column for each number and category"
        elif self.parts is not None:
            wide, count = sum(part.numbers for part in self.parts), sum(part.columns for part in self.parts)
            whole = all(part.numbers > 0 and None not in part.shape for part in self.parts)
            if not self.input.mixed or not whole or self.shape != (wide,) or len(self.columns) != count:
                return f"`shape` should be that of `parts` ({wide}), with {count} columns"
        elif self.input.mixed or not self.shape or min(self.shape) < 1 or len(self.columns) != self.shape[0]:
            return f"`shape` should be positive and begin with the {len(self.columns)} columns, found {self.shape}"
        return None

    @property
    @abstractmethod
    def outputs(self) -> int:
        """Numbers predicted a sample; of a forecast, for each channel."""

    @property
    @abstractmethod
    def guess(self) -> float:
        """Training loss of a predictor that has seen no input."""

    @abstractmethod
    def blind(self, train: Tensor | None, count: int) -> Tensor:
        """Predictions by the training targets alone, without any input: their mean, or the shares of their classes.

        Args:
            train: targets of the training samples, as `encode` gives them; None for what follows a sample.
            count: n.
        """

    @property
    @abstractmethod
    def loss_metric(self) -> str:
        """Name of the metric that is closest to the training loss; it decides between equal primary metrics."""

    def of_one_step(self, rows: int) -> "TaskSpec":
        """The task of the last row alone, of windows of so many rows; only of a kind that predicts at every row."""
        raise NotImplementedError

    @property
    def form(self) -> Form | None:
        """Form of what is predicted, by which simple models are chosen; None for a kind that only the predictor
        without input (`blind`) knows how to serve."""
        return None

    @abstractmethod
    def head(self, encoder: Heads, rate: float) -> nn.Module:
        """The task's head on an encoder, with its dropout rate."""

    def linear_map(self, encoder: Heads) -> nn.Module | None:
        """Map of the raw sample that the prediction of the head is added to; None for tasks without one."""
        return None

    @classmethod
    @abstractmethod
    def criterion(cls, specs: Sequence[Any]) -> "Criterion":
        """The training loss: of one task, or of all J tasks of a kind that is stacked."""

    @property
    def ahead_channels(self) -> Int[Tensor, " T"] | None:
        """Channels of the rows that follow a sample which are predicted; None for all, and where none are."""
        return None

    def encode(self, values: Tensor) -> Tensor:
        """Targets as they are trained on, of targets as the source holds them; those missing stay so."""
        return values

    @abstractmethod
    def sample_losses(self, prediction: Tensor, target: Tensor) -> Float[Tensor, " n"]:
        """Unweighted loss of each sample."""

    def judged_errors(self, prediction: Tensor, target: Tensor) -> Float64[Tensor, " n"] | None:
        """Error of each sample whose mean over samples is the primary metric, or 1 less the metric where higher is
        better (`mtl.tasks.sample_errors`); None where there is no such number."""
        return None

    @abstractmethod
    def noted(self, prediction: Tensor, target: Tensor) -> Noted:
        """Values that a data map notes of each sample: of this task, or of all J tasks of the stack that it is in."""

    @abstractmethod
    def score(self, prediction: Tensor, target: Tensor, detailed: bool) -> tuple[Metrics, Detail]:
        """Metrics of predictions, and their detail.

        Args:
            prediction: of n samples.
            target: theirs, as `encode` gives them; none is missing.
            detailed: every metric and its detail; else what an epoch of training is judged by.

        Raises:
            DataError: there is no sample.
        """

    def taken_from(self, other: "TaskSpec", prediction: Tensor) -> Tensor:
        """Predictions of another run of the task, whose targets may be scaled by other training samples, on the scale
        of this one."""
        return prediction

    def errors_from(self, other: "TaskSpec", errors: Tensor) -> Tensor:
        """Errors of another run of the task, target less prediction, on the scale of this one."""
        return errors

    def decided_by(self, decision: Threshold | Cheapest | None) -> "TaskSpec":
        """This task with a rule by which a class is said; the same where none is said."""
        return self

    def decided_as(self, other: "TaskSpec") -> "TaskSpec":
        """This task with the rule by which another run of it says a class; the same where no class is said."""
        return self

    @property
    def class_names(self) -> list[str]:
        """Names of the classes, in the order of their numbers; empty where there are none."""
        return []

    def margins(self, chance: Float[Tensor, "n k"]) -> Float[Tensor, " n"]:
        """Distance of each sample from where another class would be said; of tasks with classes alone."""
        raise NotImplementedError

    def mean_costs(self, prediction: Tensor, target: Tensor) -> MeanCosts | None:
        """Mean costs of the classes that are said; None where no rule by costs says them."""
        return None

    @abstractmethod
    def combine(self, predictions: Sequence[Tensor], shares: Sequence[float]) -> Tensor:
        """One prediction of several models', weighted by their shares, which sum to 1."""

    @abstractmethod
    def optimum(self, oracle: Oracle, rows: Int[Tensor, " n"], target: Tensor) -> Metrics | None:
        """Metrics of the best possible predictor on samples that end at `rows`; None where it is not known."""

    def examples(self, x: Tensor, prediction: Tensor, target: Tensor) -> Example | None:
        """A few samples to look at, original units; None for kinds whose samples are not shown."""
        return None

    @abstractmethod
    def present(self, prediction: Tensor) -> dict[str, Any]:
        """Predictions of n samples as a user reads them: original units, or class names and probabilities.

        Returns:
            Name of a column → its n values (tensor, or list of text).
        """

    @abstractmethod
    def answer(self, prediction: Tensor) -> Answer:
        """Predictions of n samples as a loaded model gives them."""

    @abstractmethod
    def truth(self, target: Tensor) -> Any:
        """Targets of n samples as a user reads them: a tensor in original units, or a list of class names."""


@dataclass(frozen=True, kw_only=True)
class RegressionSpec(TaskSpec):
    """A task whose loss is an error of numbers."""

    family: ClassVar[Family] = "regression"

    metric: str = "mse"

    @abstractmethod
    def errors(self, prediction: Tensor, target: Tensor) -> Float[Tensor, "B _"]:
        """Mean squared error of each sample: of this task [B, 1], or of J stacked ones [B, J]."""

    def noted(self, prediction: Tensor, target: Tensor) -> Noted:
        return None, None, self.errors(prediction, target)

    def judged_errors(self, prediction: Tensor, target: Tensor) -> Float64[Tensor, " n"] | None:
        match self.metric:
            case "crps" if not bool(target.isnan().any()):
                return self.sample_losses(prediction.double(), target.double())
            case "crps":
                there = measured(target).flatten(1).sum(dim=1).double()
                mean = self.sample_losses(prediction.double(), target.double())
                return ratio_values(mean * there, there)
            case "mse" | "mae":
                error = (self.point(prediction.double()) - target.double()).reshape(len(target), -1)
                size = error.square() if self.metric == "mse" else error.abs()
                return _over_cells(size, measured(target).reshape(len(target), -1))
            case _:
                return None

    def point(self, prediction: Tensor) -> Tensor:
        """The one number of each target that predictions come to."""
        return prediction


def known(values: Tensor) -> Bool[Tensor, " n"]:
    """Mask of the targets that are there, of class numbers or of numbers; of classes at positions, those with some."""
    there = ~values.isnan() if values.is_floating_point() else values != NO_LABEL
    return there if there.ndim == 1 else there.any(dim=1)


def _over_cells(values: Float64[Tensor, "n _"], there: Bool[Tensor, "n _"]) -> Float64[Tensor, " n"] | None:
    """Means of each sample; where cells were not measured, numbers whose mean is that over all that were."""
    if bool(there.all()):
        return values.mean(dim=1)
    return ratio_values(torch.where(there, values, 0.0).sum(dim=1), there.sum(dim=1).double())


def weighted_mean(parts: Sequence[Tensor], shares: Sequence[float]) -> Tensor:
    """Σ share · part."""
    return torch.stack([share * part for share, part in zip(shares, parts, strict=True)]).sum(dim=0)
