"""`kind: regressions`: two regressions of one row of numbers, whose conflict in a narrow network is known exactly.

x ~ N(0, I_F), target k is y_k = √s_k · a_k·x + √(1 − s_k) · ε_k, with unit vectors a_1, a_2 at the angle θ and ε_k
standard normal: every y_k has the variance 1, and E[y_k | x] = √s_k · a_k·x leaves the error 1 − s_k, which is the
optimum. A network whose linear heads read one number z = w·x that both tasks share leaves 1 − s_k · cos²(w, a_k) at
best. Turning w out of the plane of a_1 and a_2, or outside of the angle between them, makes both errors larger: the
directions at an angle φ ∈ [0, θ] from a_1 towards a_2 are the Pareto set.
"""

import math
from pathlib import Path

import numpy as np
import torch

from mtl.config.regressions import TARGETS, RegressionsSource
from mtl.types import RowSet

FIXED = 5
"""Parts of the training rows of which one is held out where the validation part is fixed."""


def front(config: RegressionsSource, turn: float) -> tuple[float, float]:
    """Mean squared errors of both tasks at a point of the Pareto set.

    Args:
        config: angle θ and shares s_k.
        turn: φ, in radians from the first target's direction towards the second's.
    """
    first, second = config.signal
    return 1 - first * math.cos(turn) ** 2, 1 - second * math.cos(math.radians(config.angle) - turn) ** 2


def equal_turn(config: RegressionsSource) -> float:
    """φ that makes the sum of both errors least: tan 2φ = s_2 · sin 2θ / (s_1 + s_2 · cos 2θ)."""
    first, second = config.signal
    twice = 2 * math.radians(config.angle)
    return math.atan2(second * math.sin(twice), first + second * math.cos(twice)) / 2


def excess(config: RegressionsSource, errors: tuple[float, float]) -> float:
    """Distance of a pair of errors from the Pareto front: the least t for which some point of it is at most t above
    in neither task; 0 on the front, below 0 beyond it.

    The two distances to the point at φ change monotonically and in opposite directions, so that they meet once.
    """
    low, high = 0.0, math.radians(config.angle)
    for _ in range(100):
        turn = (low + high) / 2
        first, second = (error - best for error, best in zip(errors, front(config, turn), strict=True))
        if first > second:  # the point may be easier for the first task: a smaller error there is a larger distance
            low = turn
        else:
            high = turn
    return max(error - best for error, best in zip(errors, front(config, (low + high) / 2), strict=True))


def directions(config: RegressionsSource) -> np.ndarray:
    """[2, F] unit vectors a_1 and a_2."""
    drawn = np.random.default_rng(np.random.SeedSequence(config.seed).spawn(4)[0]).standard_normal((config.inputs, 2))
    first, other = np.linalg.qr(drawn)[0].T
    angle = math.radians(config.angle)
    return np.stack([first, math.cos(angle) * first + math.sin(angle) * other])


def read(config: RegressionsSource, name: str, root: Path) -> RowSet:
    """Generates the source; the same config gives the same bytes. Nothing is read below `root`.

    Every random thing has a stream of its own: changing `signal` or `angle` leaves inputs and parts as they are.
    """
    _, inputs, noise, parts = (np.random.default_rng(seed) for seed in np.random.SeedSequence(config.seed).spawn(4))
    x = inputs.standard_normal((config.rows, config.inputs))
    share = np.array(config.signal)
    best = np.sqrt(share) * (x @ directions(config).T)
    targets = best + np.sqrt(1 - share) * noise.standard_normal((config.rows, 2))
    order = parts.permutation(config.rows)
    held = round(config.test * config.rows)
    fold = np.full(config.rows, -1, dtype=np.int64)
    dealt = np.arange(config.rows - held) % (FIXED if config.folds == 1 else config.folds)
    fold[order[held:]] = np.minimum(dealt, 1) if config.folds == 1 else dealt
    return RowSet(
        name=name,
        values=torch.from_numpy(x),
        columns=config.columns,
        fold=torch.from_numpy(fold),
        folds=config.folds,
        numbers={target: torch.from_numpy(targets[:, k].copy()) for k, target in enumerate(TARGETS)},
        oracle_numbers={target: torch.from_numpy(best[:, k].copy()) for k, target in enumerate(TARGETS)},
    )
