"""Metrics of classes at positions, and the errors of single samples that come to them.

n samples, P positions of a prediction, Q of a target, m positions that count, k classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from mtl.errors import DataError
from mtl.results.numbers import Metrics
from mtl.tasks.calibration import log_loss
from mtl.tasks.confusion import accuracy, balanced_accuracy, confusion_table, f1, macro_f1
from mtl.tasks.ranking import average_precision, rank
from mtl.tasks.sample_errors import average_precision_values, ratio_values
from mtl.tasks.spans import SpanCounts, Spans, are_spans, span_counts
from mtl.tasks.undefined import Undefined, split_undefined
from mtl.types import NO_LABEL

Detail = dict[str, object]


@dataclass(frozen=True)
class Positions:
    """The positions that have a class and a prediction.

    Args:
        logits: at these.
        truth: class numbers there.
        sample: number of the sample of each.
        place: position of each in its sample.
        samples: n.
        longest: positions of the longest sample.
    """

    logits: Float[Tensor, "m k"]
    truth: Int[Tensor, " m"]
    sample: Int[Tensor, " m"]
    place: Int[Tensor, " m"]
    samples: int
    longest: int

    @classmethod
    def of(cls, prediction: Float[Tensor, "n P k"], target: Int[Tensor, "n Q"]) -> "Positions":
        """The positions of predictions, NaN where there is none, and of targets, NO_LABEL where there is none."""
        longest = min(prediction.shape[1], target.shape[1])
        prediction, target = prediction[:, :longest], target[:, :longest]
        sample, place = ((target != NO_LABEL) & ~prediction[..., 0].isnan()).nonzero(as_tuple=True)
        return cls(prediction[sample, place], target[sample, place].long(), sample, place, len(target), max(1, longest))

    def sums_of(self, values: Tensor) -> Tensor:
        """Sums over the positions of each sample [n]."""
        return values.new_zeros(self.samples).index_add_(0, self.sample, values)

    def mean_of(self, values: Tensor) -> Tensor:
        """Means over the positions of each sample [n]; 0 of one without any."""
        return self.sums_of(values) / self.sums_of(torch.ones_like(values)).clamp(min=1)

    def spread(self, classes: Int[Tensor, " m"]) -> Int[Tensor, "n Q"]:
        """Class numbers side by side, NO_LABEL elsewhere."""
        whole = classes.new_full((self.samples, self.longest), NO_LABEL)
        whole[self.sample, self.place] = classes
        return whole

    def spans(self, classes: Sequence[str]) -> SpanCounts:
        """Spans of each sample."""
        return span_counts(Spans(classes), self.spread(self.logits.argmax(dim=1)), self.spread(self.truth))


def tag_metrics(at: Positions, classes: list[str], over: tuple[int, ...] | None = None) -> tuple[Metrics, Detail]:
    """`loss` (mean cross-entropy of a position, nats), `accuracy`, `balanced_accuracy` and `macro_f1` over positions,
    of two classes `f1` and `average_precision` of the second, and `span_f1` where classes are those of spans; without
    those that the samples leave undefined.

    Args:
        at: the positions.
        classes: names.
        over: classes that `macro_f1` is the mean over; None: all.

    Returns:
        The metrics; and `confusion` (rows truth, columns prediction), `classes`, `undefined` (metric → reason).

    Raises:
        DataError: no position has a class.
    """
    if not len(at.truth):
        raise DataError("Tags cannot be measured on 0 words or rows; no sample of this part has one.")
    logits = at.logits.detach().cpu().double()
    table = confusion_table(at.truth.cpu(), logits.argmax(dim=1), len(classes))
    metrics: dict[str, float | Undefined] = {
        "loss": log_loss(logits, at.truth.cpu()),
        "accuracy": accuracy(table),
        "balanced_accuracy": balanced_accuracy(table),
        "macro_f1": macro_f1(table, over),
    }
    if len(classes) == 2:
        positive = rank(logits[:, 1] - logits[:, 0], at.truth.cpu() == 1)
        metrics |= {"f1": f1(table), "average_precision": average_precision(positive)}
    if are_spans(classes):
        metrics["span_f1"] = span_f1(at.spans(classes))
    defined, reasons = split_undefined(metrics)
    detail: Detail = {"confusion": table.tolist(), "classes": list(classes)}
    return defined, detail | ({"undefined": reasons} if reasons else {})


def span_f1(counts: SpanCounts) -> float | Undefined:
    """2 · right / (predicted + true) spans over all samples; undefined where there are none of either."""
    either = float((counts.said + counts.true).sum())
    if either == 0:
        return Undefined("no sample has a span, and none is predicted")
    return 2 * float(counts.right.sum()) / either


def tag_errors(
    metric: str, at: Positions, classes: list[str], over: tuple[int, ...] | None = None
) -> Float64[Tensor, " n"] | None:
    """Error of each sample whose mean is 1 less the metric (`mtl.tasks.sample_errors`); None where the samples leave it
    undefined. Arguments as of `tag_metrics`."""
    said = at.logits.argmax(dim=1)
    hits = (said == at.truth).double()
    match metric:
        case "accuracy":
            score = ratio_values(at.sums_of(hits), at.sums_of(torch.ones_like(hits)))
        case "span_f1":
            counts = at.spans(classes)
            score = ratio_values(2 * counts.right, counts.said + counts.true)
        case "balanced_accuracy" | "macro_f1" if len(torch.unique(at.truth)) < 2:
            return None
        case "f1":
            score = _f1(at, said == 1, at.truth == 1)
        case "average_precision":
            values = average_precision_values((at.logits[:, 1] - at.logits[:, 0]).double(), at.truth == 1)
            score = None if values is None else _summed(at, values)
        case "balanced_accuracy":
            score = _mean([_ratio(at, hits, at.truth == label) for label in torch.unique(at.truth).tolist()])
        case "macro_f1":
            labels = torch.unique(torch.cat([said, at.truth])).tolist() if over is None else list(over)
            score = _mean([_f1(at, said == label, at.truth == label) for label in labels])
        case _:
            raise ValueError(f"`metric` should be one that tags are judged by, found {metric!r}.")
    return None if score is None else 1 - score


def _ratio(at: Positions, hits: Float64[Tensor, " m"], there: Tensor) -> Float64[Tensor, " n"] | None:
    """Pseudo-values of the share of the positions of a class that are right."""
    occurs = there.double()
    return ratio_values(at.sums_of(hits * occurs), at.sums_of(occurs))


def _f1(at: Positions, said: Tensor, true: Tensor) -> Float64[Tensor, " n"] | None:
    both, either = (said & true).double(), said.double() + true.double()
    return ratio_values(2 * at.sums_of(both), at.sums_of(either))


def _summed(at: Positions, values: Float64[Tensor, " m"]) -> Float64[Tensor, " n"]:
    """Pseudo-values of samples from those of their positions: with the metric T they are T + n/m · Σ (value − T)."""
    metric = values.mean()
    return metric + at.sums_of(values - metric) * (at.samples / len(values))


def _mean(values: list[Float64[Tensor, " n"] | None]) -> Float64[Tensor, " n"] | None:
    defined = [value for value in values if value is not None]
    return torch.stack(defined).mean(dim=0) if defined else None
