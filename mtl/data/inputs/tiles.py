"""Windows of a part of a series of which each row is answered by one, so that every row counts once.

A network that reads forward knows little at the first rows of a window. So windows overlap by half: each answers its
last ⌊L/2⌋ rows, which it sees with at least ⌈L/2⌉ rows before them, and the first window of a series, or behind rows
that cannot be read, answers all of its rows. The last window of a part ends with the part, and answers what is left.

L rows of a window, R rows of a source, n windows.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor


def answered(length: int) -> int:
    """Rows that a window of L rows answers, but for the first of a series."""
    return max(1, length // 2)


@dataclass(frozen=True)
class Tiles:
    """Windows in the order of their rows."""

    starts: Int[Tensor, " n"]
    """First row of each."""
    begins: Int[Tensor, " n"]
    """First row that each answers."""
    ends: Int[Tensor, " n"]
    """Row behind the last that each answers."""

    @property
    def rows(self) -> int:
        """Rows that are answered."""
        return int((self.ends - self.begins).sum())

    def counts(self, starts: Int[Tensor, " m"], length: int) -> Bool[Tensor, "m L"]:
        """Mask of the rows of windows that these answer; none of a window that is not among them."""
        if not len(self.starts):
            return torch.zeros(len(starts), length, dtype=torch.bool)
        place = torch.searchsorted(self.starts, starts).clamp(max=len(self.starts) - 1)
        rows = starts[:, None] + torch.arange(length)
        inside = (rows >= self.begins[place, None]) & (rows < self.ends[place, None])
        return inside & (self.starts[place] == starts)[:, None]
