"""Metrics that a label reaches without any input, by the frequencies of its classes alone; imports no torch."""

import math
from collections.abc import Sequence


def no_skill(metric: str, counts: Sequence[int]) -> float | None:
    """The best value of a metric that one and the same prediction for every sample reaches on these samples.

    Accuracy: the most frequent class is named. Balanced accuracy: any class is, and one of those that occur is right.
    F1: every sample is called positive. Log-loss and Brier score: the frequencies are the probabilities. Measures of a
    ranking: all scores are tied.

    Args:
        metric: one of a label's.
        counts: number of samples of each class; of a binary task class 1 is the positive one.

    Returns:
        None for metrics of which it is not known, for those that samples of one class leave undefined, and for the
        calibration error, which the frequencies bring to 0: it says nothing of skill.
    """
    shares = [count / sum(counts) for count in counts if count > 0]
    if unmeasurable(metric, list(counts)) is not None:
        return None
    match metric:
        case "accuracy":
            return max(counts) / sum(counts)
        case "balanced_accuracy":
            return 1 / len(shares)
        case "macro_f1":
            return 2 * max(shares) / (1 + max(shares)) / len(shares)
        case "auc" | "macro_auc":
            return 0.5
        case "average_precision":
            return counts[1] / sum(counts)
        case "f1":
            return 2 * counts[1] / (counts[1] + sum(counts))
        case "loss" | "log_loss":
            return -math.fsum(share * math.log(share) for share in shares)
        case "brier":
            return counts[0] * counts[1] / sum(counts) ** 2
        case _:
            return None


def unmeasurable(metric: str, counts: list[int]) -> str | None:
    """The reason why no predictions give a metric on samples of these classes; None where all do.

    Args:
        metric: one of a label's metrics.
        counts: number of samples of each class; of a binary task class 1 is the positive one.
    """
    total = sum(counts)
    match metric:
        case "auc" if 0 in counts:
            return f"all {total} samples are {'negative' if counts[0] else 'positive'}"
        case "average_precision" | "f1" if counts[1] == 0:
            return f"all {total} samples are negative"
        case "macro_auc" | "balanced_accuracy" | "macro_f1" if max(counts) == total:
            return f"all {total} samples belong to one class"
        case _:
            return None
