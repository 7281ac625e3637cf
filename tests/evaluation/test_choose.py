"""The model of each task follows the verdicts, with their margin, and never one that loses to the simple model."""

from typing import Any

import pytest

from mtl.config import Method
from mtl.evaluation.choose import Choice, choose
from tests.experiment.conftest import configure
from tests.helpers.verdicts import (
    grouping_json,
    interval_json,
    method_json,
    row_json,
    task_json,
    typed,
    verdict_json,
    verdicts_json,
)

Json = dict[str, Any]
FIVE = [0, 1, 2, 3, 4]
SIMPLE = {"model": "boosting", "by_seed": ["boosting"] * 5, "gap": None,
          "summary": {"mean": 0.8, "low": None, "high": None, "values": [0.8] * 5}}  # fmt: skip
LOSES, WINS = interval_json(-8.0, -9.0, -7.0, 5), interval_json(2.0, 1.0, 3.0, 5)


def methods() -> dict[str, Method]:
    return configure(
        finetune={"methods": {"joint": {"kind": "equal"}, "other": {"kind": "uncertainty"}}}
    ).finetune.methods


def row(method: str, task: str, word: str, loses: list[str] | None = None, **changes: Any) -> Json:
    """A verdict with a change that fits it, beside a simple model."""
    change = {"HELPED": (4.0, 2.0, 6.0), "HURT": (-4.0, -6.0, -2.0), "LEVEL": (0.1, -0.4, 0.6)}.get(
        word, (1.0, -3.0, 5.0)
    )
    known = {} if word == "not known" else {"open": None, "seeds_needed": None}
    lost = loses or []
    simple = {"stl": LOSES if "STL" in lost else WINS, "joint": LOSES if "joint" in lost else WINS, "loses": lost}
    verdict = verdict_json(word, **known, **changes)
    return row_json(method, task, verdict=verdict, change=interval_json(*change, 5), simple=simple)


def chosen(rows: list[Json], seeds: list[int] = FIVE, **changes: Any) -> dict[str, Choice]:
    tasks = sorted({row["task"] for row in rows})
    named = dict.fromkeys(row["method"] for row in rows)
    judged = [method_json(name, tasks, delta_m=interval_json(2.0 - n, 0.5, 3.0, 5)) for n, name in enumerate(named)]
    costs = {"parameters": {"stl": {}, "stl_total": 0, "stl_by_start": {"random": dict.fromkeys(tasks, 100)},
                            "methods": dict.fromkeys(named, 50)}}  # fmt: skip
    content = {"tasks": [task_json(name, simple=SIMPLE) for name in tasks], "methods": judged, "costs": costs} | changes
    return choose(typed(verdicts_json(rows=rows, seeds=seeds, **content)), methods())


def test_each_task_gets_what_its_verdict_says() -> None:
    found = chosen([row("joint", "a", "HELPED"), row("joint", "b", "LEVEL"), row("joint", "c", "HURT"),
                    row("joint", "d", "not known")])  # fmt: skip
    assert {task: (choice.how, choice.name) for task, choice in found.items()} == {
        "a": ("joint", "joint"),
        "b": ("joint", "joint"),
        "c": ("single-task", "random"),
        "d": ("single-task", "random"),
    }
    assert found["a"].why == "HELPED, +4.0 % [+2.0, +6.0]"
    assert "one model does the work of two" in found["b"].why and "±1 %" in found["b"].why
    assert found["c"].why == "joint training with joint: HURT, −4.0 % [−6.0, −2.0]"


def test_what_is_too_little_to_matter_is_level() -> None:
    found = chosen([row("joint", "a", "HELPED"), row("joint", "b", "HURT", matters=False)])
    assert found["b"].how == "joint"


def test_another_method_answers_what_it_alone_helps() -> None:
    found = chosen([row("joint", "a", "HELPED"), row("joint", "b", "HURT"), row("other", "a", "HELPED"),
                    row("other", "b", "HELPED")])  # fmt: skip
    assert (found["a"].name, found["b"].name) == ("joint", "other")


