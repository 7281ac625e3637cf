"""Quadratic programs whose unknowns may not be negative: min ½·zᵀAz + bᵀz over z ≥ 0, for A positive definite [K, K].

MGDA, CAGrad, DualProj and UPGrad all come down to it. A Gramian of more tasks than its gradients have directions is not
definite, and rounding makes some of its eigenvalues negative: `definite` adds what it takes. `solve` is exact: block
principal pivoting (Júdice & Pires 1994, doi 10.1016/0305-0548(94)90106-6) exchanges all variables of the wrong sign at
once; where that turns in circles, an active set takes in one after the other (Lawson & Hanson 1974, chapter 23, for a
quadratic program). `solve_rows` solves K programs that differ in b alone, together, by accelerated projected gradient
(Nesterov) with a restart of each row whose step turns uphill (O'Donoghue & Candès 2015, arXiv 1204.3982).
"""

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.linalg import lapack
from torch import Tensor

Vector = NDArray[np.float64]
SIGN_TOLERANCE = 1e-10
"""Relative to its |b|, how far below zero a slope counts as zero; one bound for all would hide short gradients."""
RIDGE = 1e-10
"""Added to a diagonal of 1: decides between equal solutions (tasks with one gradient share its weight)."""
NOISE = 1e-8
"""First larger ridge to try where `RIDGE` is too small: about what float32 rounds off."""
MARGIN = 10.0
"""Times the smallest ridge that makes the matrix definite: what rounding adds must not decide."""
FULL_EXCHANGES = 3
"""Exchanges of whole blocks without progress before variables are taken in one by one."""
ROW_TOLERANCE = 5e-5
"""Relative KKT residual at which a row counts as solved."""
CHECK_EVERY = 5
ITERATIONS = 300
"""Iterations of the accelerated gradient; rows that are open after them are solved one by one, exactly."""
SMALL = 20
"""Up to so many variables, exact solutions one by one are the fastest."""


def definite(matrix: Vector) -> Vector:
    """A matrix with a diagonal of 1, positive semidefinite but for rounding → with a ridge, positive definite.

    The ridge is `RIDGE`, or `MARGIN` times the power of ten that outweighs what rounding added; with it every
    principal block can be factored.

    Args:
        matrix: A [K, K]; changed in place.

    Raises:
        ArithmeticError: it holds what no rounding explains.
    """
    diagonal = np.diag_indices_from(matrix)
    ridge = RIDGE
    matrix[diagonal] = 1 + ridge
    if lapack.dpotrf(matrix)[1] == 0:
        return matrix
    ridge = NOISE
    while ridge <= len(matrix):
        matrix[diagonal] = 1 + ridge
        if lapack.dpotrf(matrix)[1] == 0:
            matrix[diagonal] = 1 + MARGIN * ridge
            return matrix
        ridge *= 10
    raise ArithmeticError(f"a Gramian of {len(matrix)} gradients is not one: no ridge makes it positive definite")


def solve(matrix: Vector, slope: Vector) -> Vector:
    """z ≥ 0 that minimises ½·zᵀAz + bᵀz.

    Args:
        matrix: A [K, K], positive definite, with a diagonal near 1.
        slope: b [K].
    """
    count = len(slope)
    free = slope < 0
    fewest, exchanges = count + 1, FULL_EXCHANGES
    tolerance = SIGN_TOLERANCE * np.abs(slope)
    while exchanges >= 0:
        z = _at(matrix, slope, np.flatnonzero(free))
        wrong = np.where(free, z < 0, matrix @ z + slope < -tolerance)
        violations = int(np.count_nonzero(wrong))
        if violations == 0:
            return np.maximum(z, 0.0)
        if violations < fewest:
            fewest, exchanges = violations, FULL_EXCHANGES
        else:
            exchanges -= 1
        free = free ^ wrong
    return _one_at_a_time(matrix, slope, tolerance)


def _at(matrix: Vector, slope: Vector, places: NDArray[np.intp]) -> Vector:
    """The minimum over all z that are 0 outside `places`, of any sign.

    Raises:
        ArithmeticError: the matrix is not positive definite.
    """
    z = np.zeros(len(slope))
    if len(places):
        z[places], info = lapack.dposv(matrix[np.ix_(places, places)], -slope[places])[1:]
        if info != 0:
            raise ArithmeticError(f"a quadratic program of {len(slope)} unknowns is not positive definite")
    return z


