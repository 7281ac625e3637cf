"""Sentences on prepared data that stand beside results."""

import torch

from mtl.data.inputs.every import input_of
from mtl.data.loading.remarks import remarks
from mtl.types import Prepared


def series(rows: int = 100, **fields: object) -> Prepared:
    values = torch.arange(rows * 2, dtype=torch.float64).reshape(rows, 2) % 7
    members = {"name": "own", "values": values, "columns": ["a", "b"], "window": None, "borders": (60, 80, rows),
               "fold": None, "folds": 1} | fields  # fmt: skip
    return Prepared(**members)  # type: ignore[arg-type]


def test_a_class_without_samples_is_told_with_the_counts_of_every_part() -> None:
    label = torch.zeros(100, dtype=torch.int64)
    label[10:30] = 1
    label[70:72] = 1
    label[65] = -1
    told = remarks(input_of(series(labels={"fault": label}, classes={"fault": ["off", "on"]})))
    assert told == [
        "own: no row of on in test: `fault` has in train off 40, on 20; validation off 17, on 2; test off 20, on 0."
    ]
    label[80:] = torch.arange(20) % 2
    label[60:80] = torch.arange(20) % 2
    assert remarks(input_of(series(labels={"fault": label}, classes={"fault": ["off", "on"]}))) == []


def test_what_was_filled_and_what_stands_still_is_told() -> None:
    known = torch.ones(100, 2, dtype=torch.bool)
    known[:30, 0] = False
    known[80, 0] = False
    made = series(known=known)
    made.values[60:80, 1] = 4
    assert remarks(input_of(made)) == [
        "own: values were missing in a (train 50 %, validation 0 %, test 5.0 %): filled in for inputs, never predicted "
        "nor counted.",
        "own: b never changes in validation: forecasting a probe that stands still is no achievement.",
    ]
    assert remarks(input_of(series())) == []
