"""Models that are trained for groups of tasks: each once, with the weights of its column, and the tasks it serves."""

from typing import Any

import pytest

from mtl.config.grouping import SpecialiseConfig
from mtl.grouping.models import Plan, plan_models
from mtl.results.groups import Groups
from tests.helpers.records import groups_json

TASKS = ["a", "b", "c", "d"]
GROUPS = groups_json(
    tuple(TASKS), start={"init": "pretrained", "freeze": "none", "width": 1.0}, clusters=2, labels=[0, 0, 1, 1],
    memberships=[[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.0, 1.0]],
)  # fmt: skip


def plan(groups: dict[str, Any] = GROUPS, baselines: list[str] = TASKS, **settings: Any) -> Plan:
    asked = {"weights": "raw", "random_draws": 3, "every_partition": False} | settings
    return plan_models(Groups.parse(groups, "groups.json"), SpecialiseConfig.model_validate(asked), baselines, 0)


def named(found: Plan) -> dict[str, dict[str, dict[str, float]]]:
    return {candidate.name: candidate.serve for candidate in found.candidates}


def test_a_column_weights_the_losses_of_its_model() -> None:
    found = plan()
    assert found.models["cluster_1"].tasks == ["a", "b", "c"]  # d does not belong to it at all
    assert found.models["cluster_1"].weights == [0.9, 0.8, 0.3]
    assert found.models["cluster_2"].tasks == TASKS
    assert found.start.label == "pretrained"
    scaled = plan(weights="mean_one").models["cluster_1"].weights
    assert scaled == pytest.approx([1.35, 1.2, 0.45]) and sum(scaled) == pytest.approx(3)


def test_hard_serving_asks_one_model_and_soft_all_by_their_shares() -> None:
    serve = named(plan())
    assert serve["clusters"] == {
        "a": {"cluster_1": 1},
        "b": {"cluster_1": 1},
        "c": {"cluster_2": 1},
        "d": {"cluster_2": 1},
    }
    assert serve["ensemble"]["c"] == pytest.approx({"cluster_1": 0.3, "cluster_2": 0.7})
    assert serve["ensemble"]["d"] == {"cluster_2": 1.0}


def test_groupings_to_compare_with_share_their_models_and_leave_single_tasks_to_the_baselines() -> None:
    found = plan(every_partition=True)
    serve = named(found)
    assert serve["stl"] == {task: {f"baseline/{task}": 1.0} for task in TASKS}
    assert serve["together"] == {task: {"set_a_b_c_d": 1.0} for task in TASKS}
    partitions = [candidate for candidate in found.candidates if candidate.kind == "partition"]
    assert len(partitions) == 7 and len([c for c in found.candidates if c.kind == "random"]) == 3
    sets = [name for name in found.models if name.startswith("set_")]
    # all four, three of four, two of four: each once, though partitions and random groupings ask for them often
    assert len(sets) == len(set(sets)) == 1 + 4 + 6
    assert all(len(set(map(str, c.serve.values()))) == 2 for c in partitions)


def test_a_task_without_a_baseline_is_trained_alone() -> None:
    found = plan(baselines=["a", "b", "c"])
    assert named(found)["stl"]["d"] == {"set_d": 1.0} and found.models["set_d"].weights == [1.0]


def test_hard_groups_are_trained_once_for_all_who_ask() -> None:
    hard = GROUPS | {"memberships": [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]}
    found = plan(hard, weights="mean_one", every_partition=True)
    assert named(found)["clusters"] == named(found)["ensemble"]
    assert [m.tasks for m in found.models.values()].count(["a", "b"]) == 1


def test_a_cluster_that_is_nobodys_first_choice_has_no_model() -> None:
    empty = GROUPS | {
        "clusters": 3,
        "memberships": [[*row[:1], row[1] - 0.05 * (row[1] > 0.05), 0.05] for row in GROUPS["memberships"]],
    }
    found = plan(empty)
    assert "cluster_3" not in found.models
    assert all(sum(shares.values()) == pytest.approx(1) for shares in named(found)["ensemble"].values())


def test_branched_sharing_takes_the_groups_found() -> None:
    found = plan(branched_stages=1)
    (model,) = {name for shares in named(found)["branched"].values() for name in shares}
    assert found.models[model].groups == [["a", "b"], ["c", "d"]] and found.models[model].tasks == TASKS


def test_long_names_are_cut_to_what_a_folder_holds() -> None:
    tasks = [f"task_number_{k}" for k in range(30)]
    groups = GROUPS | {"tasks": tasks, "clusters": 1, "labels": [0] * 30, "memberships": [[1.0]] * 30}
    assert all(len(name) < 60 for name in plan(groups).models)
    assert [c.kind for c in plan(groups).candidates] == ["stl", "together", "hard", "soft"]