def _one_at_a_time(matrix: Vector, slope: Vector, tolerance: Vector) -> Vector:
    """Solution as of `solve`, also on nearly singular matrices: each z ≥ 0 that it keeps is lower than the last, and
    a gain that rounding only promises ends it."""
    z = np.zeros(len(slope))
    lowest = 0.0
    free = np.zeros(len(slope), dtype=bool)
    while True:
        uphill = np.where(free, 0.0, matrix @ z + slope)
        entering = int((uphill + tolerance).argmin())
        if uphill[entering] >= -tolerance[entering]:
            return z
        free[entering] = True
        feasible = z
        while True:
            aim = _at(matrix, slope, np.flatnonzero(free))
            blocked = np.flatnonzero(free & (aim <= 0))
            if not len(blocked):
                break
            ratios = feasible[blocked] / (feasible[blocked] - aim[blocked])
            share = float(ratios.min())
            feasible = np.maximum(feasible + share * (aim - feasible), 0.0)
            free[blocked[ratios == share]] = False
            feasible[~free] = 0.0
        value = float(aim @ (0.5 * matrix @ aim + slope))
        if value >= lowest:
            return z
        z, lowest = aim, value


def solve_rows(matrix: Float[Tensor, "K K"], slopes: Float[Tensor, "R K"]) -> Float[Tensor, "R K"]:
    """The z ≥ 0 that minimises ½·zᵀAz + bᵀz for each row b of `slopes`, to a KKT residual of `ROW_TOLERANCE` · ‖b‖.

    Args:
        matrix: A, float64 on the CPU, positive definite, with a diagonal of 1.
        slopes: R rows, float64 on the CPU.
    """
    if len(matrix) <= SMALL:
        return one_by_one(matrix, slopes)
    a, b = matrix.float(), slopes.float()
    step = 1 / _largest_eigenvalue(a)
    contraction = torch.eye(len(a)) - step * a
    shift = -step * b
    limit = ROW_TOLERANCE * b.norm(dim=1)
    z = torch.zeros_like(b)
    ahead, pace = z, torch.ones(len(b), 1)
    for iteration in range(1, ITERATIONS + 1):
        new = torch.addmm(shift, ahead, contraction).clamp_(min=0)
        moved = new - z
        z = new
        if iteration % CHECK_EVERY == 0:
            open_rows = kkt_residual(a, b, z) > limit
            if not open_rows.any():
                return z.double()
        uphill = ((ahead - new) * moved).sum(dim=1, keepdim=True) > 0
        faster = (1 + torch.sqrt(1 + 4 * pace * pace)) / 2
        momentum = ((pace - 1) / faster).masked_fill_(uphill, 0)
        pace = faster.masked_fill_(uphill, 1)
        ahead = torch.addcmul(new, momentum, moved)
    result = z.double()
    result[open_rows] = one_by_one(matrix, slopes[open_rows])
    return result


def kkt_residual(
    matrix: Float[Tensor, "K K"], slopes: Float[Tensor, "R K"], z: Float[Tensor, "R K"]
) -> Float[Tensor, " R"]:
    """Norm of what is left of the optimality conditions: the slope where z > 0, its negative part where z = 0."""
    slope = torch.addmm(slopes, z, matrix)
    violation: Tensor = torch.where(z > 0, slope, slope.clamp(max=0)).norm(dim=1)
    return violation


def one_by_one(matrix: Float[Tensor, "K K"], slopes: Float[Tensor, "R K"]) -> Float[Tensor, "R K"]:
    """Exact solution of each row, otherwise as `solve_rows`."""
    a = matrix.numpy()
    return torch.from_numpy(np.stack([solve(a, row) for row in slopes.numpy()]))


def _largest_eigenvalue(matrix: Float[Tensor, "K K"]) -> float:
    """An upper bound, at most K^(1/16) times too large: ‖A⁸‖^(1/8)."""
    power = matrix
    for _ in range(3):
        power = power @ power
    norm = float(torch.linalg.matrix_norm(power))
    return float(norm**0.125)
