"""Contract of the methods of gradient aggregation.

K tasks, k of them with a gradient in the step, J [k, n] these gradients on n shared numbers, G = J·Jᵀ their Gramian.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn


class Weigher(nn.Module, ABC):
    """G → w, on the CPU in float64, wherever the network is; the direction is Jᵀw. What it remembers are buffers."""

    needs_gramian = True
    """False where w depends on the tasks' number alone, so that nobody computes G."""

    @abstractmethod
    def forward(self, gramian: Float64[Tensor, "k k"], present: list[int]) -> Float64[Tensor, " k"]:
        """w.

        Args:
            gramian: G; its trace may be anything but 0.
            present: positions of the k tasks among the K of the run, ascending.
        """

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Weigher":
        del fn, recurse
        return self


class Direction(nn.Module, ABC):
    """J → direction, for methods that look at the single numbers of a gradient. What it remembers are buffers."""

    @abstractmethod
    def forward(self, jacobian: Float[Tensor, "k n"], present: list[int]) -> tuple[Float[Tensor, " n"], Tensor]:
        """(direction, weight of each of the k tasks for the log)."""


def preferences(given: list[float] | None, count: int) -> Float64[Tensor, " K"]:
    """A preference vector that sums to 1; None is the same for all."""
    vector = torch.ones(count, dtype=torch.float64) if given is None else torch.tensor(given, dtype=torch.float64)
    return vector / vector.sum()


def unit_trace(gramian: Float64[Tensor, "k k"]) -> Float64[Tensor, "k k"]:
    """G / trace G; a G of zeros is left as it is."""
    trace = gramian.trace()
    return gramian / trace if trace > 0 else gramian
