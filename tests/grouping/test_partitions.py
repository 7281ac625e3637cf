"""Groupings to compare with: all of them, or distinct random ones, into the number of groups asked for."""

from collections import Counter

import pytest

from mtl.grouping.partitions import every_partition, from_labels, random_partitions

STIRLING = {(5, 1): 1, (5, 2): 15, (5, 3): 25, (5, 4): 10, (5, 5): 1, (3, 2): 3, (2, 3): 0}


@pytest.mark.parametrize(("tasks", "count"), STIRLING)
def test_every_partition_is_there_once(tasks: int, count: int) -> None:
    names = [f"t{k}" for k in range(tasks)]
    found = every_partition(names, count)
    assert len(found) == STIRLING[tasks, count] == len({str(partition) for partition in found})
    for partition in found:
        assert len(partition) == count and sorted(task for group in partition for task in group) == names


def test_random_partitions_are_distinct_and_the_same_for_a_seed() -> None:
    names = [f"t{k}" for k in range(8)]
    found = random_partitions(names, 3, 6, 0)
    assert len({str(partition) for partition in found}) == 6
    assert all(len(p) == 3 and sorted(task for group in p for task in group) == names for p in found)
    assert found == random_partitions(names, 3, 6, 0) != random_partitions(names, 3, 6, 1)
    assert len(random_partitions(["a", "b", "c"], 2, 10, 0)) == 3


def test_a_random_partition_favours_none() -> None:
    counts = Counter(str(random_partitions(["a", "b", "c"], 2, 1, seed)[0]) for seed in range(600))
    assert len(counts) == 3 and min(counts.values()) > 150


def test_groups_stand_in_the_order_of_their_first_task() -> None:
    assert from_labels(["a", "b", "c", "d"], [2, 0, 2, 5]) == [["a", "c"], ["b"], ["d"]]
