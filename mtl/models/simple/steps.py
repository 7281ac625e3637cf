"""A simple model of the class at every row of a window: what it says of the last of some rows, row by row.

B samples, C channels, L rows of a window, r rows that the model of one row reads, k classes.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

MOST_NUMBERS = 1 << 24
"""Numbers of the windows that pass at once (64 MB)."""


class EveryStep(nn.Module):
    """The model of one row for each row of a window, of those up to it; before the first row of a window stands that
    row again.

    Args:
        body: rows [n, C, r] → logits [n, k], or of two classes [n], the logit of the second.
        rows: r.
    """

    def __init__(self, body: nn.Module, rows: int) -> None:
        super().__init__()
        self.body = body
        self.rows = rows

    def forward(self, x: Float[Tensor, "B C L"]) -> Float[Tensor, "B L k"]:
        size = max(1, MOST_NUMBERS // (x.shape[1] * x.shape[2] * self.rows))
        return torch.cat([self._of(part) for part in torch.split(x, size)])

    def _of(self, x: Float[Tensor, "B C L"]) -> Float[Tensor, "B L k"]:
        padded = F.pad(x, (self.rows - 1, 0), mode="replicate") if self.rows > 1 else x
        windows = padded.unfold(2, self.rows, 1).permute(0, 2, 1, 3)
        numbers: Tensor = self.body(windows.flatten(0, 1)).float()
        if numbers.ndim == 1:
            numbers = torch.stack([-numbers / 2, numbers / 2], dim=1)
        return torch.unflatten(numbers, 0, windows.shape[:2])
