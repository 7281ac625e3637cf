"""MGDA (Désidéri 2012, doi 10.1016/j.crma.2012.03.014): the shortest vector in the convex hull of the task gradients.

min αᵀGα over α ≥ 0, Σα = 1, solved exactly. With any t > 0 the x ≥ 0 that minimises ½·xᵀ(G + t·11ᵀ)x − 1ᵀx is a
multiple of α, since 11ᵀ adds the same to every point of the simplex; so the constraint Σα = 1 falls away. Columns are
scaled to a diagonal of 1 first, which keeps gradients of very different length apart.
"""

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from mtl.balancing.aggregation import Weigher
from mtl.balancing.nonnegative import definite, solve


class Mgda(Weigher):
    """Torchjd's MGDA stops by Frank–Wolfe far from the optimum on badly scaled gradients; this one does not."""

    def forward(self, gramian: Float64[Tensor, "k k"], present: list[int]) -> Float64[Tensor, " k"]:
        del present
        g = gramian.numpy()
        squares = g.diagonal()
        still = squares <= 0
        if still.any():
            return torch.from_numpy(still / still.sum())
        matrix = g + squares.min()
        scale = 1 / np.sqrt(matrix.diagonal())
        x = scale * solve(definite(matrix * scale[:, None] * scale), -scale)
        return torch.from_numpy(x / x.sum())
