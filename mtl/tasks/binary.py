"""Yes or no; one logit, binary cross-entropy. Binary tasks on the same samples are one layer and one loss.

B samples of a batch, n of a part, J binary tasks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from mtl.config.tasks import BinaryTask, Task
from mtl.results.numbers import Metrics
from mtl.tasks.answers import Classes
from mtl.tasks.base import ABSENT, Detail, weighted_mean
from mtl.tasks.classification import TINY, class_counts
from mtl.tasks.context import AtSource, Heads, Oracle
from mtl.tasks.criterion import Criterion
from mtl.tasks.focal import focal_factor, focal_guess, focused
from mtl.tasks.forms import LabelForm
from mtl.tasks.label import LabelSpec
from mtl.tasks.label_scores import label_metrics, label_optimum


@dataclass(frozen=True, kw_only=True)
class Binary(LabelSpec):
    """Class 1 against class 0, one logit a sample."""

    kind: ClassVar[str] = "binary"
    stacked: ClassVar[bool] = True

    linear: bool | None = field(default=None, metadata=ABSENT)
    """Its network starts at logistic regression of the row."""

    @classmethod
    def resolve(cls, task: Task, at: AtSource) -> "Binary":
        assert isinstance(task, BinaryTask) and at.learns is not None
        counts = class_counts(at)
        balanced = task.class_weights == "balanced"
        return cls(
            **cls.common(task, at), label=at.learns, classes=at.classes,
            class_weights=(float(counts[0] / counts[1]),) if balanced else None, focal=task.focal,
            linear=None if task.linear is None else True,
        )  # fmt: skip

    @property
    def outputs(self) -> int:
        return 1

    @property
    def guess(self) -> float:
        return focal_guess(2, self.focal)

    def blind(self, train: Tensor | None, count: int) -> Float[Tensor, " n"]:
        assert train is not None
        return train.double().mean().logit().float().expand(count)

    @property
    def form(self) -> LabelForm:
        return LabelForm(2, True, None if self.class_weights is None else (1.0, self.class_weights[0]))

    def head(self, encoder: Heads, rate: float) -> nn.Module:
        return encoder.vector_head(self.shape, 1, rate)

    def linear_map(self, encoder: Heads) -> nn.Module | None:
        return None if self.linear is None else encoder.row_map(self.shape[0], self.layout, 1)

    @classmethod
    def criterion(cls, specs: Sequence[Any]) -> Criterion:
        return _BinaryCrossEntropy([spec.class_weights for spec in specs], [spec.focal for spec in specs])

    def sample_losses(self, prediction: Float[Tensor, " n"], target: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
        losses = functional.binary_cross_entropy_with_logits(prediction, target.to(prediction.dtype), reduction="none")
        return focused(losses, self.focal)

    @classmethod
    def certainty(
        cls, prediction: Float[Tensor, "B J"], target: Int[Tensor, "B J"]
    ) -> tuple[Float[Tensor, "B J"], Bool[Tensor, "B J"]]:
        return torch.sigmoid(prediction * (2 * target - 1)), (prediction > 0) == (target == 1)

    def score(
        self, prediction: Float[Tensor, " n"], target: Int[Tensor, " n"], detailed: bool
    ) -> tuple[Metrics, Detail]:
        return label_metrics(prediction, target, self.classes, self.metric, detailed, self.decision)

    def combine(self, predictions: Sequence[Tensor], shares: Sequence[float]) -> Float[Tensor, " n"]:
        return weighted_mean([prediction.sigmoid() for prediction in predictions], shares).logit(eps=TINY)

    def optimum(self, oracle: Oracle, rows: Int[Tensor, " n"], target: Int[Tensor, " n"]) -> Metrics | None:
        if self.label not in oracle.labels:
            return None
        return label_optimum(oracle.labels[self.label], oracle.first, rows, target, binary=True)

    def present(self, prediction: Float[Tensor, " n"]) -> dict[str, Any]:
        chance = prediction.sigmoid()
        names = [self.classes[number] for number in self.said(prediction).tolist()]
        return {"class": names, f"p({self.classes[0]})": 1 - chance, f"p({self.classes[1]})": chance}

    def answer(self, prediction: Float[Tensor, " n"]) -> Classes:
        chance = prediction.sigmoid()
        names = [self.classes[number] for number in self.said(prediction).tolist()]
        return Classes(names, self.classes, torch.stack([1 - chance, chance], dim=1).numpy())


class _BinaryCrossEntropy(Criterion):
    """Loss of each sample of each task, positives weighted and easy samples discounted where a task says so."""

    positive: Tensor | None
    gamma: Tensor | None

    def __init__(self, weights: Sequence[tuple[float, ...] | None], gammas: Sequence[float | None]) -> None:
        super().__init__()
        discounted = any(gamma is not None for gamma in gammas)
        gamma = torch.tensor([0.0 if gamma is None else gamma for gamma in gammas]) if discounted else None
        self.register_buffer("gamma", gamma, persistent=False)
        positive = torch.tensor([1.0 if weight is None else weight[0] for weight in weights])
        self.register_buffer("positive", positive if any(weights) else None, persistent=False)

    def forward(self, prediction: Tensor, target: Tensor, places: Sequence[int] | None = None) -> Float[Tensor, "B J"]:
        positive = self.positive if self.positive is None or places is None else self.positive[list(places)]
        wanted = target.to(prediction.dtype)
        losses = functional.binary_cross_entropy_with_logits(prediction, wanted, pos_weight=positive, reduction="none")
        if self.gamma is None:
            return losses
        gamma = self.gamma if places is None else self.gamma[list(places)]
        plain = functional.binary_cross_entropy_with_logits(prediction, wanted, reduction="none")
        return focal_factor(plain, gamma) * losses
