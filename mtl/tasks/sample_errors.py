"""Errors of single samples whose mean over the samples is a metric, or 1 less it where higher is better.

For metrics that are means this is the error itself. For the others it comes from the pseudo-value of the infinitesimal
jackknife (Efron 1982, The Jackknife, the Bootstrap and Other Resampling Plans, chapter 6): with the metric T(w) of
samples that have the weights w, sample i gets

    T + n · ∂T/∂wᵢ  at equal weights,

which tells how much the metric hangs on it. No weight changes T if all grow alike, so the derivatives sum to 0 and the
mean is T. The spread of these numbers, over samples or blocks of them, is that of the metric, as for a mean.

| metric | pseudo-value |
|---|---|
| `balanced_accuracy` | mean over classes of those of the recall, a ratio |
| `f1`, `macro_f1` | of the ratio 2·TP / (2·TP + FP + FN) |
| `auc`, `macro_auc` | placement values, as in DeLong et al. 1988 |
| `average_precision` | sums of precisions over the positive samples below |
| `rmse` | of the root of the mean square |

The calibration error `ece` has none. It is a sum of absolute values, above 0 by chance alone, with a kink where
calibration is perfect: derivatives tell neither its bias nor its spread.

n samples, k classes.
"""

import torch
from jaxtyping import Bool, Float64, Int
from torch import Tensor
from torch.nn import functional

from mtl.tasks.ranking import log_odds


def label_errors(
    metric: str,
    logits: Float64[Tensor, "n k"] | Float64[Tensor, " n"],
    truth: Int[Tensor, " n"],
    said: Int[Tensor, " n"] | None = None,
    over: tuple[int, ...] | None = None,
) -> Float64[Tensor, " n"] | None:
    """Errors by a metric of a label; None where the samples leave it undefined, and of `ece`.

    Args:
        metric: one of those that a label is judged by.
        logits: [n, k], or [n] for a binary task: the logit of class 1.
        truth: class numbers; none is missing.
        said: classes that are said; None: the most probable ones.
        over: classes that `macro_f1` is the mean over; None: all.
    """
    binary = logits.ndim == 1
    if said is not None:
        predicted = said
    else:
        predicted = (logits > 0).long() if binary else logits.argmax(dim=1)
    match metric:
        case "accuracy":
            return (predicted != truth).double()
        case "log_loss" if binary:
            return functional.binary_cross_entropy_with_logits(logits, truth.double(), reduction="none")
        case "log_loss":
            return functional.cross_entropy(logits, truth, reduction="none")
        case "brier":
            return (logits.sigmoid() - truth.double()).square()
        case "balanced_accuracy" | "macro_f1" if len(torch.unique(truth)) < 2:
            return None
        case "balanced_accuracy":
            score = _mean([_recall(predicted, truth, label) for label in torch.unique(truth).tolist()])
        case "f1":
            score = _f1(predicted, truth, 1)
        case "macro_f1":
            labels = torch.unique(torch.cat([predicted, truth])).tolist() if over is None else list(over)
            score = _mean([_f1(predicted, truth, label) for label in labels])
        case "auc":
            score = auc_values(logits, truth == 1)
        case "macro_auc":
            columns = enumerate(log_odds(logits).unbind(dim=1))
            score = _mean([auc_values(column, truth == label) for label, column in columns])
        case "average_precision":
            score = average_precision_values(logits, truth == 1)
        case "ece":
            return None
        case _:
            raise ValueError(f"`metric` should be one that labels are judged by, found {metric!r}.")
    return None if score is None else 1 - score


def ratio_values(above: Float64[Tensor, " n"], below: Float64[Tensor, " n"]) -> Float64[Tensor, " n"] | None:
    """Pseudo-values of Σ above / Σ below; None where the lower sum is 0."""
    total = below.sum()
    if total == 0:
        return None
    ratio = above.sum() / total
    return ratio + (above - ratio * below) * (len(below) / total)


def root_values(squares: Float64[Tensor, " n"]) -> Float64[Tensor, " n"]:
    """Pseudo-values of the root of the mean of squares; 0 for all where that is 0 and the root has no slope."""
    mean = squares.mean()
    root = mean.sqrt()
    return torch.zeros_like(squares) if root == 0 else root + (squares - mean) / (2 * root)


