"""Measures of predicted probabilities: the two proper scores of a label, and how far probabilities can be trusted.

A probability is calibrated if, among the samples that are given p, the share p is positive. n samples, k classes.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

BINS = 15
"""Bins of equal width, as in Guo et al. 2017."""


@dataclass(frozen=True)
class Reliability:
    """Sums over the samples of each of the BINS bins of the probability of the positive class."""

    samples: Int[Tensor, " b"]
    probability: Float[Tensor, " b"]
    positives: Int[Tensor, " b"]


def reliability(probability: Float[Tensor, " n"], positive: Bool[Tensor, " n"]) -> Reliability:
    """The samples in bins of equal width by their probability of the positive class.

    Bin i of BINS holds the probabilities in ((i − 1)/BINS, i/BINS]; the first one holds 0 too.

    Raises:
        ValueError: there is no sample, or a probability lies outside [0, 1].
    """
    if len(probability) == 0:
        raise ValueError("calibration needs a sample, found none.")
    p = probability.detach().cpu().double()
    if not bool(((p >= 0) & (p <= 1)).all()):  # NaN too
        raise ValueError("`probability` should lie in [0, 1].")
    edges = torch.arange(1, BINS, dtype=torch.float64) / BINS
    bins = torch.bucketize(p, edges)
    return Reliability(
        torch.bincount(bins, minlength=BINS),
        torch.bincount(bins, weights=p, minlength=BINS),
        torch.bincount(bins[positive.cpu()], minlength=BINS),
    )


def expected_calibration_error(bins: Reliability) -> float:
    """Mean over samples of the distance, in the sample's bin, between the mean probability and the share of positives.

    Naeini, Cooper and Hauskrecht 2015 (AAAI) define it for a binary label by the probability of the positive class, as
    here. Guo et al. 2017 (arXiv 1706.04599, equation 3) bin the probability of the predicted class against accuracy,
    which is another number for the same predictions.
    """
    return ((bins.probability - bins.positives).abs().sum() / bins.samples.sum()).item()


def reliability_diagram(bins: Reliability) -> dict[str, list[float] | list[int]]:
    """Lists over the bins that hold a sample: `bin` from 0, mean `probability`, share `positive`, count `samples`."""
    held = bins.samples > 0
    samples = bins.samples[held]
    return {
        "bin": held.nonzero().squeeze(1).tolist(),
        "probability": (bins.probability[held] / samples).tolist(),
        "positive": (bins.positives[held] / samples.double()).tolist(),
        "samples": samples.tolist(),
    }


def brier_score(probability: Float[Tensor, " n"], positive: Bool[Tensor, " n"]) -> float:
    """Mean squared difference between the probability of the positive class and the outcome, 0 or 1.

    Half of the sum over both classes that Brier 1950 (Monthly Weather Review 78) writes, as is usual for two classes.

    Raises:
        ValueError: there is no sample.
    """
    if len(probability) == 0:
        raise ValueError("a Brier score needs a sample, found none.")
    return (probability.detach().cpu().double() - positive.cpu().double()).square().mean().item()


def log_loss(logits: Float[Tensor, "n k"] | Float[Tensor, " n"], truth: Int[Tensor, " n"]) -> float:
    """Mean negative logarithm of the probability of the true class, in nats.

    From logits, not from probabilities: those of sure predictions round to 0 and 1, whose logarithm is not finite.

    Args:
        logits: [n, k], or [n] of a binary label, the logit of class 1.
        truth: class numbers.

    Raises:
        ValueError: there is no sample.
    """
    if len(truth) == 0:
        raise ValueError("a log-loss needs a sample, found none.")
    scores = logits.detach().cpu().double()
    if scores.ndim == 1:
        return functional.binary_cross_entropy_with_logits(scores, truth.cpu().double()).item()
    return functional.cross_entropy(scores, truth.cpu().long()).item()
