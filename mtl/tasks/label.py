"""The contract of a kind of task that learns a label.

B samples of a batch, n samples of a part, J tasks of a kind.
"""

from abc import abstractmethod
from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor

from mtl.config.metrics import Family
from mtl.errors import shown
from mtl.results.decision import Cheapest, MeanCosts, Threshold
from mtl.tasks.base import ABSENT, Noted, TaskSpec
from mtl.tasks.decisions import decided, margins, mean_cost
from mtl.tasks.no_skill import unmeasurable
from mtl.tasks.sample_errors import label_errors
from mtl.types import SourceData


@dataclass(frozen=True, kw_only=True)
class LabelSpec(TaskSpec):
    """A task whose loss is a likelihood of classes."""

    family: ClassVar[Family] = "classification"
    probabilities: ClassVar[bool] = True

    metric: str = "accuracy"
    label: str = ""
    """Its label at the source."""
    classes: list[str] = field(default_factory=list)
    """Names, in the order of the numbers."""
    class_weights: tuple[float, ...] | None = None
    """Weight of each class; of a binary task (pos_weight,)."""
    focal: float | None = field(default=None, metadata=ABSENT)
    """Exponent of the focal loss; None: plain cross-entropy."""
    decision: Threshold | Cheapest | None = field(default=None, metadata=ABSENT)
    """Rule by which a deployed model says a class; None: the most probable one."""
    f1_over: tuple[int, ...] | None = field(default=None, metadata=ABSENT)
    """Classes that `macro_f1` is the mean over; None: all."""

    def problem(self) -> str | None:
        if len(self.classes) < 2:
            return f"`classes` should have at least two names, found {shown(self.classes)}"
        return super().problem()

    @classmethod
    def column(cls, source: SourceData, learns: str) -> Tensor | None:
        return source.labels[learns]

    @classmethod
    def unmeasurable(cls, metric: str, values: Int[Tensor, " n"], classes: int) -> str | None:
        return unmeasurable(metric, torch.bincount(values, minlength=classes).tolist())

    @property
    def loss_metric(self) -> str:
        return "loss"

    @classmethod
    @abstractmethod
    def certainty(cls, prediction: Tensor, target: Tensor) -> tuple[Float[Tensor, "B _"], Bool[Tensor, "B _"]]:
        """(p of the true label, whether it was predicted): of one task [B, 1], or of J stacked ones [B, J]; what
        stands for a missing label means nothing."""

    def noted(self, prediction: Tensor, target: Tensor) -> Noted:
        return *self.certainty(prediction, target), None

    def judged_errors(self, prediction: Tensor, target: Int[Tensor, " n"]) -> Float64[Tensor, " n"] | None:
        said = None if self.decision is None else self.said(prediction)
        return label_errors(self.metric, prediction.double(), target, said, self.f1_over)

    def said(self, prediction: Tensor) -> Int[Tensor, " n"]:
        """Numbers of the classes that are said."""
        return decided(prediction, self.decision)

    def decided_as(self, other: TaskSpec) -> TaskSpec:
        return self.decided_by(other.decision) if isinstance(other, LabelSpec) else self

    def decided_by(self, decision: Threshold | Cheapest | None) -> TaskSpec:
        return replace(self, decision=decision)

    @property
    def class_names(self) -> list[str]:
        return self.classes

    def margins(self, chance: Float[Tensor, "n k"]) -> Float[Tensor, " n"]:
        return margins(chance, self.decision)

    def mean_costs(self, prediction: Tensor, target: Int[Tensor, " n"]) -> MeanCosts | None:
        if self.decision is None:
            return None
        usual, chosen = (
            mean_cost(decided(prediction, by), target, self.decision.matrix) for by in (None, self.decision)
        )
        return MeanCosts(usual=usual, chosen=chosen)

    def truth(self, target: Int[Tensor, " n"]) -> list[str]:
        return [self.classes[number] for number in target.tolist()]