def test_one_model_for_all_where_every_task_is_level() -> None:
    found = chosen([row("joint", "a", "LEVEL"), row("joint", "b", "LEVEL")])
    assert {choice.name for choice in found.values()} == {"joint"}
    found = chosen([row("joint", "a", "LEVEL"), row("joint", "b", "not known")])
    assert {choice.how for choice in found.values()} == {"single-task"}, "the advice recommends no method"


def test_too_few_seeds_decide_nothing() -> None:
    found = chosen([row("joint", "a", "not known")], seeds=[0, 1])
    assert found["a"] == Choice("single-task", "random", "too few seeds for a verdict on joint training")


@pytest.mark.parametrize(
    ("word", "loses", "how", "name"),
    [
        ("HELPED", ["STL", "joint"], "simple", "boosting"),
        ("not known", ["STL", "joint"], "simple", "boosting"),
        ("not known", ["STL"], "simple", "boosting"),
        ("HELPED", ["STL"], "joint", "joint"),
        ("LEVEL", ["joint"], "single-task", "random"),
        ("HURT", ["joint"], "single-task", "random"),
    ],
)
def test_a_network_that_loses_to_the_simple_model_gives_way(word: str, loses: list[str], how: str, name: str) -> None:
    found = chosen([row("joint", "a", "HELPED"), row("joint", "b", word, loses)])
    assert (found["b"].how, found["b"].name) == (how, name)
    if how == "simple":
        assert "loses to it, −8.0 % [−9.0, −7.0]" in found["b"].why


def test_a_task_without_a_single_network_is_answered_by_the_method_that_has_it() -> None:
    lone = {"method": "joint", "task": "b", "metric": "accuracy", "role": "main",
            "joint": {"mean": 0.9, "low": None, "high": None, "values": [0.9]},
            "simple": {"stl": None, "joint": LOSES, "loses": ["joint"]}}  # fmt: skip
    tasks = [task_json("a", simple=SIMPLE), task_json("b", alone=False)]
    found = chosen([row("joint", "a", "HELPED")], tasks=tasks, unpaired=[lone],
                   methods=[method_json("joint", ["a", "b"], delta_m=interval_json(2.0, 1.0, 3.0, 5))])  # fmt: skip
    assert (found["b"].how, found["b"].name) == ("joint", "joint")
    tasks[1]["simple"] = SIMPLE
    found = chosen([row("joint", "a", "HELPED")], tasks=tasks, unpaired=[lone],
                   methods=[method_json("joint", ["a", "b"], delta_m=interval_json(2.0, 1.0, 3.0, 5))])  # fmt: skip
    assert found["b"].how == "simple"


@pytest.mark.parametrize(
    ("changes", "how"),
    [
        ({}, "cluster"),
        ({"over_random": interval_json(1.0, -0.5, 2.5, 5)}, "joint"),
        ({"delta_m": interval_json(1.0, 0.5, 1.5, 5)}, "joint"),
        ({"metrics": {"a": 0.3}}, "joint"),
        ({"kind": "random"}, "joint"),
    ],
)
def test_models_of_clusters_where_they_gain_most_and_beat_random_ones(changes: Json, how: str) -> None:
    shown = {"delta_m": interval_json(6.0, 4.0, 8.0, 5), "over_random": interval_json(2.0, 1.0, 3.0, 5),
             "metrics": {"a": 0.9}} | changes  # fmt: skip
    found = chosen([row("joint", "a", "HELPED")], grouping={"weights": "raw", "rows": [grouping_json("two", **shown)]})
    assert found["a"].how == how


def test_the_rule_needs_no_simple_models_and_no_methods() -> None:
    tasks = [task_json("a")]
    found = chosen([row("joint", "a", "not known")], tasks=tasks)
    assert found["a"].how == "single-task"
