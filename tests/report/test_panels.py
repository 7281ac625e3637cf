"""Panels of each kind of task: every kind has an entry, and a page has the sections of its tasks alone."""

from typing import get_args

import pytest

from mtl.config.tasks import Task
from mtl.report.panels import PANELS, panels_of
from tests.helpers.verdicts import task_json, typed, verdicts_json

KINDS = {get_args(section.model_fields["kind"].annotation)[0] for section in get_args(get_args(Task)[0])}


def test_every_kind_of_task_has_an_entry() -> None:
    assert set(PANELS) == KINDS


@pytest.mark.parametrize(
    ("kinds", "sections"),
    [
        ({"a": "binary", "b": "forecast", "c": "classification"},
         {"forecasts": ["b"], "confusion": ["a", "c"], "thresholds": ["a"]}),
        ({"a": "forecast"}, {"forecasts": ["a"]}),
        ({"a": "classification"}, {"confusion": ["a"]}),
    ],
)  # fmt: skip
def test_sections_are_those_of_the_tasks(kinds: dict[str, str], sections: dict[str, list[str]]) -> None:
    tasks = typed(verdicts_json([task_json(name, kind=kind) for name, kind in kinds.items()])).tasks
    assert {panels.key: [task.name for task in some] for panels, some in panels_of(tasks)} == sections
