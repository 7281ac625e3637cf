"""Tasks of a loop of one's own: a name and a kind, without data. n samples, k classes, H numbers of a sample."""

from torch import Tensor

from mtl.config.metrics import METRICS
from mtl.errors import UserError, shown
from mtl.tasks.base import Noted, TaskSpec
from mtl.tasks.binary import Binary
from mtl.tasks.classification import Classification
from mtl.tasks.forecast import Forecast
from mtl.tasks.label import LabelSpec
from mtl.tasks.regression import Regression
from mtl.types import NO_LABEL

BARE = ("forecast", "regression", "classification", "binary")
"""Kinds that a task without data may have."""
ROUNDING = 1e-3
"""Probabilities sum to 1 within it, also those of half precision."""


def bare(name: str, kind: str) -> TaskSpec:
    """A task of a kind, as far as ways to weigh its loss ask for it.

    Raises:
        UserError: there is no such kind.
    """
    metric = next(iter(METRICS))
    match kind:
        case "forecast":
            return Forecast(name=name, source="", shape=(1, 1), columns=[""], metric=metric, targets=[0], horizon=1)
        case "regression":
            return Regression(name=name, source="", shape=(1,), columns=[""], metric=metric, target=name)
        case "classification":
            return Classification(name=name, source="", shape=(1,), columns=[""], metric=metric, label=name, classes=[])
        case "binary":
            return Binary(name=name, source="", shape=(1,), columns=[""], metric=metric, label=name, classes=[])
        case _:
            raise UserError(f"`tasks[{name!r}]` should be a kind among {', '.join(BARE)}, found {shown(kind)}.")


def is_label(kind: str) -> bool:
    """Says whether tasks of a kind have classes."""
    return isinstance(bare("task", kind), LabelSpec)


def noted(kind: str, predictions: Tensor, targets: Tensor) -> Noted:
    """Values that a data map notes of n samples: (p of the true label, whether it was predicted, error), [n, 1] each or
    None.

    Args:
        kind: of the task.
        predictions: probabilities, [n, k] of the classes, or [n] of the second class of a binary task; else numbers
            [n], of a forecast [n, H].
        targets: [n] numbers of classes, `NO_LABEL` where there is none; else numbers, as many as predictions.

    Raises:
        UserError: they are none of these.
    """
    spec = bare("task", kind)
    sides = 2 if isinstance(spec, Classification | Forecast) else 1
    if predictions.ndim != sides:
        form = "[n, k] probabilities" if isinstance(spec, Classification) else "[n, H] numbers" if sides == 2 else "[n]"
        raise UserError(
            f"`predictions` should be {form} in each epoch for {kind}, found the shape {list(predictions.shape)}."
        )
    wanted = predictions.shape[: 1 if isinstance(spec, LabelSpec) else None]
    if targets.shape != wanted:
        raise UserError(f"`targets` should have the shape {list(wanted)}, found {list(targets.shape)}.")
    match spec:
        case Classification():
            _check_labels(targets, predictions.shape[1])
            _check_probabilities(predictions)
            if not bool((abs(predictions.sum(dim=1) - 1) < ROUNDING).all()):
                raise UserError(
                    "`predictions` should be probabilities, which sum to 1 over the classes: a softmax makes them of "
                    "logits."
                )
            return spec.noted(predictions.log(), targets)
        case Binary():
            _check_labels(targets, 2)
            _check_probabilities(predictions)
            return spec.noted(predictions.logit()[:, None], targets[:, None])
        case Forecast():
            return spec.noted(predictions[:, None], targets[:, None])
        case Regression():
            return spec.noted(predictions[:, None], targets[:, None])
        case _:
            raise UserError(f"`kind` should be one of {', '.join(BARE)}, found {shown(kind)}.")


def _check_probabilities(values: Tensor) -> None:
    if bool((values < 0).any()) or bool((values > 1).any()):
        raise UserError(
            f"`predictions` should be probabilities, from 0 to 1, found {float(values.min()):.4g} to "
            f"{float(values.max()):.4g}: a sigmoid or softmax makes them of logits."
        )


def _check_labels(targets: Tensor, classes: int) -> None:
    wrong = targets[(targets != NO_LABEL) & ((targets < 0) | (targets >= classes))]
    if len(wrong):
        raise UserError(f"`targets` should be numbers of classes from 0 to {classes - 1}, found {int(wrong[0])}.")
