"""The focal loss (Lin et al. 2017, arXiv 1708.02002, eq. 4): cross-entropy · (1 − p)^γ, p the probability of the class.

Samples that are right already count for little, so that rare or hard ones are not drowned by many easy ones.
"""

import math

import torch
from torch import Tensor


def focused(losses: Tensor, gamma: float | None) -> Tensor:
    """Focal losses from cross-entropies −log p, without the weights of their classes; None leaves them alone."""
    return losses if gamma is None else focal_factor(losses, gamma) * losses


def focal_factor(losses: Tensor, gamma: float | Tensor) -> Tensor:
    """(1 − p)^γ from −log p; `expm1` keeps its digits where p is near 1, and the floor its gradient."""
    factor: Tensor = (-torch.expm1(-losses)).clamp(min=torch.finfo(losses.dtype).tiny) ** gamma
    return factor


def focal_guess(classes: int, gamma: float | None) -> float:
    """Loss of equal probabilities of so many classes."""
    plain = math.log(classes)
    return plain if gamma is None else plain * (1 - 1 / classes) ** gamma
