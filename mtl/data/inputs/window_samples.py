"""Windows, cut from one flat tensor when they are asked for.

A source is one flat z-scored tensor [R, C]; a sample is the row at which its window starts. A batch is one
`index_select` on a view of the flat tensor: no copy of overlapping windows is ever kept. Of a source that is too large
to be kept z-scored in memory, the rows of a batch are read from its file and z-scored then, to the same bits.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor

from mtl.data.inputs.base import Fitted, Samples
from mtl.data.inputs.gaps import Gaps
from mtl.data.inputs.scaling import CPU, z_scored


@dataclass(frozen=True)
class Windows(Samples):
    """Windows of `input_len` rows."""

    flat: Float[Tensor, "R C"]
    """The source, z-scored, float32; the rows past its end that a last label's window would read are zero."""
    input_len: int
    starts: Int[Tensor, " n"]
    """First row of each sample's window."""
    gaps: Gaps | None = None
    """Cells that were not measured; None: all were."""

    def __len__(self) -> int:
        return self.starts.shape[0]

    @property
    def numbers(self) -> Int[Tensor, " n"]:
        return self.starts

    def gather(self, index: Int[Tensor, " B"], ahead: int) -> tuple[Float[Tensor, "B C L"], Float[Tensor, "B C A"]]:
        """Inputs, and the `ahead` rows that follow them."""
        starts = self.starts.index_select(0, index)
        span = self._span(starts, self.input_len + ahead)
        x, following = span[:, :, : self.input_len], span[:, :, self.input_len :]
        if self.gaps is None:
            return x, following
        value = self._cells(self.gaps.last_known(starts, self.input_len).clamp(min=0))
        return self.gaps.past(value, x, starts), self.gaps.ahead(following, starts, self.input_len)

    def _span(self, starts: Int[Tensor, " B"], length: int) -> Float[Tensor, "B C _"]:
        """The `length` rows from each start on."""
        return self.flat.unfold(0, length, 1).index_select(0, starts)

    def _cells(self, rows: Int[Tensor, "B C"]) -> Float[Tensor, "B C"]:
        """A cell of each channel, in a row of its own."""
        return self.flat.gather(0, rows)

    def complete(self, ahead: int, channels: Int[Tensor, " T"] | None) -> Bool[Tensor, " n"] | None:
        return None if self.gaps is None else self.gaps.complete(self.starts, self.input_len, ahead, channels)

    def pick(self, index: Int[Tensor, " m"]) -> "Windows":
        return replace(self, starts=self.starts[index])

    def to(self, device: torch.device) -> "Windows":
        gaps = None if self.gaps is None else self.gaps.to(device)
        return replace(self, flat=self.flat.to(device), starts=self.starts.to(device), gaps=gaps)


@dataclass(frozen=True)
class MappedWindows(Windows):
    """Windows of a source that stays in its file: `flat` holds original units, float64, and no row past its end."""

    flat: Float64[Tensor, "R C"]
    scale: Fitted | None = None
    """By which the rows of a batch are z-scored; always there."""
    device: torch.device = CPU
    """Where batches are wanted; they are gathered on the CPU, which can read the file."""

    def gather(self, index: Int[Tensor, " B"], ahead: int) -> tuple[Float[Tensor, "B C L"], Float[Tensor, "B C A"]]:
        """Inputs, and the `ahead` rows that follow them."""
        x, following = super().gather(index.cpu(), ahead)
        return x.to(self.device), following.to(self.device)

    def _span(self, starts: Int[Tensor, " B"], length: int) -> Float[Tensor, "B C _"]:
        assert self.scale is not None
        rows = starts[:, None] + torch.arange(length)
        span = z_scored(self.flat[rows.clamp(max=len(self.flat) - 1)], self.scale)
        # Laid out in memory as windows of a tensor are: what reads them may add in another order otherwise.
        return span.masked_fill_((rows >= len(self.flat))[..., None], 0).transpose(1, 2).contiguous()

    def _cells(self, rows: Int[Tensor, "B C"]) -> Float[Tensor, "B C"]:
        assert self.scale is not None
        return z_scored(self.flat.gather(0, rows), self.scale)

    def to(self, device: torch.device) -> "MappedWindows":
        return replace(self, device=device)


def pad_rows(values: Float[Tensor, "R C"], rows: int) -> Float[Tensor, "P C"]:
    """Appends `rows` zero rows, so that windows at the very end can be gathered with the rows that would follow."""
    return torch.cat([values, values.new_zeros(rows, values.shape[1])]) if rows else values
