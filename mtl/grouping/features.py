"""Features of tasks: points [K, F] whose Euclidean distances say how unlike two tasks are.

K tasks, S samples, E epochs at which a map was kept, F features.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mtl.errors import UserError
from mtl.grouping.maps import TaskMap

Array = NDArray[np.float64]


def map_features(maps: Sequence[Sequence[TaskMap]]) -> tuple[Array, int]:
    """Confidence and variability of every sample, flattened over samples and epochs.

    Args:
        maps: [E][K] maps of the same tasks.

    Returns:
        [K, 2·E·S] over the samples that every task has; and S.

    Raises:
        UserError: the tasks have different samples, or none in common.
    """
    first = maps[0]
    for other in first[1:]:
        if other.pool != first[0].pool:
            raise UserError(
                f"`cluster.relation.kind` should be `summary` for tasks on different samples "
                f"({first[0].task}: {first[0].pool}; {other.task}: {other.pool}), found 'map'."
            )
    known = np.all([task_map.known for epoch in maps for task_map in epoch], axis=0)
    if not known.any():
        names = ", ".join(task_map.task for task_map in first)
        raise UserError(f"`cluster.relation.kind` should be `summary`: no sample has all of {names}; found 'map'.")
    rows = [
        np.concatenate([part[known] for epoch in maps for part in (epoch[k].confidence, epoch[k].variability)])
        for k in range(len(first))
    ]
    return np.asarray(rows, dtype=np.float64), int(known.sum())


def summary_features(maps: Sequence[Sequence[TaskMap]], bins: int) -> Array:
    """Share of a task's samples in each cell of the plane of variability ([0, ½]) and confidence ([0, 1]).

    Args:
        maps: [E][K].
        bins: along each axis.

    Returns:
        [K, E·bins²]: square roots of the shares, so that distances are Hellinger's (times √2) and a change in a thin
        cell counts more than the same change in a full one.
    """
    edges = [np.linspace(0, 0.5, bins + 1), np.linspace(0, 1, bins + 1)]
    rows = []
    for k in range(len(maps[0])):
        cells = []
        for epoch in maps:
            task_map = epoch[k]
            sigma = task_map.variability[task_map.known].clip(0, 0.5)
            counts, _, _ = np.histogram2d(sigma, task_map.confidence[task_map.known].clip(0, 1), bins=edges)
            cells.append(np.sqrt(counts / counts.sum()).ravel())
        rows.append(np.concatenate(cells))
    return np.asarray(rows)


def from_affinity(affinity: Array) -> Array:
    """Points of a symmetric affinity matrix [K, K] with values in [−1, 1] and ones on the diagonal, by classical
    scaling (Torgerson 1952) of the distances √(2(1 − affinity)): of unit vectors with these cosines."""
    squared = 2 * (1 - affinity)
    np.fill_diagonal(squared, 0.0)
    centre = np.eye(len(squared)) - 1 / len(squared)
    values, vectors = np.linalg.eigh(-0.5 * centre @ squared @ centre)
    return np.asarray(vectors * np.sqrt(values.clip(min=0)))


def lookahead_cosines(affinity: Array, tasks: Sequence[str]) -> Array:
    """A symmetric form of lookahead affinities Z: sign · √(Z[i→j]·Z[j→i] / (Z[i→i]·Z[j→j])), within [−1, 1].

    To first order in the length of the step Z[i→j] = η·g_i·g_j / L_j, so that this is the cosine of the gradients g:
    sizes of losses and gradients, which have nothing to do with likeness, cancel. 0 where i helps j and j harms i.

    Args:
        affinity: [K, K]; row i holds the affinities of task i onto the others.
        tasks: their names.

    Raises:
        UserError: the step for some task does not lower its own loss.
    """
    own = np.diag(affinity)
    if (own <= 0).any():
        task = tasks[int(own.argmin())]
        raise UserError(
            f"the step that is looked ahead for {task} does not lower its own loss (affinity {own.min():.2g}): "
            "a smaller `lookahead.lr` of the method does."
        )
    both = np.clip(affinity * affinity.T, 0, None) / np.outer(own, own)
    cosines = np.clip(np.sign(affinity) * np.sqrt(both), -1, 1)
    np.fill_diagonal(cosines, 1.0)
    return np.asarray(cosines)


def reduced(points: Array) -> Array:
    """The same distances in at most K columns: a rotation of the centred points."""
    centred: Array = points - points.mean(axis=0)
    if centred.shape[1] <= len(centred):
        return centred
    return np.transpose(np.asarray(np.linalg.qr(centred.T, mode="r")))
