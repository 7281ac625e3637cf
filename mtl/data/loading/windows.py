"""Windows of a source, as samples of a pool: cut from one flat tensor when they are asked for.

A source is one flat z-scored tensor [R, C]; a sample is the row at which its window starts. A batch is one
`index_select` on a view of the flat tensor: no copy of overlapping windows is ever kept.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Windows:
    """Windows of `input_len` rows."""

    flat: Float[Tensor, "R C"]
    """The source, z-scored, float32; the rows past its end that a last label's window would read are zero."""
    input_len: int
    starts: Int[Tensor, " n"]
    """First row of each sample's window."""

    def __len__(self) -> int:
        return self.starts.shape[0]

    def gather(self, index: Int[Tensor, " B"], horizon: int) -> tuple[Float[Tensor, "B C L"], Float[Tensor, "B C H"]]:
        """Inputs, and the `horizon` rows that follow them."""
        starts = self.starts.index_select(0, index)
        span = self.flat.unfold(0, self.input_len + horizon, 1).index_select(0, starts)
        return span[:, :, : self.input_len], span[:, :, self.input_len :]

    def pick(self, index: Int[Tensor, " m"]) -> "Windows":
        """Some of the samples."""
        return replace(self, starts=self.starts[index])

    def to(self, device: torch.device) -> "Windows":
        """With the tensors on `device`; the flat tensor is not copied when it is there already."""
        return replace(self, flat=self.flat.to(device), starts=self.starts.to(device))


def pad_rows(values: Float[Tensor, "R C"], rows: int) -> Float[Tensor, "P C"]:
    """Appends `rows` zero rows, so that windows at the very end can be gathered with a horizon's span."""
    return torch.cat([values, values.new_zeros(rows, values.shape[1])]) if rows else values
