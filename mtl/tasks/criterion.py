"""The training loss of tasks of a kind.

B samples of a batch, J stacked tasks.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Criterion(nn.Module, ABC):
    """A training loss; what it needs of the tasks are buffers, which move with the network."""

    @abstractmethod
    def forward(self, prediction: Tensor, target: Tensor, places: Sequence[int] | None = None) -> Tensor:
        """The mean loss of one task, or of stacked tasks the loss of each sample, [B, J].

        Args:
            prediction: of samples that have a target; of stacked tasks [B, J], with some samples without one.
            target: theirs.
            places: of stacked tasks, which of them are there; None for all.
        """

    def weighted(self, prediction: Tensor, target: Tensor, weights: Float[Tensor, " B"]) -> Float[Tensor, ""]:
        """The weighted mean loss of one task that is not stacked; 0 where no sample has a weight.

        Args:
            prediction: of samples that have a target.
            target: theirs.
            weights: of the samples.
        """
        losses = [self(*pair) for pair in zip(torch.split(prediction, 1), torch.split(target, 1), strict=True)]
        return weighted_mean_of(torch.stack(losses), weights)


def weighted_mean_of(losses: Float[Tensor, "B *J"], weights: Float[Tensor, "B *J"]) -> Float[Tensor, "*J"]:
    """Weighted mean over samples; 0 where none has a weight."""
    total = weights.sum(dim=0)
    return (losses * weights).sum(dim=0) / torch.where(total > 0, total, 1.0)
