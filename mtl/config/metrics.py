"""The metrics that tasks are judged by: which way is better, and how a reader is shown one; imports no torch."""

import math
from dataclasses import dataclass
from typing import Literal

Family = Literal["regression", "classification"]
"""Nature of a task's loss: an error of numbers, or a likelihood of classes. It decides the share of λ, the form of
uncertainty weighting (Kendall, Gal and Cipolla 2018, arXiv 1705.07115) and the part in the choice of an epoch."""


@dataclass(frozen=True)
class Metric:
    """One measure of a task's predictions.

    Args:
        title: as a reader is shown it.
        lower_is_better: the direction.
        share: a share between 0 and 1, which is shown in percent.
        unit: `z-scored`, `original` (that of the target), or empty for numbers without a unit.
        comparable: a relative change of it means something; not so for one that passes through 0, such as R².
        summed: name of the metric that stands for it in sums over tasks, for one that has the unit of its task: it
            orders predictions of one task alike. Empty for metrics that can be added up themselves.
        most: the largest value that there is; None: there is none. A share has 1.
    """

    title: str
    lower_is_better: bool
    share: bool = False
    unit: Literal["z-scored", "original", ""] = ""
    comparable: bool = True
    summed: str = ""
    most: float | None = None

    @property
    def range(self) -> tuple[float, float]:
        """Least and largest value that it can have."""
        most = 1.0 if self.share and self.most is None else self.most
        # What may be below zero has its best value at the upper end: R².
        least = 0.0 if self.comparable or self.share else -math.inf
        return least, math.inf if most is None else most


METRICS: dict[str, Metric] = {
    "mse": Metric("MSE", True, unit="z-scored"),
    "mae": Metric("MAE", True, unit="z-scored"),
    "crps": Metric("CRPS", True, unit="z-scored"),
    "coverage": Metric("coverage", False, share=True, comparable=False),
    "rmse": Metric("RMSE", True, unit="original", summed="mse"),
    "mse_original": Metric("MSE", True, unit="original", summed="mse"),
    "mae_original": Metric("MAE", True, unit="original", summed="mae"),
    "rrmse": Metric("relative RMSE", True),
    "r2": Metric("R²", False, comparable=False, most=1.0),
    "loss": Metric("loss", True),
    "log_loss": Metric("log-loss", True),
    "accuracy": Metric("accuracy", False, share=True),
    "balanced_accuracy": Metric("balanced accuracy", False, share=True),
    "macro_f1": Metric("macro-F1", False, share=True),
    "f1": Metric("F1", False, share=True),
    "span_f1": Metric("span F1", False, share=True),
    "auc": Metric("AUC", False, share=True),
    "macro_auc": Metric("macro AUC", False, share=True),
    "average_precision": Metric("average precision", False, share=True),
    "brier": Metric("Brier score", True, most=1.0),
    "ece": Metric("calibration error", True, share=True),
}
"""Name → metric: what a new one needs besides its computation in `mtl/tasks`."""

ForecastMetric = Literal["mse", "mae", "crps"]
RegressionMetric = Literal["mse", "mae", "rmse", "crps"]
ClassMetric = Literal["accuracy", "balanced_accuracy", "macro_f1", "macro_auc", "log_loss"]
BinaryMetric = Literal[
    "accuracy", "balanced_accuracy", "macro_f1", "auc", "average_precision", "f1", "log_loss", "brier", "ece"
]
TagMetric = Literal["accuracy", "balanced_accuracy", "macro_f1", "f1", "average_precision", "span_f1"]
"""Metrics that a binary task may be judged by; the first of a kind is taken unless the section names another."""


def summed(metric: str) -> str:
    """Name of the metric that stands for a task's metric where several tasks are added up."""
    return METRICS[metric].summed or metric
