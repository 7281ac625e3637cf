"""The optimum on a task's own test samples, where a source knows it (methods 7).

The oracle's row t holds what the best predictor says once rows ≤ t are known; a sample whose last input row is t is
scored with that row. n samples, T targets, H horizon, C channels, k classes.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mtl.errors import DataError
from mtl.evaluation.metrics import Metrics, check_labels, forecast_metrics
from mtl.types import NO_LABEL

TIE = 1e-9
"""Probabilities closer than this are a tie."""


def forecast_optimum(
    oracle: Float[Tensor, "m Hmax C"],
    oracle_from: int,
    last_rows: Int[Tensor, " n"],
    target: Float[Tensor, "n T H"],
    targets: list[int],
    mean: Float[Tensor, " C"],
    std: Float[Tensor, " C"],
) -> Metrics:
    """Errors of the conditional mean, which is the best forecast in MSE.

    Its `mae` belongs to that same predictor: the least possible MAE (of the conditional median) may be lower.

    Args:
        oracle: original units; entry i is for the row `oracle_from` + i.
        last_rows: last input row of each sample.
        target: z-scored with `mean` and `std`.
        targets: channel numbers of the T targets.
        mean, std: scaler over all C channels, original units.

    Raises:
        DataError: the oracle does not reach a sample or the horizon.
    """
    horizon = target.shape[2]
    if horizon > oracle.shape[1]:
        raise DataError(f"The optimum is known up to {oracle.shape[1]} steps ahead, found a horizon of {horizon}.")
    best = oracle[_positions(len(oracle), oracle_from, last_rows)][:, :horizon, targets].double()
    scaled = (best - mean[targets].double()) / std[targets].double()
    names = [str(number) for number in targets]
    metrics, _ = forecast_metrics(scaled.transpose(1, 2), target.double(), std[targets], names)
    return metrics


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
    p = probabilities[_positions(len(probabilities), oracle_from, last_rows[known])].double()
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


def _positions(length: int, oracle_from: int, last_rows: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
    positions = last_rows - oracle_from
    outside = (positions < 0) | (positions >= length)
    if bool(outside.any()):
        row, last = int(last_rows[outside][0]), oracle_from + length - 1
        raise DataError(f"The optimum is known for rows {oracle_from} to {last}, found a sample that ends at {row}.")
    return positions
