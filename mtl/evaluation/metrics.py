"""Metrics of one task's predictions, as plain Python numbers.

n samples, T target channels, H horizon, k classes. Sums run in float64, over chunks of samples, so that long test
parts (weather at H = 720: more than 10⁸ numbers) need no second copy in memory. Every sample counts.
"""

from typing import Any

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from mtl.errors import DataError
from mtl.types import NO_LABEL

Metrics = dict[str, float]
Detail = dict[str, Any]

CHUNK = 256
"""Samples summed at once; the result depends on it in the last digits only, so it is fixed."""


class ForecastScores:
    """Squared and absolute errors of a forecast, added up batch by batch.

    Args:
        std: [T] standard deviation of each target channel in original units, from the training rows.
        columns: names of the T target channels.
        units: column → unit. When all columns have the same known unit (or there is one column), the mean over
            channels in original units is reported too; averaging unlike units would mean nothing.
    """

    def __init__(self, std: Float[Tensor, " T"], columns: list[str], units: dict[str, str] | None = None) -> None:
        if len(columns) != len(std):
            raise ValueError(f"`columns` should name {len(std)} channels, found {len(columns)}.")
        self.std = std.detach().cpu().double()
        self.columns = columns
        known = set() if units is None else {units.get(name) for name in columns}
        self.one_unit = units is not None and (len(columns) == 1 or (len(known) == 1 and None not in known))
        self.samples = 0
        self.squared: Tensor | None = None
        self.absolute: Tensor | None = None

    def add(self, prediction: Float[Tensor, "n T H"], target: Float[Tensor, "n T H"]) -> None:
        """Adds samples, both z-scored."""
        if prediction.shape[1] != len(self.columns):
            raise ValueError(f"a forecast of {len(self.columns)} channels was expected, found {prediction.shape[1]}.")
        for start in range(0, len(prediction), CHUNK):
            part = slice(start, start + CHUNK)
            error = prediction[part].detach().double() - target[part].detach().double()
            squared, absolute = error.square().sum(0).cpu(), error.abs().sum(0).cpu()
            self.squared = squared if self.squared is None else self.squared + squared
            self.absolute = absolute if self.absolute is None else self.absolute + absolute
        self.samples += len(prediction)

    def result(self) -> tuple[Metrics, Detail]:
        """Metrics `mse`, `mae` (z-scored, mean over samples, horizon and channels), and their parts.

        Raises:
            DataError: no sample was added.
        """
        if self.squared is None or self.absolute is None:
            raise DataError("A forecast cannot be measured on 0 samples; the part holds no whole window.")
        mse, mae = self.squared / self.samples, self.absolute / self.samples  # [T, H]
        by_channel = {
            "mse_by_channel": mse.mean(1),
            "mae_by_channel": mae.mean(1),
            # z-scoring divides by std, so errors scale back by it; the mean cancels.
            "mse_original_by_channel": mse.mean(1) * self.std.square(),
            "mae_original_by_channel": mae.mean(1) * self.std,
        }
        detail: Detail = {"mse_by_horizon": mse.mean(0).tolist(), "mae_by_horizon": mae.mean(0).tolist()}
        detail |= {name: dict(zip(self.columns, v.tolist(), strict=True)) for name, v in by_channel.items()}
        metrics = {"mse": mse.mean().item(), "mae": mae.mean().item()}
        if self.one_unit:
            metrics["mse_original"] = by_channel["mse_original_by_channel"].mean().item()
            metrics["mae_original"] = by_channel["mae_original_by_channel"].mean().item()
        return metrics, detail


def forecast_metrics(
    prediction: Float[Tensor, "n T H"],
    target: Float[Tensor, "n T H"],
    std: Float[Tensor, " T"],
    columns: list[str],
    units: dict[str, str] | None = None,
) -> tuple[Metrics, Detail]:
    """Errors of a forecast; prediction and target z-scored (see `ForecastScores`)."""
    scores = ForecastScores(std, columns, units)
    scores.add(prediction, target)
    return scores.result()


def label_metrics(
    logits: Float[Tensor, "n k"] | Float[Tensor, " n"], target: Int[Tensor, " n"], classes: list[str]
) -> tuple[Metrics, Detail]:
    """Metrics of a label; samples whose target is NO_LABEL are left out.

    Args:
        logits: [n, k], or [n] for a binary task: the logit of class 1.
        target: [n] class numbers.
        classes: names of the k classes (two for a binary task).

    Returns:
        `loss` (unweighted cross-entropy, nats), `accuracy`, `balanced_accuracy` (mean recall of the classes that
        occur), `macro_f1` (mean over classes that occur or are predicted); detail: `confusion` (rows truth,
        columns prediction) and `classes`.

    Raises:
        DataError: no sample has a label, or a label is not among the classes.
    """
    width = 2 if logits.ndim == 1 else logits.shape[1]
    if len(classes) != width:
        raise ValueError(f"`classes` should name {width} classes, found {len(classes)}.")
    known = target != NO_LABEL
    scores, truth = logits.detach()[known].cpu().double(), target[known].cpu().long()
    check_labels(truth, width)
    if scores.ndim == 1:
        loss = functional.binary_cross_entropy_with_logits(scores, truth.double())
        predicted = (scores > 0).long()
    else:
        loss = functional.cross_entropy(scores, truth)
        predicted = scores.argmax(1)
    # All three follow from the table in a line each; importing scikit-learn for them costs every stage a second.
    table = np.bincount(truth.numpy() * width + predicted.numpy(), minlength=width * width).reshape(width, width)
    hits, occurs, guessed = table.diagonal(), table.sum(axis=1), table.sum(axis=0)
    metrics = {
        "loss": loss.item(),
        "accuracy": float(hits.sum() / len(truth)),
        "balanced_accuracy": float(np.mean(hits[occurs > 0] / occurs[occurs > 0])),
        "macro_f1": float(np.mean((2 * hits / np.maximum(occurs + guessed, 1))[occurs + guessed > 0])),
    }
    return metrics, {"confusion": table.tolist(), "classes": list(classes)}


def check_labels(truth: Int[Tensor, " n"], classes: int) -> None:
    """Raises a DataError unless there are labels and all lie in [0, classes)."""
    if len(truth) == 0:
        raise DataError("A label cannot be measured on 0 samples; no sample of this part has one.")
    if int(truth.min()) < 0 or int(truth.max()) >= classes:
        found = int(truth.min()) if int(truth.min()) < 0 else int(truth.max())
        raise DataError(f"A label should lie in 0 … {classes - 1}, found {found}.")
