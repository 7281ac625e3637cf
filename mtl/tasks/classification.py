"""One of two or more classes; cross-entropy.

B samples of a batch, n of a part, k classes.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from mtl.config.linear_map import MOST_KERNELS, USUAL_KERNELS, KernelStart
from mtl.config.tasks import ClassificationTask, Task
from mtl.errors import DataError, SettingError
from mtl.results.numbers import Metrics
from mtl.tasks.answers import Classes
from mtl.tasks.base import Detail, weighted_mean
from mtl.tasks.context import AtSource, Heads, Oracle
from mtl.tasks.criterion import Criterion, weighted_mean_of
from mtl.tasks.focal import focal_guess, focused
from mtl.tasks.forms import LabelForm
from mtl.tasks.label import LabelSpec
from mtl.tasks.label_scores import label_metrics, label_optimum

TINY = 1e-7
"""Probabilities are kept this far from 0 and 1, so that the loss of an ensemble is a number."""


@dataclass(frozen=True, kw_only=True)
class Classification(LabelSpec):
    """One of k classes, k logits a sample."""

    kind: ClassVar[str] = "classification"

    linear: int | None = None
    """Random kernels of the ridge regression that its network starts from, of a row of a table 0; None: it starts from
    none."""

    @classmethod
    def resolve(cls, task: Task, at: AtSource) -> "Classification":
        assert isinstance(task, ClassificationTask) and at.learns is not None
        counts = class_counts(at)
        weights = None
        if task.class_weights == "balanced":
            weights = tuple((counts.sum() / (len(counts) * counts)).tolist())
        return cls(
            **cls.common(task, at),
            label=at.learns,
            classes=at.classes,
            class_weights=weights,
            focal=task.focal,
            linear=None if task.linear is None else _kernels(task.linear, at),
            f1_over=None if task.f1_over is None else class_places(task.f1_over, at),
        )

    @property
    def outputs(self) -> int:
        return len(self.classes)

    @property
    def guess(self) -> float:
        return focal_guess(max(2, len(self.classes)), self.focal)

    def blind(self, train: Tensor | None, count: int) -> Float[Tensor, "n k"]:
        assert train is not None
        shares = torch.bincount(train.long(), minlength=len(self.classes)) / len(train)
        return shares.log().expand(count, -1)

    @property
    def form(self) -> LabelForm:
        return LabelForm(len(self.classes), False, self.class_weights)

    def head(self, encoder: Heads, rate: float) -> nn.Module:
        return encoder.vector_head(self.shape, self.outputs, rate)

    def linear_map(self, encoder: Heads) -> nn.Module | None:
        if self.linear == 0:
            return encoder.row_map(self.shape[0], self.layout, self.outputs)
        return None if self.linear is None else encoder.kernel_map(self.linear, self.shape, self.outputs)

    def problem(self) -> str | None:
        of_row = self.linear == 0 and len(self.shape) == 1
        if self.f1_over is not None and not all(0 <= place < len(self.classes) for place in self.f1_over):
            return f"`f1_over` should be places of its {len(self.classes)} classes, found {self.f1_over}"
        if self.linear is not None and not of_row and not 1 <= self.linear <= MOST_KERNELS:
            return f"`linear` should be from 1 to {MOST_KERNELS:,} kernels, found {self.linear}"
        return super().problem()

    @classmethod
    def criterion(cls, specs: Sequence[Any]) -> Criterion:
        (spec,) = specs
        return _CrossEntropy(spec.class_weights, spec.focal)

    def sample_losses(self, prediction: Float[Tensor, "n k"], target: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
        return focused(functional.cross_entropy(prediction, target, reduction="none"), self.focal)

    @classmethod
    def certainty(
        cls, prediction: Float[Tensor, "B k"], target: Int[Tensor, " B"]
    ) -> tuple[Float[Tensor, "B 1"], Bool[Tensor, "B 1"]]:
        p = prediction.softmax(dim=1).gather(1, target.clamp(min=0)[:, None])
        return p, prediction.argmax(dim=1, keepdim=True) == target[:, None]

    def score(
        self, prediction: Float[Tensor, "n k"], target: Int[Tensor, " n"], detailed: bool
    ) -> tuple[Metrics, Detail]:
        return label_metrics(prediction, target, self.classes, self.metric, detailed, self.decision, self.f1_over)

    def combine(self, predictions: Sequence[Tensor], shares: Sequence[float]) -> Float[Tensor, "n k"]:
        p = weighted_mean([prediction.softmax(dim=1) for prediction in predictions], shares)
        return p.clamp(min=TINY).log()

    def optimum(self, oracle: Oracle, rows: Int[Tensor, " n"], target: Int[Tensor, " n"]) -> Metrics | None:
        if self.label not in oracle.labels:
            return None
        best = label_optimum(oracle.labels[self.label], oracle.first, rows, target)
        return best if self.f1_over is None else {name: value for name, value in best.items() if name != "macro_f1"}

    def present(self, prediction: Float[Tensor, "n k"]) -> dict[str, Any]:
        chance = prediction.softmax(dim=1)
        names = [self.classes[number] for number in self.said(prediction).tolist()]
        return {"class": names} | {f"p({name})": chance[:, number] for number, name in enumerate(self.classes)}

    def answer(self, prediction: Float[Tensor, "n k"]) -> Classes:
        chance = prediction.softmax(dim=1)
        names = [self.classes[number] for number in self.said(prediction).tolist()]
        return Classes(names, self.classes, chance.numpy())


def class_places(names: Sequence[str], at: AtSource) -> tuple[int, ...]:
    """Numbers of some classes.

    Raises:
        SettingError: there is no such class.
    """
    odd = next((name for name in names if name not in at.classes), None)
    if odd is not None:
        raise SettingError(f"tasks.{at.name}.f1_over", f"should be among {', '.join(at.classes)}, found {odd!r}.")
    return tuple(sorted(at.classes.index(name) for name in names))


def _kernels(linear: KernelStart, at: AtSource) -> int:
    """Random kernels of a start at ridge regression; 0 for rows, which have none."""
    if at.input.dimensions == 1:
        return 0
    return USUAL_KERNELS if linear.kernels is None else linear.kernels


class _CrossEntropy(Criterion):
    """Mean over samples, weighted by their classes where those have weights; easy samples may count for less."""

    weight: Tensor | None

    def __init__(self, weights: tuple[float, ...] | None, gamma: float | None) -> None:
        super().__init__()
        self.gamma = gamma
        self.register_buffer("weight", None if weights is None else torch.tensor(weights), persistent=False)

    def forward(self, prediction: Tensor, target: Tensor, places: Sequence[int] | None = None) -> Float[Tensor, ""]:
        if self.gamma is None:
            return functional.cross_entropy(prediction, target, weight=self.weight)
        return self.weighted(prediction, target, torch.ones_like(prediction[:, 0]))

    def weighted(self, prediction: Tensor, target: Tensor, weights: Float[Tensor, " B"]) -> Float[Tensor, ""]:
        losses = focused(functional.cross_entropy(prediction, target, reduction="none"), self.gamma)
        return weighted_mean_of(losses, weights if self.weight is None else weights * self.weight[target])


def class_counts(at: AtSource) -> Int[Tensor, " k"]:
    """Training samples of each class.

    Raises:
        DataError: there is none of some class.
    """
    assert at.values is not None
    counts = torch.bincount(at.values, minlength=len(at.classes))
    absent = [at.classes[number] for number in (counts == 0).nonzero().squeeze(1).tolist()]
    if absent:
        missing = json.dumps([absent[0]], ensure_ascii=False)
        raise DataError(
            f"tasks.{at.name}: no training sample of class {absent[0]!r}: choose other parts of the source, or leave "
            f"the class out, as `missing: {missing}` of a table does, beside other texts that stand for no label."
        )
    return counts
