"""One of k classes at every position of a sample, such as a tag of each word or of each row of a series; cross-entropy.

B samples of a batch, n of a part, P positions, k classes. Positions without a class, and those that a network does not
reach (a text that was cut) or that another sample answers (rows in which windows overlap), count in nothing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor, nn
from torch.nn import functional

from mtl.config.metrics import Family
from mtl.config.tagging import TaggingTask
from mtl.config.tasks import Task
from mtl.errors import DataError, SettingError, shown
from mtl.results.numbers import Metrics
from mtl.tasks.answers import Tags
from mtl.tasks.base import ABSENT, Detail, Noted, TaskSpec, weighted_mean
from mtl.tasks.binary import Binary
from mtl.tasks.classification import Classification, class_places
from mtl.tasks.context import AtSource, Heads, Oracle
from mtl.tasks.criterion import Criterion, weighted_mean_of
from mtl.tasks.forms import TagForm
from mtl.tasks.no_skill import unmeasurable
from mtl.tasks.spans import are_spans
from mtl.tasks.tag_scores import Positions, tag_errors, tag_metrics
from mtl.types import NO_LABEL, SourceData, TextSet

TINY = torch.finfo(torch.float32).tiny
OF_TWO = ("f1", "average_precision")
"""Metrics of the second of two classes."""


@dataclass(frozen=True, kw_only=True)
class Tagging(TaskSpec):
    """A class at every position, k logits each."""

    kind: ClassVar[str] = "tagging"
    family: ClassVar[Family] = "classification"
    at_positions: ClassVar[bool] = True

    metric: str = "accuracy"
    label: str = ""
    """Name of its tags at the source."""
    classes: list[str] = field(default_factory=list)
    """Names, in the order of the numbers."""
    f1_over: tuple[int, ...] | None = field(default=None, metadata=ABSENT)
    """Classes that `macro_f1` is the mean over; None: all."""

    @classmethod
    def resolve(cls, task: Task, at: AtSource) -> "Tagging":
        assert isinstance(task, TaggingTask) and at.learns is not None and at.values is not None
        counts = torch.bincount(at.values[at.values != NO_LABEL], minlength=len(at.classes))
        absent = [at.classes[number] for number in (counts == 0).nonzero().squeeze(1).tolist()]
        if absent:
            raise DataError(
                f"tasks.{at.name}: no training sample has the tag {absent[0]!r}: choose other parts of the source, or "
                "tags of which each is there."
            )
        if task.primary_metric == "span_f1" and not are_spans(at.classes):
            raise SettingError(
                f"tasks.{at.name}.metric",
                f"should be {', '.join(name for name in task.metrics if name != 'span_f1')}, for the tags of "
                f"{at.learns} name no spans (O, B-TYPE, I-TYPE) but {shown(at.classes[0])}; found 'span_f1'.",
            )
        if task.primary_metric in OF_TWO and len(at.classes) != 2:
            allowed = ", ".join(name for name in task.metrics if name not in OF_TWO)
            raise SettingError(
                f"tasks.{at.name}.metric",
                f"should be {allowed}, for {at.learns} has {len(at.classes)} classes and {task.metric} is of the "
                f"second of two; found {task.metric!r}. `f1_over` narrows `macro_f1` to some of them.",
            )
        over = None if task.f1_over is None else class_places(task.f1_over, at)
        return cls(**cls.common(task, at), label=at.learns, classes=at.classes, f1_over=over)

    @classmethod
    def column(cls, source: SourceData, learns: str) -> Int[Tensor, "S P"] | Int[Tensor, " R"]:
        """Tags of the words of each text, or of the rows of a series."""
        if isinstance(source, TextSet):
            return source.tags_side_by_side(learns)
        return source.labels[learns].to(torch.int16)

    @classmethod
    def unmeasurable(cls, metric: str, values: Int[Tensor, "n P"], classes: int) -> str | None:
        if metric == "span_f1":
            return None
        return unmeasurable(metric, torch.bincount(values[values != NO_LABEL], minlength=classes).tolist())

    def problem(self) -> str | None:
        if len(self.classes) < 2:
            return f"`classes` should have at least two names, found {shown(self.classes)}"
        if self.metric in OF_TWO and len(self.classes) != 2:
            return f"`metric` {self.metric} should be of two `classes`, found {shown(self.classes)}"
        if self.f1_over is not None and not all(0 <= place < len(self.classes) for place in self.f1_over):
            return f"`f1_over` should be places of its {len(self.classes)} classes, found {self.f1_over}"
        return super().problem()

    def of_one_step(self, rows: int) -> TaskSpec:
        """The task of the class of the last row alone, of windows of so many rows."""
        whole: dict[str, Any] = {
            "name": self.name, "source": self.source, "shape": (self.shape[0], rows), "columns": self.columns,
            "input": self.input, "label": self.label, "classes": self.classes,
        }  # fmt: skip
        metric = "accuracy" if self.metric == "span_f1" else self.metric
        if len(self.classes) == 2 and self.f1_over is None:
            return Binary(**whole, metric=metric)
        return Classification(**whole, metric=metric, f1_over=self.f1_over)

    @property
    def outputs(self) -> int:
        return len(self.classes)

    @property
    def guess(self) -> float:
        return math.log(max(2, len(self.classes)))

    def blind(self, train: Tensor | None, count: int) -> Float[Tensor, "n P k"]:
        assert train is not None
        shares = torch.bincount(train[train != NO_LABEL], minlength=len(self.classes)).double()
        return (shares / shares.sum()).clamp(min=TINY).log().float().expand(count, train.shape[1], -1)

    @property
    def loss_metric(self) -> str:
        return "loss"

    @property
    def form(self) -> TagForm:
        return TagForm(len(self.classes))

    def head(self, encoder: Heads, rate: float) -> nn.Module:
        return encoder.position_head(self.shape, self.outputs, rate)

    @classmethod
    def criterion(cls, specs: Sequence[Any]) -> Criterion:
        return _PositionEntropy()

    def sample_losses(self, prediction: Float[Tensor, "n P k"], target: Int[Tensor, "n Q"]) -> Float[Tensor, " n"]:
        at = Positions.of(prediction, target)
        return at.mean_of(functional.cross_entropy(at.logits, at.truth, reduction="none"))

    def judged_errors(
        self, prediction: Float[Tensor, "n P k"], target: Int[Tensor, "n Q"]
    ) -> Float64[Tensor, " n"] | None:
        return tag_errors(self.metric, Positions.of(prediction, target), self.classes, self.f1_over)

    def noted(self, prediction: Float[Tensor, "B P k"], target: Int[Tensor, "B Q"]) -> Noted:
        """The mean of p(true class) over the positions of a sample, and whether all of them are right."""
        at = Positions.of(prediction, target)
        p = at.logits.softmax(dim=1).gather(1, at.truth[:, None])[:, 0]
        right = at.mean_of((at.logits.argmax(dim=1) == at.truth).float())
        return at.mean_of(p)[:, None], (right == 1)[:, None], None

    def score(
        self, prediction: Float[Tensor, "n P k"], target: Int[Tensor, "n Q"], detailed: bool
    ) -> tuple[Metrics, Detail]:
        return tag_metrics(Positions.of(prediction, target), self.classes, self.f1_over)

    @property
    def class_names(self) -> list[str]:
        return self.classes

    def margins(self, chance: Float[Tensor, "n P k"]) -> Float[Tensor, "n P"]:
        """Distance of each position from where another class would be said."""
        first, second = chance.topk(2, dim=-1).values.unbind(dim=-1)
        return first - second

    def combine(self, predictions: Sequence[Tensor], shares: Sequence[float]) -> Float[Tensor, "n P k"]:
        p = weighted_mean([prediction.softmax(dim=-1) for prediction in predictions], shares)
        return p.clamp(min=TINY).log()

    def optimum(self, oracle: Oracle, rows: Int[Tensor, " n"], target: Int[Tensor, "n P"]) -> Metrics | None:
        return None

    def present(self, prediction: Float[Tensor, "n P k"]) -> dict[str, Any]:
        """The tags with blanks between, and the mean probability of these."""
        said = self.answer(prediction)
        sure = [float(chance.max(axis=1).mean()) if len(chance) else math.nan for chance in said.probabilities]
        return {"class": [" ".join(tags) for tags in said.predicted], "p(tags)": torch.tensor(sure)}

    def answer(self, prediction: Float[Tensor, "n P k"]) -> Tags:
        there = ~prediction[..., 0].isnan()
        chances = [own[inside].softmax(dim=1).numpy() for own, inside in zip(prediction, there, strict=True)]
        names = [[self.classes[number] for number in chance.argmax(axis=1)] for chance in chances]
        return Tags(names, self.classes, chances)

    def truth(self, target: Int[Tensor, "n P"]) -> list[str]:
        """The tags with blanks between, `_` where there is none."""
        names = [*self.classes, "_"]  # the last of which is that of NO_LABEL, -1
        rows = [row[: last + 1] for row, last in zip(target.tolist(), _last(target), strict=True)]
        return [" ".join(names[number] for number in row) for row in rows]


def _last(target: Int[Tensor, "n P"]) -> list[int]:
    """Place of the last position of each sample that has a class; -1 without any."""
    there: Bool[Tensor, "n P"] = target != NO_LABEL
    return (there * torch.arange(1, target.shape[1] + 1)).amax(dim=1).sub(1).tolist()


class _PositionEntropy(Criterion):
    """Mean over the positions that have a class, whichever samples they belong to."""

    def forward(self, prediction: Tensor, target: Tensor, places: Sequence[int] | None = None) -> Float[Tensor, ""]:
        at = Positions.of(prediction, target)
        return functional.cross_entropy(at.logits, at.truth)

    def weighted(self, prediction: Tensor, target: Tensor, weights: Float[Tensor, " B"]) -> Float[Tensor, ""]:
        at = Positions.of(prediction, target)
        losses = functional.cross_entropy(at.logits, at.truth, reduction="none")
        return weighted_mean_of(losses, weights[at.sample])
