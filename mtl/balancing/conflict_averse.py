"""CAGrad (Liu 2021, arXiv 2110.14048, algorithm 1), its inner problem solved exactly.

With G the Gramian of the task gradients, g₀ = Jᵀ1/K their mean and ρ = c·‖g₀‖, the problem is

    min F(w) = wᵀs + ρ·√(wᵀGw) over w ≥ 0, Σw = 1, where s = G·1/K.

Let z(ν) ≥ 0 minimise ½·zᵀGz + zᵀ(s − ν·1). Its optimality conditions are those of F at w = z/Σz once √(zᵀGz) = ρ, and
ν is F's minimum then. That length grows with ν, and ½·zᵀGz is convex and piecewise quadratic in it; so ν is found by
quadratic steps, a program of `nonnegative` each, and exactly as soon as the z that are above 0 stay the same. Two to
six steps do, for a hundred tasks too.
"""

import math

import numpy as np
import torch
from jaxtyping import Float64
from numpy.typing import NDArray
from scipy.linalg import lapack
from torch import Tensor

from mtl.balancing.aggregation import Weigher, unit_trace
from mtl.balancing.nonnegative import definite, solve

Vector = NDArray[np.float64]
STILL = 1e-4
"""It stands still where the tasks' weighted gradients cancel to this share of their lengths (TorchJD's `norm_eps`), or
to what rounding leaves undecided."""
STEPS = 100
"""Largest number of steps. Where rounding keeps ν from settling, the best mixture on the way is as good as any."""
CLOSE = 1e-12
"""Relative change of ν that counts as none."""


class CaGrad(Weigher):
    """Conflict-averse descent: the mean gradient, and c times its length towards the worst mixture of the tasks'.

    Args:
        c: radius of the ball around the mean gradient g₀, in units of its length; 0 ≤ c.
    """

    def __init__(self, c: float) -> None:
        super().__init__()
        self.c = c

    def forward(self, gramian: Float64[Tensor, "k k"], present: list[int]) -> Float64[Tensor, " k"]:
        del present
        g = unit_trace(gramian).numpy()
        count = len(g)
        slope = g.mean(axis=1)
        radius = self.c * math.sqrt(max(float(slope.mean()), 0.0))
        if radius == 0:
            return torch.full((count,), 1 / count, dtype=torch.float64)
        # A task without a gradient gains 0 from any direction: what is best for the others is best for all.
        moving = g.diagonal() > 0
        w, ridge = _worst_mixture(g[np.ix_(moving, moving)], slope[moving], radius)
        w, squares = _spread(w, moving), g.diagonal()
        square = float(w @ g @ w)
        if square <= max(STILL**2, ridge) * float(w**2 @ squares):
            return torch.zeros(count, dtype=torch.float64)
        return torch.from_numpy(1 / count + (radius / math.sqrt(square)) * w)


def _worst_mixture(gramian: Vector, slope: Vector, radius: float) -> tuple[Vector, float]:
    """The w ≥ 0 with sum 1 that minimises F(w) = wᵀs + ρ·√(wᵀGw), and the ridge that G was given in units of its
    diagonal; no gradient is 0."""
    scale = 1 / np.sqrt(gramian.diagonal())
    matrix = definite(gramian * scale[:, None] * scale)
    s = scale * slope
    best, least = np.full(len(s), 1 / len(s)), math.inf
    # Below the least slope z is 0; a single task's F is not below the minimum.
    low, high = float(slope.min()), float((slope + radius / scale).min())
    nu = high
    for _ in range(STEPS):
        z = solve(matrix, s - nu * scale)
        total = float(scale @ z)
        if total > 0:
            value = (float(s @ z) + radius * math.sqrt(float(z @ matrix @ z))) / total
            if value < least:
                best, least = scale * z / total, value
        excess = float(z @ matrix @ z) - radius**2
        low, high = (low, min(high, nu)) if excess > 0 else (max(low, nu), high)
        proposed = _at_length(matrix, s, scale, np.flatnonzero(z), radius)
        if abs(proposed - nu) <= CLOSE * max(abs(nu), high - low) or high - low <= CLOSE * abs(high):
            break
        if proposed == math.inf and low < 0 < high:
            proposed = 0.0  # z has no bound above 0 where the gradients' convex hull holds 0
        if not low <= proposed <= high:
            # The slope of ½·zᵀGz is Σz, in the units of the gradients.
            newton = nu - excess / (2 * total) if total > 0 else math.inf
            proposed = newton if low <= newton <= high else (low + high) / 2
        nu = proposed
    return best, float(matrix[0, 0]) - 1


def _at_length(matrix: Vector, s: Vector, scale: Vector, free: NDArray[np.intp], radius: float) -> float:
    """The larger ν at which zᵀAz = ρ², if just the z of `free` are not 0; infinite where there is none."""
    if not len(free):
        return math.inf
    # `definite` has seen to it that every block can be factored.
    per_nu, fixed = lapack.dposv(matrix[np.ix_(free, free)], np.stack([scale[free], s[free]], axis=1))[1].T
    a, b = float(scale[free] @ per_nu), float(scale[free] @ fixed)
    inside = b * b - a * (float(s[free] @ fixed) - radius**2)
    return (b + math.sqrt(inside)) / a if inside >= 0 and a > 0 else math.inf


def _spread(values: Vector, places: NDArray[np.bool_]) -> Vector:
    """The values at the places that are marked, 0 elsewhere."""
    whole = np.zeros(len(places))
    whole[places] = values
    return whole
