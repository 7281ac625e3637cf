"""`metric` of a task: which metrics may judge it, and what to do about one that may not."""

from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BeforeValidator

from mtl.config.losses import NumberLoss, QuantileLoss
from mtl.config.metrics import METRICS, BinaryMetric, ClassMetric, ForecastMetric, RegressionMetric, TagMetric
from mtl.errors import shown

OF_NUMBERS: tuple[str, ...] = get_args(ForecastMetric) + get_args(RegressionMetric)
OF_LABELS: tuple[str, ...] = get_args(ClassMetric) + get_args(BinaryMetric) + get_args(TagMetric)
COUNTERPART = {
    "auc": "macro_auc", "macro_auc": "auc", "f1": "macro_f1", "span_f1": "macro_f1", "loss": "log_loss",
    "coverage": "crps", "rrmse": "mse", "r2": "mse", "rmse": "mse", "mse_original": "mse", "mae_original": "mae",
}  # fmt: skip
"""Metric → the nearest one that judges tasks of another kind, or tasks at all."""


def judged_by(allowed: Sequence[str], what: str) -> BeforeValidator:
    """Validator of the metric of a task: null, or a name among `allowed`; `what` names such a task."""

    def checked(metric: Any) -> Any:
        if metric is None or (isinstance(metric, str) and metric in allowed):
            return metric
        names = f"{', '.join(allowed[:-1])} or {allowed[-1]}"
        raise ValueError(f"should be {names} for {what}, found {shown(metric)}{_remedy(metric, allowed)}")

    return BeforeValidator(checked)


def _remedy(metric: object, allowed: Sequence[str]) -> str:
    """Words on a metric that may not judge a task, and what to take instead; empty where nothing is known of it."""
    if not isinstance(metric, str) or metric not in METRICS:
        return ""
    title, said = METRICS[metric].title, ""
    if metric == "r2":
        said = "; R², of which a relative change means nothing near 0, is reported beside whatever judges the task"
    elif metric in OF_LABELS and allowed[0] not in OF_LABELS:
        said = f"; {title} judges labels, which tasks of kind classification or binary learn"
    elif metric in OF_LABELS:
        said = f"; {title} judges tasks of another number of classes"
    elif metric in OF_NUMBERS and allowed[0] not in OF_NUMBERS:
        said = f"; {title} judges numbers, which tasks of kind forecast or regression learn"
    nearest = COUNTERPART.get(metric, "")
    return f"{said}; the nearest is {nearest}" if nearest in allowed else said


def score_problem(metric: str | None, loss: NumberLoss, allowed: Sequence[str]) -> str | None:
    """Problem of a task of numbers that is judged by the score of quantiles and predicts none, in words, or None."""
    if metric != "crps" or isinstance(loss, QuantileLoss):
        return None
    *others, last = [name for name in allowed if name != "crps"]
    return (
        f"metric should be {', '.join(others)} or {last} for `loss: {loss}`, found 'crps', which measures quantiles: "
        "set `loss: {quantiles: [0.1, 0.5, 0.9]}`"
    )
