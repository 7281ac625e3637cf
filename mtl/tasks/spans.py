"""Spans of BIO tags, as conlleval counts them (Tjong Kim Sang and De Meulder 2003): an `I-` that continues no span of
its type begins one.

n samples, P positions, k classes, s spans.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float64, Int
from torch import Tensor

OUTSIDE = "O"
BEGIN, INSIDE = "B-", "I-"


def are_spans(classes: Sequence[str]) -> bool:
    """Says whether the names of classes are those of spans."""
    return any(name.startswith(BEGIN) for name in classes) and all(
        name == OUTSIDE or name.startswith((BEGIN, INSIDE)) for name in classes
    )


@dataclass(frozen=True)
class Spans:
    """Meaning of the classes of BIO tags.

    Args:
        classes: names in the order of the numbers.
    """

    classes: Sequence[str]

    @cached_property
    def types(self) -> list[str]:
        """Types of spans, in the order of letters."""
        return sorted({name[len(BEGIN) :] for name in self.classes if name != OUTSIDE})

    @cached_property
    def _type_of(self) -> Int[Tensor, " k"]:
        """Number of the type of each class; -1 outside of spans."""
        return torch.tensor([-1 if name == OUTSIDE else self.types.index(name[len(BEGIN) :]) for name in self.classes])

    @cached_property
    def _begins(self) -> Bool[Tensor, " k"]:
        return torch.tensor([name.startswith(BEGIN) for name in self.classes])

    def of(self, tags: Int[Tensor, "n P"]) -> Int[Tensor, "s 4"]:
        """Spans as rows of sample, first position, last position and type, in the order of samples and positions.

        Args:
            tags: class numbers; what is below 0 is outside of spans.
        """
        outside, number = tags < 0, tags.clamp(min=0).long()
        kind = torch.where(outside, -1, self._type_of[number])
        before, behind = (torch.full_like(kind[:, :1], -1) for _ in range(2))
        last, following = torch.cat([before, kind[:, :-1]], dim=1), torch.cat([kind[:, 1:], behind], dim=1)
        first = (kind >= 0) & ((self._begins[number] & ~outside) | (last != kind))
        next_first = torch.cat([first[:, 1:], torch.ones_like(first[:, :1])], dim=1)
        end = (kind >= 0) & (next_first | (following != kind))
        sample, begin = first.nonzero().unbind(1)
        return torch.stack([sample, begin, end.nonzero()[:, 1], kind[first]], dim=1)


@dataclass(frozen=True)
class SpanCounts:
    """Spans of each sample: right ones, predicted ones and true ones."""

    right: Float64[Tensor, " n"]
    said: Float64[Tensor, " n"]
    true: Float64[Tensor, " n"]


def span_counts(spans: Spans, said: Int[Tensor, "n P"], truth: Int[Tensor, "n P"]) -> SpanCounts:
    """Spans of each sample: a predicted span is right if a true one has its first and last position and its type."""
    predicted, wanted = spans.of(said), spans.of(truth)
    sizes = torch.tensor([truth.shape[1], truth.shape[1], len(spans.types)])

    def keys(rows: Int[Tensor, "s 4"]) -> Int[Tensor, " s"]:
        key = rows[:, 0]
        for place, size in enumerate(sizes.tolist(), start=1):
            key = key * size + rows[:, place]
        return key

    right = torch.isin(keys(predicted), keys(wanted))
    counts = (torch.bincount(rows[:, 0], minlength=len(truth)) for rows in (predicted[right], predicted, wanted))
    return SpanCounts(*(count.double() for count in counts))
