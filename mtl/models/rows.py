"""Rows of a table for networks and formulas that read numbers alone: a column for each category.

B rows, W numbers of a row (`mtl.config.inputs.RowLayout`), P numbers with a column for each category.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from mtl.config.inputs import RowLayout


class OneHot(nn.Module):
    """Rows with a column of 0 or 1 in place of each code; an unknown category has 0 in all of its columns.

    Args:
        layout: meaning of the W numbers.
    """

    def __init__(self, layout: RowLayout) -> None:
        super().__init__()
        self.coded = layout.numbers + len(layout.flags)
        self.width = layout.expanded
        counts = torch.tensor([0, *(count - 1 for count in layout.codes[:-1])])
        self.register_buffer("starts", self.coded + counts.cumsum(0) - 1, persistent=False)
        self.register_buffer("most", torch.tensor(layout.codes) - 1, persistent=False)
        self.starts: Int[Tensor, " G"]
        self.most: Int[Tensor, " G"]

    def forward(self, x: Float[Tensor, "B W"]) -> Float[Tensor, "B P"]:
        codes = torch.minimum(x[:, self.coded :].long().clamp(min=0), self.most)
        # Unknown ones go to a column behind the others, which is cut off.
        columns = torch.where(codes > 0, self.starts + codes, self.width)
        rows = x.new_zeros(x.shape[0], self.width + 1).scatter_(1, columns, 1.0)
        rows[:, : self.coded] = x[:, : self.coded]
        return rows[:, : self.width]


def one_hot(layout: RowLayout | None) -> OneHot | None:
    """The module for rows of a layout; None where they hold no category."""
    return OneHot(layout) if layout is not None and layout.codes else None