def auc_values(scores: Float64[Tensor, " n"], positive: Bool[Tensor, " n"]) -> Float64[Tensor, " n"] | None:
    """Pseudo-values of the area under the receiver operating characteristic; None where all samples are of one class.

    Their centre is the area A; a positive sample is n/P times as far from it as its placement value, the share of the
    negative samples below it (a tie counts one half), and a negative sample n/N times as far as the share of positive
    ones above it. So Σ(value − A)²/n² is the variance of DeLong, DeLong and Clarke-Pearson 1988 (Biometrics 44,
    837–845) but for the factors (P − 1)/P and (N − 1)/N of its two parts.

    Args:
        scores: a higher one speaks for the positive class; infinite ones are allowed.
        positive: mask of the P positive samples; the other N are negative.
    """
    above, below = scores[positive], scores[~positive]
    if not len(above) or not len(below):
        return None
    placement = torch.empty_like(scores)
    placement[positive] = _share_below(above, below)
    placement[~positive] = 1 - _share_below(below, above)
    area = placement[positive].mean()
    yes = positive.double()
    size = yes * (len(scores) / len(above)) + (1 - yes) * (len(scores) / len(below))
    return area + size * (placement - area)


def average_precision_values(
    scores: Float64[Tensor, " n"], positive: Bool[Tensor, " n"]
) -> Float64[Tensor, " n"] | None:
    """Pseudo-values of the average precision; None where no sample is positive.

    Of AP = Σ wᵢ·Prec(sᵢ) / Σ wᵢ over the positive samples, where Prec(s) = TP(s)/M(s) with the weights TP(s) of the
    positive and M(s) of all samples whose score is at least s, the derivative by the weight of sample j is, with y = 1
    for positive samples and 0 for others,

        ( yⱼ·(Prec(sⱼ) − AP) + Σᵢ (yⱼ − Prec(sᵢ)) / M(sᵢ) ) / P,

    the sum over the positive samples i whose score is at most sⱼ.
    """
    count = int(positive.sum())
    if count == 0:
        return None
    y = positive.double()
    place = torch.unique(-scores, return_inverse=True)[1]  # 0 for the highest of the distinct scores
    levels = int(place.max()) + 1
    here = torch.zeros(levels, dtype=torch.float64).index_add_(0, place, y)
    every = torch.bincount(place, minlength=levels).cumsum(0).double()
    precision = here.cumsum(0) / every
    average = (here * precision).sum() / count
    # Sums over the distinct scores from the lowest up.
    added = (here / every).flip(0).cumsum(0).flip(0)
    lost = (here * precision / every).flip(0).cumsum(0).flip(0)
    slope = y * (precision[place] - average) + y * added[place] - lost[place]
    return average + slope * (len(scores) / count)


def _share_below(scores: Float64[Tensor, " m"], others: Float64[Tensor, " p"]) -> Float64[Tensor, " m"]:
    """Share of the others that lie below each score; ties count one half."""
    ordered = others.sort().values
    lower = torch.searchsorted(ordered, scores) + torch.searchsorted(ordered, scores, right=True)
    return lower.double() / (2 * len(others))


def _recall(predicted: Int[Tensor, " n"], truth: Int[Tensor, " n"], label: int) -> Float64[Tensor, " n"] | None:
    """Pseudo-values of the share of the samples of a class whose class is predicted."""
    occurs = (truth == label).double()
    return ratio_values(occurs * (predicted == label), occurs)


def _f1(predicted: Int[Tensor, " n"], truth: Int[Tensor, " n"], label: int) -> Float64[Tensor, " n"] | None:
    """Pseudo-values of the F1 of a class: 2·TP over the samples that are or are said to be of it."""
    occurs, said = (truth == label).double(), (predicted == label).double()
    return ratio_values(2 * occurs * said, occurs + said)


def _mean(values: list[Float64[Tensor, " n"] | None]) -> Float64[Tensor, " n"] | None:
    """Mean over those classes for which there are values; None where there are for none."""
    defined = [value for value in values if value is not None]
    return torch.stack(defined).mean(dim=0) if defined else None
