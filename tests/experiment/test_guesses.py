"""Metrics of a predictor that has seen no input: known answers on the test part, from the training targets alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mtl.config import Task
from mtl.config.tasks import BinaryTask, ClassificationTask, ForecastTask, RegressionTask
from mtl.data.loading.tasks import build_tasks
from mtl.experiment.outcome import guesses
from mtl.types import Prepared, RowSet

TRAIN, TEST = 60, 40


def rows() -> RowSet:
    """Rows whose labels are rarer in the training part than in the test part; fold 1 of 1 always trains."""
    draw = torch.Generator().manual_seed(0)
    fold = torch.tensor([1] * (TRAIN - 10) + [0] * 10 + [-1] * TEST)
    count = len(fold)
    yes = (torch.arange(count) % 5 == 0).long()
    kind = torch.tensor([0, 1, 1, 2])[torch.arange(count) % 4]
    number = torch.randn(count, generator=draw, dtype=torch.float64) * 3 + 7
    number[::9] = float("nan")
    return RowSet(
        "table", torch.randn(count, 2, generator=draw, dtype=torch.float64), ["a", "b"], fold, 1,
        labels={"yes": yes, "kind": kind}, classes={"yes": ["no", "yes"], "kind": ["x", "y", "z"]},
        numbers={"number": number},
    )  # fmt: skip


def test_labels_and_numbers_are_guessed_from_the_training_part() -> None:
    tasks: dict[str, Task] = {
        "yes": BinaryTask(kind="binary", source="table", label="yes"),
        "kind": ClassificationTask(kind="classification", source="table", label="kind"),
        "number": RegressionTask(kind="regression", source="table", target="number"),
    }
    source = rows()
    data = build_tasks(tasks, {"table": source}, seed=0)
    told = guesses(data, list(tasks))
    train, test = source.fold == 1, source.fold == -1
    for name in ("yes", "kind"):
        counts = torch.bincount(source.labels[name][train]).double()
        truth = source.labels[name][test]
        assert told[name]["accuracy"] == pytest.approx(float((truth == counts.argmax()).double().mean()))
        assert told[name]["balanced_accuracy"] == pytest.approx(1 / len(counts))
        losses = -(counts / counts.sum()).log()[truth]
        assert told[name]["loss"] == pytest.approx(float(losses.mean()), rel=1e-5)
    assert told["yes"]["auc"] == pytest.approx(0.5)
    values, known = source.numbers["number"], ~source.numbers["number"].isnan()
    mean = values[train & known].mean()
    rmse = (values[test & known] - mean).square().mean().sqrt()
    assert told["number"]["rmse"] == pytest.approx(float(rmse), rel=1e-5)
    assert told["number"]["r2"] <= 1e-6
    other = replace(source, numbers={"number": values + 1e3 * test})
    assert guesses(build_tasks(tasks, {"table": other}, seed=0), ["yes"]) == {"yes": told["yes"]}


def test_a_forecast_is_guessed_as_the_mean_of_the_training_rows() -> None:
    values = torch.from_numpy(np.random.default_rng(0).normal(5.0, 2.0, (120, 2)))
    series = Prepared("line", values, ["a", "b"], window=None, borders=(60, 80, 120), fold=None, folds=1)
    tasks: dict[str, Task] = {
        "next": ForecastTask(kind="forecast", source="line", input_len=4, horizon=2, targets=["b"])
    }
    told = guesses(build_tasks(tasks, {"line": series}, seed=0), ["next"])
    mean, std = values[:60, 1].mean(), values[:60, 1].std(correction=0)
    windows = values[76:, 1].unfold(0, 6, 1)[:, 4:]
    assert told["next"]["mse"] == pytest.approx(float(((windows - mean) / std).square().mean()), rel=1e-5)
