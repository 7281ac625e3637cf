"""Metrics of a label, and those of the best possible guess.

n samples, k classes. Every sample with a label counts.
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from mtl.errors import DataError
from mtl.tasks.optimum import oracle_positions
from mtl.types import NO_LABEL

Metrics = dict[str, float]
Detail = dict[str, Any]
TIE = 1e-9
"""Probabilities closer than this are a tie."""


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


def label_optimum(
    probabilities: Float[Tensor, "m k"], oracle_from: int, last_rows: Int[Tensor, " n"], target: Int[Tensor, " n"]
) -> Metrics:
    """Metrics of the most probable class, which is the best guess in accuracy, and the loss of the probabilities.

    `balanced_accuracy` and `macro_f1` belong to that same predictor. A tie counts as a fair draw among the tied
    classes (its expected value), so that a coin's optimal accuracy is exactly one half. Samples without a label are
    left out.

    Raises:
        DataError: the oracle does not reach a sample, or no sample has a label.
    """
    known = target != NO_LABEL
    truth = target[known].long()
    classes = probabilities.shape[1]
    check_labels(truth, classes)
    p = probabilities[oracle_positions(len(probabilities), oracle_from, last_rows[known])].double()
    best = (p >= p.max(1, keepdim=True).values - TIE).double()
    guess = best / best.sum(1, keepdim=True)
    table = torch.zeros(classes, classes, dtype=torch.float64).index_add_(0, truth, guess)  # rows truth
    hits, occurs, guessed = table.diag(), table.sum(1), table.sum(0)
    f1 = 2 * hits / (occurs + guessed).clamp(min=1e-300)
    true_p = p.gather(1, truth[:, None]).clamp(min=torch.finfo(torch.float64).tiny)
    return {
        "loss": -true_p.log().mean().item(),
        "accuracy": (hits.sum() / len(truth)).item(),
        "balanced_accuracy": (hits[occurs > 0] / occurs[occurs > 0]).mean().item(),
        "macro_f1": f1[(occurs > 0) | (guessed > 0)].mean().item(),
    }
