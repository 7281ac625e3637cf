"""Tasks of a loop of one's own: a name and a kind, without data."""

from mtl.config.metrics import METRICS
from mtl.errors import UserError, shown
from mtl.tasks.base import TaskSpec
from mtl.tasks.binary import Binary
from mtl.tasks.classification import Classification
from mtl.tasks.forecast import Forecast
from mtl.tasks.regression import Regression

BARE = ("forecast", "regression", "classification", "binary")
"""Kinds that a task without data may have."""


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
