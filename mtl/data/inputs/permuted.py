"""Samples of which some inputs are those of other samples, so that these inputs tell nothing.

n samples of a pool, B of a batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mtl.config.inputs import InputKind, RowLayout
from mtl.data.inputs.base import Samples
from mtl.data.inputs.date_parts import dates_behind

INPUTS = 1
"""Axis of a batch along which channels of windows, and numbers of rows, stand."""
MOST_DIMENSIONS = 2
"""Axes of a sample whose inputs have a meaning of their own: of images the colours have none."""


@dataclass(frozen=True)
class Permuted(Samples):
    """Samples with some inputs of others; what follows a sample stays its own."""

    samples: Samples
    others: Int[Tensor, " n"]
    """Number of the sample that gives its inputs, for each sample."""
    places: Int[Tensor, " P"]
    """Places of these inputs."""

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def numbers(self) -> Int[Tensor, " n"]:
        return self.samples.numbers

    def gather(
        self, index: Int[Tensor, " B"], ahead: int
    ) -> tuple[Float[Tensor, "B *S"], Float[Tensor, "B C A"] | None]:
        x, following = self.samples.gather(index, ahead)
        given, _ = self.samples.gather(self.others.index_select(0, index), 0)
        return x.index_copy(INPUTS, self.places, given.index_select(INPUTS, self.places)), following

    def complete(self, ahead: int, channels: Int[Tensor, " T"] | None) -> Bool[Tensor, " n"] | None:
        return self.samples.complete(ahead, channels)

    def pick(self, index: Int[Tensor, " m"]) -> Samples:
        raise NotImplementedError("samples are picked before they are permuted")

    def to(self, device: torch.device) -> "Permuted":
        return Permuted(self.samples.to(device), self.others.to(device), self.places.to(device))


def input_places(kind: InputKind, columns: Sequence[str], layout: RowLayout | None) -> dict[str, list[int]]:
    """Input → its places along the second axis of a batch; none of samples whose inputs mean nothing by themselves.

    A number that may be missing has a second place, that of its mark, and the parts of a date are one input.

    Args:
        kind: of the samples.
        columns: of their source, in order.
        layout: of a row; None where each number is a column.
    """
    if kind.dimensions > MOST_DIMENSIONS or kind.texts or kind.mixed:  # a part of a mixture is left out as a whole
        return {}
    order = layout or RowLayout(len(columns))
    dates = dates_behind(columns, []) if kind.tabular else {}
    places: dict[str, list[int]] = {}
    for number, column in enumerate(columns):
        own = [number if number < order.numbers else number + len(order.flags)]
        if number in order.flags:
            own.append(order.numbers + order.flags.index(number))
        places.setdefault(dates.get(column, column), []).extend(own)
    return places
