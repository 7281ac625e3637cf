"""Instance normalisation: each channel of each window to mean 0 and variance 1 over time (RevIN without affine).

Statistics are detached; the variance is biased (divided by L), as in Kim et al. 2022 and TimeDART's code.
"""

import torch
from jaxtyping import Float
from torch import Tensor

EPSILON = 1e-5
"""Added to the variance: a constant channel normalises to zeros."""


def normalise(
    x: Float[Tensor, "B C L"],
) -> tuple[Float[Tensor, "B C L"], Float[Tensor, "B C"], Float[Tensor, "B C"]]:
    """Normalised windows, and the mean and standard deviation that undo it."""
    with torch.no_grad():
        variance, mean = torch.var_mean(x, dim=-1, correction=0)
        std = (variance + EPSILON).sqrt()
    return (x - mean.unsqueeze(-1)) / std.unsqueeze(-1), mean, std


def denormalise(
    y: Float[Tensor, "B C H"], mean: Float[Tensor, "B C"], std: Float[Tensor, "B C"]
) -> Float[Tensor, "B C H"]:
    """Back to the units `normalise` was given."""
    return torch.addcmul(mean.unsqueeze(-1), y, std.unsqueeze(-1))
