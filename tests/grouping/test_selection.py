"""Network selection against every set of groups, one by one."""

from itertools import combinations

import numpy as np
import pytest

from mtl.errors import UserError
from mtl.grouping.selection import select_groups


def score(affinity: np.ndarray, groups: list[tuple[int, ...]]) -> float:
    """Sum over tasks of the best group's mean affinity; −inf when a task is in none."""
    total = 0.0
    for task in range(len(affinity)):
        found = [
            np.mean([affinity[other, task] for other in group if other != task]) if len(group) > 1 else 0.0
            for group in groups
            if task in group
        ]
        total += max(found, default=-np.inf)
    return total


@pytest.mark.parametrize("models", [1, 2, 3])
@pytest.mark.parametrize("seed", range(6))
def test_no_other_groups_are_better(models: int, seed: int) -> None:
    affinity = np.random.default_rng(seed).normal(0.1, 1, (5, 5))
    every = [group for size in range(1, 6) for group in combinations(range(5), size)]
    best = max(score(affinity, list(some)) for some in combinations(every, models))
    found = select_groups(affinity, models)
    assert len(found.groups) <= models
    assert score(affinity, [tuple(group) for group in found.groups]) == pytest.approx(best)
    served = sum(
        np.mean([affinity[o, j] for o in found.groups[c] if o != j]) if len(found.groups[c]) > 1 else 0.0
        for j, c in enumerate(found.labels)
    )
    assert served == pytest.approx(found.score)
    assert found.score == pytest.approx(best)


def test_a_task_that_all_others_harm_is_left_alone_and_a_helper_may_train_twice() -> None:
    affinity = np.array([[9, 1, 2, -1], [1, 9, 0, -1], [0, 0, 9, -1], [-1, -1, -1, 9]], dtype=float)
    found = select_groups(affinity, 3)
    # 0 helps 1 and 2, which do nothing for each other; 3 harms and is harmed.
    assert found.groups == [[0, 1], [0, 2], [3]]
    assert found.labels == [0, 0, 1, 2]
    assert found.score == 1 + 1 + 2 + 0
    assert select_groups(affinity, 1).groups == [[0, 1, 2, 3]]


def test_more_models_than_are_of_use_are_not_taken() -> None:
    everybody_helps = np.ones((4, 4))
    assert select_groups(everybody_helps, 4).groups == [[0, 1, 2, 3]]
    nobody_helps = -np.ones((4, 4))
    assert select_groups(nobody_helps, 4).groups == [[0], [1], [2], [3]]


@pytest.mark.thorough
def test_planted_groups_of_fifteen_tasks_are_found_and_more_tasks_refused() -> None:
    truth = [0] * 6 + [1] * 5 + [2] * 4
    inside = np.equal.outer(truth, truth)
    affinity = np.where(inside, 1.0, 0.1) + np.random.default_rng(0).normal(0, 0.02, (15, 15))
    found = select_groups(affinity, 3)
    assert found.labels == truth
    with pytest.raises(UserError, match=r"another than network_selection, .* more than 15 tasks, found 16"):
        select_groups(np.eye(16), 3)
