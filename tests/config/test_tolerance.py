"""`evaluate.tolerance`: one share for tasks of numbers, or one of its own for each of some tasks."""

import math
from typing import Any

import pytest

from mtl.config import Config, parse_config
from mtl.errors import ConfigError

Json = dict[str, Any]


def config(tolerance: object, **sections: Any) -> Config:
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
