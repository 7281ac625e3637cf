"""Metrics of a label, and those of the best possible guess.

n samples, k classes. Every sample with a label counts.
"""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mtl.errors import DataError
from mtl.results.decision import Cheapest, Threshold
from mtl.results.numbers import Metrics
from mtl.tasks.calibration import brier_score, log_loss
from mtl.tasks.confusion import accuracy, balanced_accuracy, confusion_table, macro_f1, one_class
from mtl.tasks.decisions import decided
from mtl.tasks.label_measures import BinaryMeasures, ClassMeasures
from mtl.tasks.optimum import oracle_positions
from mtl.tasks.ranking import average_precision, macro_auc, rank, roc_auc
from mtl.tasks.undefined import Undefined, split_undefined
from mtl.types import NO_LABEL

Detail = dict[str, Any]
DECIMALS = 9
"""Places of a probability that count: true ones that differ by less are a tie."""
TIE = 10.0**-DECIMALS


def label_metrics(
    logits: Float[Tensor, "n k"] | Float[Tensor, " n"],
    target: Int[Tensor, " n"],
    classes: list[str],
    metric: str = "accuracy",
    detailed: bool = False,
    decision: Threshold | Cheapest | None = None,
    over: tuple[int, ...] | None = None,
) -> tuple[Metrics, Detail]:
    """Metrics of a label; samples whose target is NO_LABEL are left out.

    Args:
        logits: [n, k], or [n] for a binary task: the logit of class 1.
        target: [n] class numbers.
        classes: names of the k classes (two for a binary task).
        metric: what the task is judged by, measured whatever it costs.
        detailed: measure every metric of the kind of task, and keep curves. Some of them sort the samples, which an
            epoch's validation should not pay for.
        decision: rule by which a class is said; None: the most probable one.
        over: classes that `macro_f1` is the mean over; None: all.

    Returns:
        `loss` (unweighted cross-entropy, nats), `accuracy`, `balanced_accuracy`, `macro_f1`, `metric` and, if
        `detailed`, all of `BinaryTask.metrics` or `ClassificationTask.metrics`; without those that the samples leave
        undefined. Detail: `confusion` (rows truth, columns prediction), `classes`, `undefined` (metric → reason, where
        one is) and, of a detailed binary task, `operating_points` and `reliability`.

    Raises:
        DataError: no sample has a label, or a label is not among the classes.
    """
    width = 2 if logits.ndim == 1 else logits.shape[1]
    if len(classes) != width:
        raise ValueError(f"`classes` should name {width} classes, found {len(classes)}.")
    known = target != NO_LABEL
    scores, truth = logits.detach()[known].cpu().double(), target[known].cpu().long()
    check_labels(truth, width)
    binary = scores.ndim == 1
    if decision is not None:
        said = decided(scores, decision)
    else:
        said = (scores > 0).long() if binary else scores.argmax(1)
    table = confusion_table(truth, said, width)
    metrics: dict[str, float | Undefined] = {
        "loss": log_loss(scores, truth),
        "accuracy": accuracy(table),
        "balanced_accuracy": balanced_accuracy(table),
        "macro_f1": macro_f1(table, over),
    }
    detail: Detail = {"confusion": table.tolist(), "classes": list(classes)}
    measures = BinaryMeasures(scores, truth == 1, table) if binary else ClassMeasures(scores, truth)
    wanted = measures.every if detailed else (metric,)
    metrics |= {name: measures.value(name) for name in wanted if name not in metrics}
    if detailed:
        detail |= measures.curves()
    defined, reasons = split_undefined(metrics)
    return defined, detail | ({"undefined": reasons} if reasons else {})


def check_labels(truth: Int[Tensor, " n"], classes: int) -> None:
    """Raises a DataError unless there are labels and all lie in [0, classes)."""
    if len(truth) == 0:
        raise DataError("A label cannot be measured on 0 samples; no sample of this part has one.")
    if int(truth.min()) < 0 or int(truth.max()) >= classes:
        wrong = int(truth.min()) if int(truth.min()) < 0 else int(truth.max())
        raise DataError(f"A label should lie in 0 … {classes - 1}, found {wrong}.")


def label_optimum(
    probabilities: Float[Tensor, "m k"],
    oracle_from: int,
    last_rows: Int[Tensor, " n"],
    target: Int[Tensor, " n"],
    binary: bool = False,
) -> Metrics:
    """Metrics, on these samples, of the predictor that knows the true probabilities.

    It is the best one in expectation for the proper scores `loss`, `log_loss` and `brier`, for `accuracy` by its most
    probable class, and for the measures of a ranking, `auc`, `average_precision` and `macro_auc`: in no other order are
    more positive samples to be expected among the first m, for any m.
    `balanced_accuracy` and `macro_f1` belong to the same predictor, which is not the best for them. F1, whose best
    threshold is another, and the calibration error, which any constant at the right level makes small, are left out.

    A tie counts as a fair draw among the tied classes (its expected value), so that a coin's optimal accuracy and AUC
    are exactly one half. Samples without a label are left out, and so are measures that the samples leave undefined.

    Args:
        probabilities: row i is for the row `oracle_from` + i.
        oracle_from: see `probabilities`.
        last_rows: last input row of each sample.
        target: class numbers.
        binary: class 1 of two is the positive one, so that measures of a binary task are meant.

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
    by_class = 2 * hits / (occurs + guessed).clamp(min=1e-300)
    true_p = p.gather(1, truth[:, None]).clamp(min=torch.finfo(torch.float64).tiny)
    loss = -true_p.log().mean().item()
    single = one_class(len(truth)) if int((occurs > 0).sum()) < 2 else None
    metrics: dict[str, float | Undefined] = {
        "loss": loss,
        "accuracy": (hits.sum() / len(truth)).item(),
        "balanced_accuracy": single or (hits[occurs > 0] / occurs[occurs > 0]).mean().item(),
        "macro_f1": single or by_class[(occurs > 0) | (guessed > 0)].mean().item(),
        "log_loss": loss,
    }
    distinct = p.round(decimals=DECIMALS)
    if binary:
        ranking = rank(distinct[:, 1], truth == 1)
        metrics |= {
            "auc": roc_auc(ranking),
            "average_precision": average_precision(ranking),
            "brier": brier_score(p[:, 1], truth == 1),
        }
    else:
        metrics["macro_auc"] = macro_auc(distinct, truth)
    return split_undefined(metrics)[0]
