"""Targets and features of the samples of a task as simple models are fitted to them, and the choice among maps.

n, m samples, P features, O outputs.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from mtl.config.metrics import METRICS
from mtl.simple.linear import Map, Question
from mtl.tasks.base import TaskSpec
from mtl.tasks.forms import LabelForm, NumberForm, TagForm

Value = tuple[float, float]
"""Value of a model on validation data and, among equal ones, its loss: the smaller the better."""
Tried = TypeVar("Tried")


@dataclass(frozen=True)
class Part:
    """Features and targets of the samples of one task in one part of the data."""

    features: Float[Tensor, "m P"]
    target: Tensor
    weights: Float[Tensor, " m"] | None
    """Weights of the samples; None: all weigh the same."""


def product(first: Tensor | None, second: Tensor | None) -> Float[Tensor, " n"] | None:
    """Product of weights; None stands for weights that are all 1."""
    if first is None or second is None:
        return first if second is None else second.double()
    return first * second.double()


def question(form: LabelForm, target: Tensor, places: Tensor | None) -> Question:
    """The label as a logistic regression fits it: classes of the samples at `places`, None: of all."""
    return Question(target, places, form.classes, form.single, form.weights)


def signs(form: LabelForm | NumberForm, target: Tensor) -> tuple[Float[Tensor, "n O"], Float[Tensor, " n"] | None]:
    """Targets of a ridge regression, ±1 for each class of a label, and weights of the samples."""
    if isinstance(form, NumberForm):
        return target.double()[:, None], None
    weights = None if form.weights is None else torch.tensor(form.weights, dtype=torch.float64)[target]
    sides = 2 * torch.nn.functional.one_hot(target, form.classes).double() - 1
    return (sides[:, 1:] if form.single else sides), weights


def preferred(tried: Iterable[tuple[Value, Tried]]) -> Tried:
    """The best one on validation data; of equal ones the first, which has the largest penalty."""
    return min(tried, key=lambda pair: pair[0])[1]


def judged(spec: TaskSpec, form: LabelForm | NumberForm | TagForm, numbers: Tensor, target: Tensor) -> Value:
    """The task's primary metric and its loss, the smaller the better; of point predictions that get quantiles, the
    squared error alone."""
    if isinstance(form, NumberForm) and form.levels:
        return float((numbers - target).square().mean()), 0.0
    metrics, _ = spec.score(numbers.float(), target, detailed=False)
    value = metrics[spec.metric]
    loss = metrics.get(spec.loss_metric, 0.0)
    return (value if METRICS[spec.metric].lower_is_better else -value), loss


def best_map(spec: TaskSpec, form: LabelForm | NumberForm, maps: Iterable[Map], val: Part) -> Map:
    """The map with the best validation value; of equal ones that with the largest penalty."""
    single = isinstance(form, NumberForm) or form.single

    def value(map_: Map) -> Value:
        numbers = map_(val.features)
        return judged(spec, form, numbers[:, 0] if single else numbers, val.target)

    return preferred((value(map_), map_) for map_ in maps)
