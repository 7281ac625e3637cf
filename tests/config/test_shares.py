"""`evaluate.tolerance` and `evaluate.margin`: one share for all tasks, or one of its own for each of some tasks."""

import math
from typing import Any

import pytest

from mtl.config import Config, parse_config
from mtl.errors import ConfigError

Json = dict[str, Any]


def config(tolerance: object = 0.05, **sections: Any) -> Config:
    """A forecast, and a label alone of which has its own metric."""
    windows = {"source": "plant", "input_len": 48}
    raw: Json = {
        "prepare": {"sources": {"plant": {"kind": "sensors"}}},
        "tasks": {
            "ahead": {"kind": "forecast", "horizon": 6} | windows,
            "fault": {"kind": "binary", "label": "fault", "metric": "auc"} | windows,
        },
        "encoder": {"kind": "linear", "input_len": 48},
        "finetune": {"methods": {"joint": {"kind": "equal"}}},
        "evaluate": {"tolerance": tolerance},
    }
    return parse_config(raw | sections)


def test_one_share_is_that_of_tasks_of_numbers_and_a_mapping_names_any() -> None:
    def tolerances(tolerance: object) -> dict[str, float | None]:
        found = config(tolerance)
        return {name: found.evaluate.tolerance_of(name, task.family) for name, task in found.tasks.items()}

    assert tolerances(0.1) == {"ahead": 0.1, "fault": None}
    assert tolerances({"fault": 0}) == {"ahead": None, "fault": 0.0}
    assert tolerances({"fault": 0.02, "ahead": 1}) == {"ahead": 1.0, "fault": 0.02}
    assert tolerances({}) == {"ahead": None, "fault": None}


WRONG = [5, math.nan, "high", -0.1, True, None, [0.1], {"ahead": 5}, {"fault": -0.1}, {"fault": "low"}, {"fault": None}]


@pytest.mark.parametrize("wrong", WRONG)
def test_a_share_of_another_form_is_refused_in_one_message(wrong: object) -> None:
    with pytest.raises(
        ConfigError, match=r"`evaluate.tolerance`: should be a share from 0 to 1 such as 0.05 \(5 %\), "
    ):
        config(wrong)


@pytest.mark.parametrize(
    ("tolerance", "sections", "message"),
    [
        ({"coin": 0.1}, {}, r"`evaluate.tolerance` should name tasks among ahead, fault, found 'coin'"),
        ({"fault": 1.0}, {}, r"`evaluate.tolerance.fault` should be below 1, at which every AUC is within it, found 1"),
        ({"fault": 0.1}, {"baseline": {"tasks": ["ahead"]}},
         r"`evaluate.tolerance.fault` should be left out, or `baseline.tasks` name fault, which has no single"),
    ],
)  # fmt: skip
def test_a_tolerance_that_could_not_be_answered_is_refused(tolerance: Json, sections: Json, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config(tolerance, **sections)


def test_a_margin_holds_for_every_task_and_a_mapping_leaves_the_others_theirs() -> None:
    def margins(**evaluate: object) -> dict[str, float]:
        made = config(evaluate=evaluate)
        return {name: made.evaluate.margin_of(name) for name in made.tasks}

    assert margins() == {"ahead": 0.01, "fault": 0.01}
    assert margins(margin=0) == {"ahead": 0.0, "fault": 0.0}
    assert margins(margin=0.02) == {"ahead": 0.02, "fault": 0.02}
    assert margins(margin={"fault": 0.005}) == {"ahead": 0.01, "fault": 0.005}


@pytest.mark.parametrize("wrong", ["small", -0.01, True, None, [0.1], 1, 1.0, {"fault": 1}, {"fault": "low"}])
def test_a_margin_of_another_form_is_refused_in_one_message(wrong: object) -> None:
    """1 is refused as well: it would be a whole metric, and is written by those who mean 1 %."""
    with pytest.raises(
        ConfigError,
        match=r"`evaluate.margin`: should be a share of at least 0 and below 1 such as 0.01 \(1 % of the single-task "
        r"value\), or a share for each of some tasks such as \{fault: 0.02\}, found",
    ):
        config(evaluate={"margin": wrong})


@pytest.mark.parametrize(
    ("margin", "sections", "message"),
    [
        ({"coin": 0.1}, {}, r"`evaluate.margin` should name tasks among ahead, fault, found 'coin'"),
        ({"fault": 0.1}, {"baseline": {"tasks": ["ahead"]}},
         r"`evaluate.margin.fault` should be left out, or `baseline.tasks` name fault, which has no single"),
    ],
)  # fmt: skip
def test_a_margin_of_no_comparison_is_refused(margin: Json, sections: Json, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config(evaluate={"margin": margin}, **sections)
