"""Tasks as they are resolved against a source, a kind each, without one."""

from typing import Any, Literal

from mtl.tasks.base import TaskSpec
from mtl.tasks.binary import Binary
from mtl.tasks.classification import Classification
from mtl.tasks.forecast import Forecast
from mtl.tasks.regression import Regression

Kind = Literal["forecast", "regression", "classification", "binary"]


def a_task(kind: Kind, **facts: Any) -> TaskSpec:
    """A task of a kind: two channels four steps ahead, three classes, yes or no, or a number, or what `facts` say."""
    match kind:
        case "forecast":
            return Forecast(**({"targets": [0, 1], "horizon": 4} | facts))
        case "regression":
            return Regression(**({"target": "y"} | facts))
        case "classification":
            return Classification(**({"classes": ["a", "b", "c"]} | facts))
        case "binary":
            return Binary(**({"classes": ["no", "yes"]} | facts))
