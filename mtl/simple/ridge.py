"""Ridge regression from moments: W = (G + λI)⁻¹K for λ on a log grid, of which validation data choose one.

M maps, P inputs, O outputs.
"""

import torch
from jaxtyping import Float64
from torch import Tensor

from mtl.simple.moments import Problem

PENALTIES = tuple(10.0 ** (exponent / 2) for exponent in range(-12, 5))
"""λ over the mean diagonal element of G: from 1e-6 to 100."""


def solve(problem: Problem, penalty: float) -> Float64[Tensor, "M P O"]:
    """The maps for one penalty, λ over the mean diagonal element of each G."""
    inputs = problem.inputs
    diagonal = inputs.diagonal(dim1=1, dim2=2)
    size = diagonal.mean(dim=1).clamp(min=1e-12)
    shifted = inputs + torch.diag_embed((penalty * size)[:, None].expand_as(diagonal))
    factor, failed = torch.linalg.cholesky_ex(shifted)
    if bool(failed.any()):  # rounding can leave G a little indefinite
        solved: Tensor = torch.linalg.solve(shifted, problem.cross)
        return solved
    return torch.cholesky_solve(problem.cross, factor)


def choose_penalty(train: Problem, val: Problem) -> tuple[Float64[Tensor, "M P O"], float, float]:
    """Maps, penalty and validation MSE of the best penalty; of equal ones the largest.

    The grid is walked from its upper end, and left when two penalties in a row are worse than the best one.
    """
    best: tuple[Tensor, float, float] | None = None
    worse = 0
    for penalty in reversed(PENALTIES):
        weight = solve(train, penalty)
        error = val.error(weight)
        if best is None or error < best[2]:
            best, worse = (weight, penalty, error), 0
        else:
            worse += 1
            if worse == 2:
                break
    assert best is not None
    return best
