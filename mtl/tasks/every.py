"""Every kind of task: the one list that others ask."""

from collections.abc import Mapping, Sequence
from typing import assert_never

from mtl.config.losses import QuantileLoss
from mtl.config.tagging import TaggingTask
from mtl.config.tasks import BinaryTask, ClassificationTask, ForecastTask, RegressionTask, Task
from mtl.tasks.base import TaskSpec
from mtl.tasks.binary import Binary
from mtl.tasks.classification import Classification
from mtl.tasks.context import AtSource
from mtl.tasks.forecast import Forecast
from mtl.tasks.quantile_forecast import QuantileForecast
from mtl.tasks.quantile_regression import QuantileRegression
from mtl.tasks.regression import Regression
from mtl.tasks.tagging import Tagging

KINDS: tuple[type[TaskSpec], ...] = (
    Binary, Classification, Tagging, Regression, QuantileRegression, Forecast, QuantileForecast,
)  # fmt: skip
"""All kinds of task, in the order in which data maps list their tasks."""


def kind_of(task: Task) -> type[TaskSpec]:
    """The kind of a section `tasks.NAME`."""
    match task:
        case ForecastTask(loss=QuantileLoss()):
            return QuantileForecast
        case ForecastTask():
            return Forecast
        case RegressionTask(loss=QuantileLoss()):
            return QuantileRegression
        case RegressionTask():
            return Regression
        case ClassificationTask():
            return Classification
        case BinaryTask():
            return Binary
        case TaggingTask():
            return Tagging
        case _:
            assert_never(task)


def resolve(task: Task, at: AtSource) -> TaskSpec:
    """A section `tasks.NAME` as a task at its source.

    Raises:
        DataError: its training samples do not hold what it needs.
    """
    return kind_of(task).resolve(task, at)


def by_kind(tasks: Sequence[str], specs: Mapping[str, TaskSpec]) -> list[tuple[type[TaskSpec], tuple[str, ...]]]:
    """Tasks of each kind, in order; kinds without any are left out."""
    groups = [(kind, tuple(name for name in tasks if type(specs[name]) is kind)) for kind in KINDS]
    return [(kind, names) for kind, names in groups if names]
