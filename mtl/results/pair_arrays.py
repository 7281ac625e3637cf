"""Numbers of pairs of tasks as matrices, and back; K tasks."""

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np
from jaxtyping import Float64

from mtl.results.pairs import MANY, Pairs


def of_matrix(tasks: Sequence[str], matrix: Float64[np.ndarray, "K K"]) -> Pairs:
    """The numbers above the diagonal, NaN where a pair has none; of many tasks with 32 bits."""
    above = matrix[np.triu_indices(len(tasks), 1)]
    if len(tasks) > MANY:
        return Pairs({}, tasks, above.astype("<f4").tobytes())
    named = zip(combinations(tasks, 2), above.tolist(), strict=True)
    return Pairs({f"{first}|{second}": value for (first, second), value in named if not math.isnan(value)})


def as_matrix(pairs: Pairs, tasks: Sequence[str]) -> Float64[np.ndarray, "K K"]:
    """Symmetric, NaN on the diagonal and for pairs without a number; tasks in the order that is asked for."""
    whole = np.full((len(tasks), len(tasks)), np.nan)
    place = {task: number for number, task in enumerate(tasks)}
    for pair, value in pairs.few.items():
        first, _, second = pair.partition("|")
        if first in place and second in place:
            whole[place[first], place[second]] = whole[place[second], place[first]] = value
    if pairs.packed:
        known = [(place[task], number) for number, task in enumerate(pairs.tasks) if task in place]
        here, there = np.array(known, np.int64).reshape(-1, 2).T
        full = np.full((len(pairs.tasks), len(pairs.tasks)), np.nan)
        full[np.triu_indices(len(pairs.tasks), 1)] = np.frombuffer(pairs.numbers, np.float32)
        full = np.fmax(full, full.T)
        whole[here[:, None], here] = full[there[:, None], there]
    return whole
