"""`mtl.cluster`: the groups that the stage finds in the files of runs, from plain values, and errors in words."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import mtl
from mtl.errors import UserError
from mtl.grouping.maps import FILE, VALUES, read_maps
from mtl.results.groups import Groups
from tests.api.conftest import unchecked
from tests.grouping.test_find import SEEDS, TASKS, folder_of, groups, write_run

FUZZY = {"kind": "fuzzy", "m": 1.5}
HELPS = np.array([[0.02 if s == t else 0.01 if s[0] == t[0] else -0.001 for t in TASKS] for s in TASKS])
COSINES = np.array([[1.0 if s == t else 0.9 if s[0] == t[0] else -0.1 for t in TASKS] for s in TASKS])


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    for seed in SEEDS:
        write_run(root, seed)
    return root


@pytest.fixture(scope="module")
def maps(runs: Path) -> list[dict[str, pd.DataFrame]]:
    """The data maps in the files of the runs, as `mtl.data_map` gives them."""
    read = [read_maps(folder_of(runs, seed) / FILE).last for seed in SEEDS]
    return [
        {
            task: pd.DataFrame({name: getattr(run[task], name) for name in VALUES}, index=run[task].sample)
            for task in TASKS
        }
        for run in read
    ]


@pytest.mark.parametrize("clusters", [3, "auto"])
@pytest.mark.parametrize(
    "relation", [{"kind": "map"}, {"kind": "summary", "bins": 8}, {"kind": "gradient_cosine"}, {"kind": "lookahead"}],
    ids=lambda relation: relation["kind"],
)  # fmt: skip
def test_they_are_those_of_the_stage(
    runs: Path, maps: list[dict[str, pd.DataFrame]], relation: dict[str, Any], clusters: int | str
) -> None:
    frames = {"lookahead": HELPS, "gradient_cosine": COSINES}
    known = frames.get(relation["kind"])
    data = maps if known is None else [pd.DataFrame(known, index=TASKS)] * len(SEEDS)
    made = mtl.cluster(data, relation, clusters, algorithm=FUZZY)
    stage = Groups.model_validate(groups(runs, relation=relation, clusters=clusters))
    assert made.groups == stage.groups == [["a", "a_again"], ["b", "b_again"], ["c"]]
    np.testing.assert_allclose(made.memberships, stage.memberships, rtol=1e-9)
    np.testing.assert_allclose(made.distances, stage.distances, rtol=1e-9, atol=1e-9)
    assert {str(row): dict(made.scores.loc[row]) for row in made.scores.index} == stage.scores
    assert (made.agreement_of_runs, made.agreement_of_starts) == (stage.stability.runs, stage.stability.starts)
    assert list(made.memberships.index) == TASKS and "a, a_again | b, b_again | c" in repr(made)


def test_a_network_selection_is_that_of_the_stage(runs: Path) -> None:
    data = pd.DataFrame(HELPS, index=TASKS)
    made = mtl.cluster(data, "lookahead", clusters=3, algorithm="network_selection")
    stage = groups(runs, relation={"kind": "lookahead"}, clusters=3, algorithm={"kind": "network_selection"})
    assert made.groups == stage["groups"] and made.agreement_of_runs is None and made.agreement_of_starts is None
    np.testing.assert_array_equal(made.memberships, stage["memberships"])


POINTS = np.array([[0.0, 0.0], [0.1, 0.0], [5.0, 5.0], [5.1, 5.0]])


def test_forms_of_features_give_one_grouping() -> None:
    first = mtl.cluster(POINTS, "features", clusters=2)
    assert first.groups == [["task0", "task1"], ["task2", "task3"]]
    for data in (torch.tensor(POINTS), POINTS.tolist(), np.stack([POINTS, POINTS]), [POINTS, POINTS],
                 pd.DataFrame(POINTS, index=["task0", "task1", "task2", "task3"])):  # fmt: skip
        made = mtl.cluster(data, "features", clusters=2)
        assert made.groups == first.groups
        np.testing.assert_allclose(made.memberships, first.memberships, rtol=1e-3)


def test_maps_of_one_training_fall_into_groups(maps: list[dict[str, pd.DataFrame]]) -> None:
    """Arrays in the place of frames, in one run; samples of frames are matched by their index."""
    made = mtl.cluster({task: frame.to_numpy() for task, frame in maps[0].items()}, clusters=3)
    turned = {task: frame.iloc[::-1] if task == "b" else frame for task, frame in maps[0].items()}
    assert made.groups == mtl.cluster(turned, clusters=3).groups == [["a", "a_again"], ["b", "b_again"], ["c"]]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"relation": "maps"},
         "`relation` should be one of map, summary, gradient_cosine, lookahead, features, found 'maps'"),
        ({"relation": 3}, "`relation` should be a kind, or settings of one with the key 'kind', found 3"),
        ({"relation": {"bins": 3}}, "`relation` is missing; it should be one of"),
        ({"relation": {"kind": "summary", "bin": 3}},
         "`relation.bin` is not a known key; allowed here: bins, epochs, kind"),
        ({"relation": {"kind": "summary", "bins": 1}}, "`relation.bins` should be greater than or equal to 2, found 1"),
        ({"relation": {"kind": "map", "epochs": [2]}}, "`relation['epochs']` should be left out"),
        ({"algorithm": "kmean"}, "`algorithm` should be one of 'fuzzy', 'kmeans'"),
        ({"algorithm": {"kind": "fuzzy", "m": 1}}, "`algorithm.m` should be greater than 1, found 1"),
        ({"algorithm": "network_selection"}, "found 'features'"),
        ({"relation": "lookahead", "data": HELPS, "algorithm": "network_selection"},
         "`clusters` should be a number, the most"),
        ({"clusters": 0}, "`clusters` should be 'auto' or a number of groups from 1 on, found 0"),
        ({"clusters": "two"}, "`clusters` should be 'auto' or a number"),
        ({"clusters": 5}, "`clusters` should be at most the 4 tasks, found 5"),
        ({"data": POINTS[[0, 0, 2, 2]], "clusters": 3},
         "`clusters` should be at most the 2 tasks that differ, found 3"),
        ({"data": POINTS[:2]}, "`clusters` should be a number when fewer than 3 tasks differ (2 do), found 'auto'"),
        ({"choose_by": "elbow"}, "`choose_by` should be 'silhouette' or 'partition_coefficient', found 'elbow'"),
        ({"seed": "x"}, "`seed` should be a valid integer, found 'x'"),
        ({"data": POINTS[:1]}, "`data` should hold two tasks or more, found 1"),
        ({"data": None}, "`data` should be an array of numpy or torch, found NoneType"),
        ({"data": POINTS[0]}, "`data` should be [K, F], or [runs, K, F], found the shape [2]"),
        ({"data": np.where(POINTS == 5.1, np.nan, POINTS)}, "`data` should hold finite numbers, found nan at [3, 0]"),
        ({"data": [pd.DataFrame(POINTS), pd.DataFrame(POINTS[:3])]}, "frames of the same tasks in every run"),
        ({"data": pd.DataFrame(POINTS, index=[*"aabc"])}, "`data` should name each task once"),
        ({"relation": "gradient_cosine"}, "`data` should be a square of tasks [K, K], found the shape [4, 2]"),
        ({"relation": "gradient_cosine", "data": HELPS}, "`data` should be cosines: symmetric"),
        ({"relation": "lookahead", "data": -HELPS, "clusters": 2}, "does not lower its own loss"),
        ({"relation": "map"}, "`data` should map names of tasks to their data maps"),
        ({"relation": "map", "data": {"a": POINTS}}, "`data['a']` should be a data map [S, 3]"),
        ({"relation": "map", "data": {"a": pd.DataFrame({"confidence": [0.1]})}}, "found none named variability"),
        ({"relation": "map", "data": {"a": np.full((3, 3), 7.0)}}, "`data['a']` should hold numbers from 0 to 1"),
        ({"relation": "map", "data": {"a": np.full((3, 3), 0.5), "b": np.full((4, 3), 0.5)}},
         "`relation` should be 'summary' for tasks on different samples (a: 3; b: 4), found 'map'"),
        ({"relation": "map", "data": [{"a": np.full((3, 3), 0.5)}, {"b": np.full((3, 3), 0.5)}]},
         "the same tasks in every run"),
    ],
)  # fmt: skip
def test_errors(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError) as caught:
        unchecked(mtl.cluster)(**({"data": POINTS, "relation": "features"} | arguments))
    assert told in str(caught.value) and "cluster." not in str(caught.value)
