"""Random numbers for a batch of which this process holds a part (data-parallel pretraining).

Every process draws the numbers of the whole batch, from generators that stand in the same state, and keeps those of
its own samples: how many processes share a batch changes no sample's noise and no sample's dropout mask. A tensor's
first dimension is the batch's, or a multiple of it (B·C sequences, sample by sample).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Part:
    """Samples `begin` to `end` of a batch of `whole` samples; at least one."""

    begin: int
    end: int
    whole: int


_PART: ContextVar[Part | None] = ContextVar("part", default=None)


@contextmanager
def drawing_for(part: Part) -> Iterator[None]:
    """Context in which all random draws belong to the samples of `part`."""
    token = _PART.set(None if part.end - part.begin == part.whole else part)
    try:
        yield
    finally:
        _PART.reset(token)


def holds_a_part() -> bool:
    """True when this process holds fewer samples than the batch has."""
    return _PART.get() is not None


def drawn(shape: tuple[int, ...], draw: Callable[[tuple[int, ...]], Tensor]) -> Tensor:
    """Random numbers of `shape`, which `draw` gives for any shape."""
    part = _PART.get()
    if part is None:
        return draw(shape)
    rows = shape[0] // (part.end - part.begin)
    return draw((rows * part.whole, *shape[1:]))[rows * part.begin : rows * part.end]
