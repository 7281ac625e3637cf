"""Other ways to divide tasks among the same number of models, which a grouping has to beat.

K tasks, C groups; a partition is the list of its groups, each a list of task names in the order of the tasks.
"""

from collections.abc import Sequence

import numpy as np

Partition = list[list[str]]
FEW = 5
"""Tasks up to which every partition is tried."""
TRIES = 200
"""Draws after which fewer distinct partitions than asked for are all there are."""


def from_labels(tasks: Sequence[str], labels: Sequence[int]) -> Partition:
    """Groups in the order of their first task; numbers that nobody has give no group."""
    groups: dict[int, list[str]] = {}
    for task, label in zip(tasks, labels, strict=True):
        groups.setdefault(label, []).append(task)
    return list(groups.values())


def every_partition(tasks: Sequence[str], count: int) -> list[Partition]:
    """All partitions of the tasks into exactly `count` groups."""
    partitions: list[Partition] = []

    def place(number: int, labels: list[int]) -> None:
        used = max(labels, default=-1) + 1
        if number == len(tasks):
            if used == count:
                partitions.append(from_labels(tasks, labels))
            return
        for label in range(min(used + 1, count)):
            place(number + 1, [*labels, label])

    place(0, [])
    return partitions


def random_partitions(tasks: Sequence[str], count: int, draws: int, seed: int) -> list[Partition]:
    """Distinct partitions into exactly `count` groups, each task thrown into a group at random (draws with an empty
    group are thrown again); fewer than `draws` where there are no more."""
    dice = np.random.default_rng(seed)
    partitions: list[Partition] = []
    for _ in range(TRIES * max(draws, 1)):
        if len(partitions) == draws:
            break
        labels = dice.integers(count, size=len(tasks)).tolist()
        partition = from_labels(tasks, labels)
        if len(partition) == count and partition not in partitions:
            partitions.append(partition)
    return partitions
