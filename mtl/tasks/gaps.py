"""Targets of which some cells were not measured: NaN stands for them, and no loss, metric or mean counts them."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def measured(target: Tensor) -> Bool[Tensor, "*place"]:
    """Mask of the cells of a target that were measured."""
    return ~target.isnan()


def without_gaps(target: Tensor, prediction: Tensor) -> Tensor:
    """The target with the prediction itself in its gaps, where an error and its gradient are then 0."""
    return torch.where(target.isnan(), prediction.detach().to(target.dtype), target)


def mean_of(values: Tensor, target: Tensor) -> Float[Tensor, ""]:
    """Mean of values of the same shape as a target over its measured cells; 0 where there is none."""
    there = measured(target)
    return torch.where(there, values, 0.0).sum() / there.sum().clamp(min=1)


def sample_means(values: Float[Tensor, "n *place"], target: Float[Tensor, "n *place"]) -> Float[Tensor, " n"]:
    """Mean of each sample's values over the measured cells of its target."""
    there = measured(target).flatten(1)
    return torch.where(there, values.flatten(1), 0.0).sum(dim=1) / there.sum(dim=1).clamp(min=1)
