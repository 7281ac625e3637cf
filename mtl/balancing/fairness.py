"""Nash-MTL and FairGrad: weights at which every task gains its fair share, G·w = w^(−1/α).

Both are the minimum of the convex ½·wᵀGw − Σφ(w_k), φ'(w) = w^(−1/α), over w > 0, and are found by Newton's method
with steps that stay inside and go downhill. (The published codes linearise Nash-MTL and call a general conic solver
up to twenty times a step; the point that they look for is this one.)
"""

import math

import numpy as np
import torch
from jaxtyping import Float64
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from torch import Tensor

from mtl.balancing.aggregation import Weigher, unit_trace

Vector = NDArray[np.float64]
RIDGE = 1e-5
"""Share added to the diagonal: tasks whose gradients cancel each other have no finite solution without it, and a
Gramian that was summed in float32 may have slightly negative eigenvalues."""
STEPS = 200
ACCURACY = 1e-9
"""Relative, of every equation."""
SURE = 1e-8
"""Decline of the potential under which a whole step of Newton's is taken unseen: its rounding hides the rest."""


class FairGrad(Weigher):
    """α-fairness of the tasks' gains (Ban & Ji 2024, arXiv 2402.15638, eq. 4).

    Args:
        alpha: 0 < α; 1 is proportional fairness, larger values go towards the task that gains least.
    """

    def __init__(self, alpha: float) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, gramian: Float64[Tensor, "k k"], present: list[int]) -> Float64[Tensor, " k"]:
        del present
        return fair_weights(gramian, self.alpha)


class NashMtl(Weigher):
    """Nash's bargaining solution (Navon 2022, arXiv 2202.01017, claim 3.2), for gradients of Frobenius norm 1.

    Args:
        max_norm: longest direction Jᵀw, in units of the losses' gradients.
    """

    def __init__(self, max_norm: float) -> None:
        super().__init__()
        self.max_norm = max_norm

    def forward(self, gramian: Float64[Tensor, "k k"], present: list[int]) -> Float64[Tensor, " k"]:
        del present
        weights = fair_weights(gramian / torch.linalg.matrix_norm(gramian), 1.0)
        length = float((weights @ gramian @ weights).clamp_min(0).sqrt())
        return weights * min(1.0, self.max_norm / length) if length > 0 else weights


def fair_weights(gramian: Float64[Tensor, "k k"], alpha: float) -> Float64[Tensor, " k"]:
    """w > 0 with G·w = w^(−1/α); tasks without a gradient get 0, since nothing helps them."""
    weights = torch.zeros(len(gramian), dtype=torch.float64)
    moved = gramian.diagonal() > 0
    # G → cG makes w → c^(−α/(1+α))·w, so the scale of the losses costs no accuracy.
    trace = float(gramian[moved][:, moved].trace())
    inner = _newton(unit_trace(gramian[moved][:, moved]).numpy(), 1 / alpha)
    weights[moved] = torch.from_numpy(inner) * trace ** (-alpha / (1 + alpha))
    return weights


def _newton(gramian: Vector, power: float) -> Vector:
    """w > 0 with G·w = w^(−p), in units in which G has a diagonal of 1: w = d·v, d_k = G_kk^(−1/(1+p))."""
    d = gramian.diagonal() ** (-1 / (1 + power))
    # Equation k of Gw = w^(−p), multiplied by d_k^p, reads (d_k^p·G_kj·d_j)·v_j = v_k^(−p); symmetric only for p = 1,
    # so Newton works on the potential ½·vᵀ(dGd)v − Σ d_k^(1−p)·φ(v_k).
    matrix = gramian * d[:, None] * d
    matrix[np.diag_indices_from(matrix)] *= 1 + RIDGE
    part = d ** (1 - power)
    v = np.full(len(d), 1 / math.sqrt(len(d)))
    value = _potential(matrix, part, v, power)
    for _ in range(STEPS):
        pull = part * v**-power
        slope = matrix @ v - pull
        if np.all(np.abs(slope) <= ACCURACY * pull):
            break
        curvature = matrix.copy()
        curvature[np.diag_indices_from(curvature)] += power * pull / v
        step = cho_solve(cho_factor(curvature, check_finite=False), -slope, check_finite=False)
        shrinking = step < 0
        size = min(1.0, 0.95 * float(np.min(-v[shrinking] / step[shrinking], initial=np.inf)))
        decline = float(slope @ step)
        moved = _potential(matrix, part, v + size * step, power)
        while -decline > SURE * abs(value) and moved > value + 1e-4 * size * decline:
            size /= 2
            moved = _potential(matrix, part, v + size * step, power)
        v, value = v + size * step, moved
    weights: Vector = d * v
    return weights


def _potential(matrix: Vector, part: Vector, v: Vector, power: float) -> float:
    gains = np.log(v) if power == 1 else v ** (1 - power) / (1 - power)
    return float(0.5 * v @ matrix @ v - part @ gains)
