"""Labels that a rule makes from numbers: known answers, missing numbers, and what is refused."""

from typing import Any

import pytest
import torch
from pydantic import TypeAdapter

from mtl.config import Task
from mtl.config.labels import Label, LabelRule
from mtl.data.inputs.every import input_of
from mtl.data.loading.labels import derive_labels
from mtl.errors import SettingError
from mtl.types import NO_LABEL, RowSet

NUMBERS = [3.0, 7.0, 8.0, float("nan"), 6.999]


def rows(**numbers: list[float]) -> RowSet:
    count = len(next(iter(numbers.values())))
    fold = torch.arange(count) % 3 - 1
    classes = torch.arange(count) % 3
    return RowSet(
        "own", torch.arange(count, dtype=torch.float64)[:, None], ["x"], fold, 2, {"colour": classes},
        {"colour": ["red", "green", "7"]}, {name: torch.tensor(n, dtype=torch.float64) for name, n in numbers.items()},
    )  # fmt: skip


def made(label: Any, kind: str = "binary") -> tuple[list[int], list[str]]:
    """Numbers and names of the classes that a rule makes from NUMBERS."""
    task = TypeAdapter(Task).validate_python({"kind": kind, "source": "own", "label": label})
    learns, inputs = derive_labels({"good": task}, {"own": input_of(rows(quality=NUMBERS))})
    data = inputs["own"].data
    return data.labels[learns["good"]].tolist(), data.classes[learns["good"]]


@pytest.mark.parametrize(
    ("rule", "labels", "classes"),
    [
        ("at_least", [0, 1, 1, NO_LABEL, 0], ["below 7", "at least 7"]),
        ("above", [0, 0, 1, NO_LABEL, 0], ["at most 7", "above 7"]),
        ("at_most", [1, 1, 0, NO_LABEL, 1], ["above 7", "at most 7"]),
        ("below", [1, 0, 0, NO_LABEL, 1], ["at least 7", "below 7"]),
    ],
)
def test_numbers_on_either_side_of_a_border(rule: str, labels: list[int], classes: list[str]) -> None:
    for column in ("column", "of"):
        assert made({column: "quality", rule: 7}) == (labels, classes)
    assert made({"column": "quality", rule: 7}, "classification") == (labels, classes)


def test_one_class_or_some_against_the_rest() -> None:
    assert made({"column": "colour", "equals": "green"}) == ([0, 1, 0, 0, 1], ["rest", "green"])
    assert made({"column": "colour", "equals": 7})[0] == [0, 0, 1, 0, 0]
    assert made({"column": "colour", "one_of": ["red", 7]}) == made({"of": "colour", "any_of": ["red", "7"]})


def test_rules_that_are_not_used_leave_what_is_derived_from_a_section_as_it_was() -> None:
    rule = TypeAdapter(Label).validate_python({"one_vs_rest": "cat"})
    assert isinstance(rule, LabelRule)
    assert set(rule.model_dump()) == {"even", "multiple_of", "one_vs_rest", "any_of", "coin", "flipped", "of"}


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ({"at_least": 7}, r"tasks\.good\.label\.column` is missing: at_least is for a column of numbers; own has q"),
        ({"column": "colour", "at_least": 7}, r"should hold numbers for at_least, found 'colour', which has the cla.*"),
        ({"column": "size", "below": 7}, r"should be one of quality; found 'size'"),
    ],
)
def test_what_holds_no_numbers_is_refused(label: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        made(label)
