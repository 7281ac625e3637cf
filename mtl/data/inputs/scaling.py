"""The z-score of rows of numbers, fitted on training rows alone; in memory, or batch by batch of a large source."""

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from mtl.data.inputs.base import Fitted

MAX_SCORE = 1e15
"""A sum of 10^8 squares stays below float32's 3.4e38."""

CPU = torch.device("cpu")
IN_MEMORY = 1 << 28
"""Bytes of scaled rows, float32, that every process keeps in memory of its own. Rows of a larger source are read from
its file, whose pages processes share, and scaled batch by batch."""


def stays_mapped(numbers: int) -> bool:
    """True for so many numbers that they are scaled batch by batch."""
    return numbers * torch.float32.itemsize > IN_MEMORY


def z_scored(rows: Float64[Tensor, "*R C"], fitted: Fitted) -> Float[Tensor, "*R C"]:
    """Rows as networks see them, float32."""
    return ((rows - fitted.mean) / fitted.std).float()


def where(mask: Bool[Tensor, " R"], rows: Float64[Tensor, "R C"]) -> Float64[Tensor, "r C"]:
    """The rows of a mask; without a copy where they lie together."""
    count, first = int(mask.sum()), int(mask.byte().argmax())
    together = bool(mask[first : first + count].all())
    return rows[first : first + count] if together else rows[mask]


def fit_rows(rows: Float64[Tensor, "R C"]) -> Fitted:
    """Mean and population standard deviation (ddof 0) of each column, original units; 1 for a constant one."""
    mean, std = rows.mean(dim=0), rows.std(dim=0, unbiased=False)
    # Rounding can leave a constant channel a mean that is not its value, and a deviation of 1e-17: compare the
    # extremes instead. And the squares of deviations below 1e-162 are 0.
    constant = rows.amax(dim=0) == rows.amin(dim=0)
    mean[constant] = rows[0, constant]
    std[constant | (std == 0)] = 1.0
    return Fitted(mean, std)


def scores_problem(values: Float64[Tensor, "R C"], columns: list[str], fitted: Fitted) -> str | None:
    """The column with a z-score so large that its square, in float32, is not finite, in words; None if none has."""
    mean, std = fitted.mean, fitted.std
    largest = torch.maximum(values.amax(dim=0) - mean, mean - values.amin(dim=0)) / std
    if not bool((largest > MAX_SCORE).any()):
        return None
    column = int((largest > MAX_SCORE).nonzero()[0])
    return (
        f"column `{columns[column]}` should have values within {MAX_SCORE:g} standard deviations of its training rows, "
        f"found one {float(largest[column]):g} away."
    )
