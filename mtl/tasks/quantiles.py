"""Quantiles of a predicted number: the loss that trains them, and how sharp and how well calibrated they are.

Q levels 0 < τ₁ < … < τ_Q < 1; the last dimension of a prediction holds the quantile of each level, in that order.
Everything is given for each target, so that callers leave out missing ones and add up batches as they need.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mtl.config.losses import central_intervals


def pinball_loss(
    prediction: Float[Tensor, "*sample Q"], target: Float[Tensor, "*sample"], levels: Float[Tensor, " Q"]
) -> Float[Tensor, "*sample"]:
    """Mean over the levels τ of max(τ·e, (τ − 1)·e), with e the target minus the predicted quantile.

    Its expectation is least where each prediction is the quantile of its level (Koenker and Bassett 1978, Econometrica
    46). The loss of a level is half of the absolute error at τ = 1/2.

    Args:
        prediction: quantiles, in the target's unit; they may cross.
        target: what happened.
        levels: the Q levels, on the same device.
    """
    error = target.unsqueeze(-1) - prediction
    return torch.maximum(levels * error, (levels - 1) * error).mean(dim=-1)


def crps(
    prediction: Float[Tensor, "*sample Q"], target: Float[Tensor, "*sample"], levels: Float[Tensor, " Q"]
) -> Float[Tensor, "*sample"]:
    """Continuous ranked probability score, in the target's unit, as twice the mean pinball loss.

    The score (Gneiting and Raftery 2007, JASA 102, section 4.2) is twice the integral of the pinball loss over all
    levels (Laio and Tamea 2007, Hydrology and Earth System Sciences 11). The mean is that integral by the midpoint rule
    if the levels are (i − 1/2)/Q; other levels give a proper score of these quantiles that should only be compared with
    scores of the same levels. With the level 1/2 alone it is the absolute error.
    """
    return 2 * pinball_loss(prediction, target, levels)


def without_crossing(prediction: Float[Tensor, "*sample Q"]) -> Float[Tensor, "*sample Q"]:
    """The predicted quantiles in ascending order.

    Quantiles that are predicted side by side can cross (Chernozhukov, Fernández-Val and Galichon 2010, Econometrica 78,
    put them in order in this way). Sorting never increases the pinball loss: of Σ τᵢ·(y − qᵢ) + max(qᵢ − y, 0) the
    second term has the same sum in any order, and the first is least where the largest quantile has the largest level.
    """
    return prediction.sort(dim=-1).values


def inside_intervals(
    prediction: Float[Tensor, "*sample Q"], target: Float[Tensor, "*sample"], levels: Sequence[float]
) -> Bool[Tensor, "*sample I"]:
    """Targets that lie in each of the I central intervals, bounds included, in the order of `central_intervals`.

    The coverage of an interval is the mean over targets; it should be near the interval's probability.

    Args:
        prediction: quantiles in ascending order (see `without_crossing`).
        target: what happened.
        levels: the Q levels.
    """
    intervals = central_intervals(levels)
    low, high = (prediction[..., [interval[bound] for interval in intervals]] for bound in (0, 1))
    value = target.unsqueeze(-1)
    return (low <= value) & (value <= high)
