"""CAGrad: its inner problem, a second-order cone program of K numbers, as Clarabel takes it."""

import clarabel
import numpy as np
import torch
from jaxtyping import Float64
from numpy.typing import NDArray
from scipy.sparse import csc_array
from torch import Tensor

from mtl.balancing.aggregation import Weigher, unit_trace

Vector = NDArray[np.float64]
STILL = 1e-8
"""It stands still where the tasks' best common direction is this much shorter than their gradients."""


class CaGrad(Weigher):
    """Conflict-averse descent (Liu 2021, arXiv 2110.14048, algorithm 1).

    TorchJD states the same problem in cvxpy, which translates it anew in every step; that costs more than solving it.

    Args:
        c: radius of the ball around the mean gradient g₀, in units of its length; 0 ≤ c.
    """

    def __init__(self, c: float) -> None:
        super().__init__()
        self.c = c

    def forward(self, gramian: Float64[Tensor, "k k"], present: list[int]) -> Float64[Tensor, " k"]:
        del present
        values, vectors = np.linalg.eigh(unit_trace(gramian).numpy())
        root = vectors * np.sqrt(values.clip(min=0))  # G = root·rootᵀ
        mean = root.mean(axis=0)
        radius = self.c * float(np.linalg.norm(mean))
        w = _worst_mixture(root, root @ mean, radius)
        length = float(np.linalg.norm(root.T @ w))
        if length < STILL:
            return torch.zeros(len(w), dtype=torch.float64)
        return torch.from_numpy(1 / len(w) + (radius / length) * w)


def _worst_mixture(root: Vector, slope: Vector, radius: float) -> Vector:
    """The w ≥ 0 with sum 1 that minimises slope·w + radius·‖rootᵀw‖."""
    count = len(slope)
    # Unknowns (w, t) with t ≥ ‖rootᵀw‖; rows: sum of w, w ≥ 0, then the cone (t, rootᵀw).
    rows = np.zeros((2 * count + 2, count + 1))
    rows[0, :count] = 1
    rows[1 : count + 1, :count] = -np.eye(count)
    rows[count + 1, count] = -1
    rows[count + 2 :, :count] = -root.T
    bounds = np.zeros(len(rows))
    bounds[0] = 1
    cones = [clarabel.ZeroConeT(1), clarabel.NonnegativeConeT(count), clarabel.SecondOrderConeT(count + 1)]
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.max_threads = 1  # one order of sums, so that a run repeats bit for bit
    nothing = csc_array((count + 1, count + 1))
    solver = clarabel.DefaultSolver(nothing, np.append(slope, radius), csc_array(rows), bounds, cones, settings)
    found = solver.solve()
    if found.status not in (clarabel.SolverStatus.Solved, clarabel.SolverStatus.AlmostSolved):
        raise RuntimeError(f"CAGrad's inner problem of {count} tasks was not solved: {found.status}")
    w = np.asarray(found.x)[:count].clip(min=0)
    return w / w.sum()
