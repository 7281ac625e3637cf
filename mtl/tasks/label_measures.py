"""The measures of a label beyond those of its predicted classes, by the names of its metrics; n samples, k classes.

Each is computed when it is asked for, and what several need only once: a sort, a probability.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mtl.config.tasks import BinaryTask, ClassificationTask
from mtl.tasks.calibration import (
    Reliability,
    brier_score,
    expected_calibration_error,
    log_loss,
    reliability,
    reliability_diagram,
)
from mtl.tasks.confusion import f1
from mtl.tasks.ranking import Ranking, average_precision, log_odds, macro_auc, operating_points, rank, roc_auc
from mtl.tasks.undefined import Undefined

Detail = dict[str, Any]


@dataclass(frozen=True)
class BinaryMeasures:
    """Measures of a binary label.

    Args:
        logits: of class 1, float64.
        positive: samples of class 1.
        table: true against predicted classes.
    """

    logits: Float[Tensor, " n"]
    positive: Bool[Tensor, " n"]
    table: Int[np.ndarray, "2 2"]
    every = BinaryTask.metrics

    @cached_property
    def ranking(self) -> Ranking:
        return rank(self.logits, self.positive)

    @cached_property
    def probability(self) -> Float[Tensor, " n"]:
        return self.logits.sigmoid()

    @cached_property
    def bins(self) -> Reliability:
        return reliability(self.probability, self.positive)

    def value(self, metric: str) -> float | Undefined:
        """One measure by its name."""
        match metric:
            case "f1":
                return f1(self.table)
            case "auc":
                return roc_auc(self.ranking)
            case "average_precision":
                return average_precision(self.ranking)
            case "log_loss":
                return log_loss(self.logits, self.positive.long())
            case "brier":
                return brier_score(self.probability, self.positive)
            case "ece":
                return expected_calibration_error(self.bins)
            case _:
                raise ValueError(f"`metric` should be one of {', '.join(self.every)}, found {metric!r}.")

    def curves(self) -> Detail:
        """Points of the curves over all thresholds, and of the reliability diagram."""
        return {"operating_points": operating_points(self.ranking), "reliability": reliability_diagram(self.bins)}


@dataclass(frozen=True)
class ClassMeasures:
    """Measures of a label of several classes.

    Args:
        logits: float64.
        truth: class numbers.
    """

    logits: Float[Tensor, "n k"]
    truth: Int[Tensor, " n"]
    every = ClassificationTask.metrics

    def value(self, metric: str) -> float | Undefined:
        """One measure by its name."""
        match metric:
            case "macro_auc":
                return macro_auc(log_odds(self.logits), self.truth)
            case "log_loss":
                return log_loss(self.logits, self.truth)
            case _:
                raise ValueError(f"`metric` should be one of {', '.join(self.every)}, found {metric!r}.")

    def curves(self) -> Detail:
        """Nothing: a curve for each class is not kept."""
        return {}
