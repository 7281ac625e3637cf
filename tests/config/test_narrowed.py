"""`f1_over`: macro-F1 over some of the classes."""

from typing import Any

import pytest
from pydantic import ValidationError

from mtl.config import ClassificationTask

SECTION = {"kind": "classification", "source": "tweets", "label": "stance", "metric": "macro_f1"}


def test_the_classes_are_named_beside_their_metric() -> None:
    task = ClassificationTask.model_validate(SECTION | {"f1_over": ["against", "favor"]})
    assert (task.f1_over, task.judges_all, task.primary_metric) == (["against", "favor"], False, "macro_f1")
    plain = ClassificationTask.model_validate(SECTION)
    assert plain.judges_all and "f1_over" not in plain.model_dump()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"metric": "accuracy"}, "f1_over should stand beside `metric: macro_f1`, found 'accuracy'"),
        ({"metric": None}, "found None"),
        ({"f1_over": ["favor", "favor"]}, "different classes"),
        ({"f1_over": ["favor"]}, "at least 2"),
    ],
)
def test_what_it_cannot_stand_beside_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        ClassificationTask.model_validate(SECTION | {"f1_over": ["against", "favor"]} | changes)
