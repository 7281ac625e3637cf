"""Tolerances as a reader is told of them: one for all forecasts, or each task's own."""

from mtl.report.tolerances import column, tolerances
from tests.helpers.verdicts import Json, row_json, task_json, typed, verdicts_json

FORECAST: Json = {"kind": "forecast", "metric": "mse", "lower_is_better": True}


def found(tolerance: float | Json) -> Json:
    tasks = [task_json("near", **FORECAST), task_json("far", **FORECAST), task_json("fault")]
    own = tolerance if isinstance(tolerance, dict) else {"near", "far"}
    rows = [row_json("joint", task["name"], within_tolerance="yes" if task["name"] in own else None) for task in tasks]
    return verdicts_json(tasks, rows=rows, tolerance=tolerance)


def test_one_tolerance_is_said_of_its_kind_of_task() -> None:
    groups = tolerances(typed(found(0.05)))
    (group,) = groups
    assert column(groups) == "MSE within 5 %" and group.what == "forecast MSE"
    assert [row.task for row in group.rows] == ["near", "far"]
    assert group.meaning == (
        "For a forecast: whether the interval of joint MSE / STL MSE stays below 1.05 (yes), above it (no), or on both "
        "sides (not known)."
    )


def test_a_tolerance_of_its_own_is_said_of_each_task_by_its_name_and_direction() -> None:
    groups = tolerances(typed(found({"far": 0.1, "fault": 0.02})))
    assert [(group.who, group.what, group.share) for group in groups] == [
        ("far", "MSE", "10 %"), ("fault", "accuracy", "2 %"),
    ]  # fmt: skip
    assert "stays above 0.98 (yes), below it (no)" in groups[1].meaning
    assert column(groups) == "within tolerance"
    same = tolerances(typed(found({"far": 0.1, "fault": 0.1})))
    assert column(same) == "MSE or accuracy within 10 %"


def test_without_answers_nothing_is_said() -> None:
    assert tolerances(typed(found({}))) == [] and column([]) == ""
