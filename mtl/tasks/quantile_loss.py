"""The training loss of predicted quantiles."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from mtl.tasks.criterion import Criterion, weighted_mean_of
from mtl.tasks.gaps import mean_of, sample_means
from mtl.tasks.quantiles import crps


class QuantileCriterion(Criterion):
    """Mean CRPS of one task: twice the pinball loss, so that the median alone has the scale of the absolute error.

    Args:
        levels: the Q levels.
        gaps: some targets are NaN, and do not count.
    """

    def __init__(self, levels: Sequence[float], gaps: bool = False) -> None:
        super().__init__()
        self.gaps = gaps
        self.levels: Tensor
        self.register_buffer("levels", torch.tensor(levels), persistent=False)

    def forward(
        self, prediction: Float[Tensor, "B *place"], target: Float[Tensor, "B *_"], places: Sequence[int] | None = None
    ) -> Float[Tensor, ""]:
        """As of every criterion; the prediction's last dimension holds the Q quantiles of each of the target's."""
        quantiles = prediction.reshape(*target.shape, len(self.levels))
        if not self.gaps:
            return crps(quantiles, target, self.levels).mean()
        return mean_of(crps(quantiles, target.nan_to_num(), self.levels), target)

    def weighted(
        self, prediction: Float[Tensor, "B *place"], target: Float[Tensor, "B *_"], weights: Float[Tensor, " B"]
    ) -> Float[Tensor, ""]:
        scores = crps(prediction.reshape(*target.shape, len(self.levels)), target.nan_to_num(), self.levels)
        each = sample_means(scores, target) if target.ndim > 1 else scores
        return weighted_mean_of(each, weights)
