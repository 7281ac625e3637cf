"""Measures of a ranking: how well scores put positive samples before negative ones, at every threshold at once.

All of them follow from the counts at the distinct scores, which one sort gives: O(n log n) for n samples. Counts are
integers, so that tied scores are tied exactly and the order of samples does not matter. Symbols: m distinct scores,
P positive and N negative samples; TP and FP, the numbers of positive and negative samples whose score is at least some
threshold.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mtl.tasks.undefined import Undefined

MOST_POINTS = 200
"""Points of a curve that is kept for a picture."""


@dataclass(frozen=True)
class Ranking:
    """Counts of the samples whose score is at least each of the m distinct scores, from the highest score down."""

    true_positives: Int[Tensor, " m"]
    false_positives: Int[Tensor, " m"]

    @property
    def positives(self) -> int:
        """Number of positive samples, P."""
        return int(self.true_positives[-1])

    @property
    def negatives(self) -> int:
        """Number of negative samples, N."""
        return int(self.false_positives[-1])


def rank(scores: Float[Tensor, " n"], positive: Bool[Tensor, " n"]) -> Ranking:
    """The ranking of samples by their scores; a higher score speaks for the positive class.

    Logits rank more finely than probabilities: the sigmoid of large logits is 1 for all of them.

    Args:
        scores: any numbers that can be ordered, infinite ones included.
        positive: samples that belong to the positive class.

    Raises:
        ValueError: there is no sample, or a score is not a number.
    """
    if len(scores) == 0:
        raise ValueError("a ranking needs a sample, found none.")
    ordered, order = scores.detach().cpu().double().sort(descending=True)
    if bool(ordered.isnan().any()):
        raise ValueError("`scores` should be numbers, found NaN.")
    changes = (ordered[1:] != ordered[:-1]).nonzero().squeeze(1)
    last = torch.cat([changes, torch.tensor([len(ordered) - 1])])
    true_positives = positive.cpu()[order].cumsum(0)[last]
    return Ranking(true_positives, last + 1 - true_positives)


def roc_auc(ranking: Ranking) -> float | Undefined:
    """Area under the receiver operating characteristic: the share of pairs of a positive and a negative sample in
    which the positive one has the higher score; a tie counts one half.

    This is the Mann–Whitney statistic with mid-ranks divided by P·N (Hanley and McNeil 1982, Radiology 143).
    Undefined where all samples belong to one class.
    """
    positives, negatives = ranking.positives, ranking.negatives
    if positives == 0 or negatives == 0:
        return _one_class(positives + negatives, "positive" if positives else "negative")
    higher = _before(ranking.true_positives)
    # Twice the number of pairs in the right order: a negative sample's positives above it count 2, those beside it 1.
    doubled = (_steps(ranking.false_positives) * (higher + ranking.true_positives)).sum()
    return int(doubled) / (2 * positives * negatives)


def average_precision(ranking: Ranking) -> float | Undefined:
    """Mean over the positive samples of the precision at their score: Σᵢ (Rᵢ − Rᵢ₋₁)·Pᵢ over the distinct scores from
    the highest down, with recall R and precision P, as scikit-learn's `average_precision_score` defines it.

    No interpolation, which would be too optimistic (Davis and Goadrich 2006, ICML). Undefined without a positive.
    """
    if ranking.positives == 0:
        return _one_class(ranking.negatives, "negative")
    precision = ranking.true_positives.double() / (ranking.true_positives + ranking.false_positives)
    return ((_steps(ranking.true_positives) * precision).sum() / ranking.positives).item()


def macro_auc(scores: Float[Tensor, "n k"], truth: Int[Tensor, " n"]) -> float | Undefined:
    """Mean over classes of the area under the curve of that class against all others.

    The mean is over the classes to which some samples belong and others do not; undefined where there is no such class.
    A rare class counts as much as a frequent one (Provost and Domingos 2000 weigh by frequency; scikit-learn has both).

    Args:
        scores: how much speaks for each class: its probability, or its `log_odds`, which are in the same order.
        truth: class numbers.
    """
    areas = [roc_auc(rank(column, truth == number)) for number, column in enumerate(scores.unbind(1))]
    known = [area for area in areas if not isinstance(area, Undefined)]
    return sum(known) / len(known) if known else Undefined(f"all {len(truth)} samples belong to one class")


def log_odds(logits: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
    """log p − log (1 − p) of every class's softmax probability p, in float64; k ≥ 2.

    1 − p loses all digits as p nears 1. Only the most probable class can have p > 1/2, so its 1 − p alone is summed
    over the other classes.
    """
    scores = logits.detach().cpu().double()
    log_p = scores.log_softmax(1)
    top = scores.argmax(1, keepdim=True)
    log_rest = torch.log1p(-log_p.scatter(1, top, -1.0).exp())
    # Both from logits: over the others −log p_top − log (1 − p_top) would subtract two rounded numbers.
    others = scores.scatter(1, top, -torch.inf).logsumexp(1, keepdim=True)
    return (log_p - log_rest).scatter(1, top, scores.gather(1, top) - others)


def operating_points(ranking: Ranking, at_most: int = MOST_POINTS) -> dict[str, int | list[int]]:
    """Counts at up to `at_most` thresholds, for the pictures of both curves, as JSON can hold them.

    Keys `true_positives` and `false_positives` (lists, from the highest threshold to the lowest) and `positives`,
    `negatives` (P and N). The receiver operating characteristic is TP/P over FP/N, from (0, 0); precision TP/(TP + FP)
    over recall TP/P, from the first point. The first and the last threshold are always kept; those between are the
    nearest to equal steps of TP/P + FP/N + log (1 + TP + FP)/log (1 + P + N), which bounds how far any of the three
    moves from point to point: neither the steep start of a curve nor the one of a rare class is lost.
    """
    true_positives, false_positives = ranking.true_positives, ranking.false_positives
    count = len(true_positives)
    if count > at_most:
        named = true_positives + false_positives
        way = (
            true_positives / max(ranking.positives, 1)
            + false_positives / max(ranking.negatives, 1)
            + named.double().log1p() / named[-1].double().log1p()
        )
        wanted = torch.linspace(float(way[0]), float(way[-1]), at_most, dtype=torch.float64)
        kept = torch.searchsorted(way.double(), wanted).clamp(max=count - 1)
        kept[0], kept[-1] = 0, count - 1
        kept = torch.unique(kept)
        true_positives, false_positives = true_positives[kept], false_positives[kept]
    return {
        "true_positives": true_positives.tolist(),
        "false_positives": false_positives.tolist(),
        "positives": ranking.positives,
        "negatives": ranking.negatives,
    }


def _before(counts: Int[Tensor, " m"]) -> Int[Tensor, " m"]:
    """Counts at the next higher score; 0 above the highest."""
    return torch.cat([counts.new_zeros(1), counts[:-1]])


def _steps(counts: Int[Tensor, " m"]) -> Int[Tensor, " m"]:
    """Samples that have exactly each of the scores."""
    return counts - _before(counts)


def _one_class(samples: int, which: str) -> Undefined:
    return Undefined(f"all {samples} samples are {which}" if samples > 1 else f"the only sample is {which}")
