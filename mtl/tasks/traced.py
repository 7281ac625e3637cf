"""Answers of tasks as tensors, in operations that can be traced: for formats that run without mtl.

n samples, T target channels, H rows ahead, L rows of a window, Q levels, k classes.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from mtl.config.losses import MEDIAN
from mtl.errors import UserError
from mtl.results.decision import Cheapest, Threshold
from mtl.tasks.base import TaskSpec
from mtl.tasks.binary import Binary
from mtl.tasks.classification import Classification
from mtl.tasks.decisions import expected_costs
from mtl.tasks.forecast import Forecast
from mtl.tasks.label import LabelSpec
from mtl.tasks.quantile_forecast import QuantileForecast
from mtl.tasks.quantile_regression import QuantileRegression
from mtl.tasks.regression import Regression
from mtl.tasks.tagging import Tagging

VALUE, QUANTILES, PROBABILITIES = "", "quantiles", "probabilities"
"""Parts of an answer: numbers or the number of the class, and what stands beside them."""


def parts_of(spec: TaskSpec) -> dict[str, tuple[str | int, ...]]:
    """Part of an answer → its shape in words and numbers, the samples first.

    Raises:
        UserError: the kind of task has no form in tensors.
    """
    match spec:
        case Regression():
            return {VALUE: ("n",)}
        case QuantileRegression():
            return {VALUE: ("n",), QUANTILES: ("n", len(spec.levels))}
        case Forecast():
            return {VALUE: ("n", len(spec.targets), spec.horizon)}
        case QuantileForecast():
            ahead = ("n", len(spec.targets), spec.horizon)
            return {VALUE: ahead, QUANTILES: (*ahead, len(spec.levels))}
        case Classification() | Binary():
            return {VALUE: ("n",), PROBABILITIES: ("n", len(spec.classes))}
        case Tagging() if spec.at_steps:
            return {VALUE: ("n", spec.input_len), PROBABILITIES: ("n", spec.input_len, len(spec.classes))}
        case _:
            raise UserError(f"{spec.name}: tasks of kind {spec.kind} cannot be exported: name the others by --tasks.")


def classes_of(spec: TaskSpec) -> list[str] | None:
    """Names of the classes of a label, or at every row; None for numbers."""
    return spec.classes if isinstance(spec, LabelSpec | Tagging) else None


def answer_of(spec: TaskSpec) -> Callable[[Tensor], list[Tensor]]:
    """Function from predictions of a task to the parts of its answer, in the order of `parts_of`: numbers in original
    units, or numbers of classes (int64)."""
    match spec:
        case QuantileRegression():
            return lambda prediction: _of_quantiles(spec, spec.original(prediction.sort(dim=-1).values))
        case QuantileForecast():
            return lambda prediction: _of_quantiles(spec, torch.stack(spec.by_level(prediction), dim=-1))
        case Binary():
            return lambda prediction: _binary(prediction, spec.decision)
        case Tagging():
            return lambda prediction: [prediction.argmax(dim=-1), prediction.softmax(dim=-1)]
        case Classification():
            return lambda prediction: _classes(prediction, spec.decision)
        case Regression() | Forecast():
            return lambda prediction: [spec.original(prediction)]
        case _:
            raise AssertionError("parts_of refuses other kinds")


def _of_quantiles(spec: QuantileRegression | QuantileForecast, values: Tensor) -> list[Tensor]:
    return [values[..., spec.levels.index(MEDIAN)], values]


def _binary(prediction: Tensor, decision: Threshold | Cheapest | None) -> list[Tensor]:
    chance = prediction.sigmoid()
    said = chance > decision.threshold if isinstance(decision, Threshold) else prediction > 0
    return [said.long(), torch.stack([1 - chance, chance], dim=1)]


def _classes(prediction: Tensor, decision: Threshold | Cheapest | None) -> list[Tensor]:
    chance = prediction.softmax(dim=1)
    if isinstance(decision, Cheapest):
        return [expected_costs(chance, decision).argmin(dim=1), chance]
    return [chance.argmax(dim=1), chance]
