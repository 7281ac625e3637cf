"""The best groups for a number of models (network selection of TAG: Fifty et al. 2021, arXiv 2109.04617, section 3.3).

Z[i→j]: affinity of task i onto task j. A model is trained on a group S of tasks; it gives each task j of S the score
s_S(j), the mean of Z[i→j] over the other members i, and 0 when j is alone: nobody helps it and nobody harms it. (The
published code never leaves a task alone where groups may overlap.) For at most B models the sum over tasks of the best
score is maximised. Groups may overlap: a task may help to train a model that does not serve it.

The search is exact. Whatever the groups, each serves a set T of tasks, and these sets divide the tasks; so with
f(T) = max over S ⊇ T of Σ_{j ∈ T} s_S(j) the answer is the best division of the tasks into at most B sets, by dynamic
programming over subsets. Both steps visit 3^K pairs of sets, hence the limit on K. Sets are bit masks.

K tasks, B models.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtl.config.grouping import MOST_SELECTED
from mtl.errors import UserError

Array = NDArray[np.float64]
ROUNDING = 1e-12
"""A score must be better by more than this to count as better: of equal groups the first one is taken."""


@dataclass(frozen=True)
class Selected:
    """Groups of tasks."""

    groups: list[list[int]]
    """Tasks that each model is trained on, ascending; models in the order of the first task that they serve."""
    labels: list[int]
    """The model that serves each task."""
    score: float
    """Sum over tasks of the mean affinity onto it in the group that serves it."""


def select_groups(affinity: Array, models: int) -> Selected:
    """The groups with the highest score; fewer than `models` where more would not be better.

    Args:
        affinity: [K, K]; row i holds the affinities of task i onto the others. The diagonal is not looked at.
        models: B ≥ 1.

    Raises:
        UserError: more tasks than an exact search can take.
    """
    k = len(affinity)
    if k > MOST_SELECTED:
        raise UserError(
            "`cluster.algorithm.kind` should be another than network_selection, which tries all groups, for more than "
            f"{MOST_SELECTED} tasks, found {k}."
        )
    values, trained = _served(affinity)
    everybody = (1 << k) - 1
    # best[m]: score of the best division of m into at most `b` sets; taken[b][m]: the set of it with m's lowest task.
    best = values
    taken = [np.arange(1 << k)]
    for _ in range(models - 1):
        best, cut = _divided(values, best)
        taken.append(cut)
    rest, serves = everybody, dict[int, int]()
    for cut in reversed(taken):
        if rest:
            served = int(cut[rest])
            group = int(trained[served])
            serves[group] = serves.get(group, 0) | served
            rest ^= served
    order = sorted(serves, key=lambda group: serves[group] & -serves[group])
    labels = [next(c for c, group in enumerate(order) if serves[group] >> task & 1) for task in range(k)]
    groups = [[task for task in range(k) if group >> task & 1] for group in order]
    return Selected(groups, labels, float(best[everybody]))


def _served(affinity: Array) -> tuple[Array, NDArray[np.int64]]:
    """f(T) of every set T, and the group S ⊇ T that attains it; of equal ones the smallest number."""
    k = len(affinity)
    values, trained = np.full(1 << k, -np.inf), np.zeros(1 << k, dtype=np.int64)
    values[0] = 0.0
    for group in range(1, 1 << k):
        members = [task for task in range(k) if group >> task & 1]
        scores = np.zeros(len(members))
        if len(members) > 1:
            inside = affinity[np.ix_(members, members)]
            scores = (inside.sum(axis=0) - np.diag(inside)) / (len(members) - 1)
        masks, sums = _subsets(members), np.zeros(1)
        for score in scores:
            sums = np.concatenate([sums, sums + score])
        better = sums > values[masks] + ROUNDING
        values[masks[better]], trained[masks[better]] = sums[better], group
    return values, trained


def _divided(values: Array, best: Array) -> tuple[Array, NDArray[np.int64]]:
    """Divisions with one set more than those of `best`; for each set of tasks the part that its lowest task is in."""
    total, cut = best.copy(), np.arange(len(best))
    for tasks in range(1, len(best)):
        lowest = tasks & -tasks
        others = [bit for bit in range(tasks.bit_length()) if (tasks ^ lowest) >> bit & 1]
        parts = _subsets(others) | lowest
        sums = values[parts] + best[tasks ^ parts]
        # `tasks` whole is among the parts, and comes first where a cut is no better.
        place = int(sums.argmax())
        if sums[place] > sums[-1] + ROUNDING:
            total[tasks], cut[tasks] = sums[place], parts[place]
        else:
            total[tasks], cut[tasks] = sums[-1], tasks
    return total, cut


def _subsets(members: list[int]) -> NDArray[np.int64]:
    """Masks of all sets of some of the tasks; the last one holds all of them."""
    masks = np.zeros(1, dtype=np.int64)
    for task in members:
        masks = np.concatenate([masks, masks | (1 << task)])
    return masks
