"""Metrics against scikit-learn and numpy by hand; the optimum against known predictors."""

import numpy as np
import pytest
import torch
from sklearn import metrics as sk

from mtl.errors import DataError
from mtl.tasks.context import Oracle
from mtl.tasks.forecast import Forecast
from mtl.tasks.forecast_scores import ForecastScores, forecast_metrics, forecast_optimum
from mtl.tasks.label_scores import label_metrics, label_optimum
from mtl.types import NO_LABEL


def test_forecast_errors_on_every_scale() -> None:
    target = torch.zeros(2, 2, 3)
    prediction = torch.tensor([[[1.0, 2, 3], [0, 0, 0]], [[-1, -2, -3], [0, 0, 2]]])
    metrics, detail = forecast_metrics(prediction, target, torch.tensor([1.0, 10.0]), ["a", "b"])
    assert metrics == pytest.approx({"mse": (28 + 4) / 12, "mae": (12 + 2) / 12})
    assert detail["mse_by_horizon"] == pytest.approx([2 / 4, 8 / 4, 22 / 4])
    assert detail["mae_by_horizon"] == pytest.approx([2 / 4, 4 / 4, 8 / 4])
    assert detail["mse_by_channel"] == pytest.approx({"a": 28 / 6, "b": 4 / 6})
    assert detail["mse_original_by_channel"] == pytest.approx({"a": 28 / 6, "b": 400 / 6})
    assert detail["mae_original_by_channel"] == pytest.approx({"a": 12 / 6, "b": 20 / 6})
    assert all(type(value) is float for value in [*metrics.values(), *detail["mse_by_horizon"]])


def test_batches_and_one_pass_agree() -> None:
    """However the test part is cut, every sample counts once."""
    generator = torch.Generator().manual_seed(0)
    prediction, target = (torch.randn(700, 3, 5, generator=generator) for _ in range(2))
    std, names = torch.tensor([1.0, 2.0, 3.0]), ["a", "b", "c"]
    whole, detail = forecast_metrics(prediction, target, std, names)
    scores = ForecastScores(std, names)
    for part in torch.arange(700).split(33):
        scores.add(prediction[part], target[part])
    metrics, parts = scores.result()
    assert metrics == pytest.approx(whole, rel=1e-12)
    assert parts["mae_by_channel"] == pytest.approx(detail["mae_by_channel"], rel=1e-12)
    error = (prediction.double() - target.double()).numpy()
    assert metrics == pytest.approx({"mse": np.mean(error**2), "mae": np.mean(np.abs(error))}, rel=1e-12)


@pytest.mark.parametrize(
    ("units", "reported"),
    [(None, False), ({}, False), ({"a": "m"}, False), ({"a": "m", "b": "s"}, False), ({"a": "m", "b": "m"}, True)],
)
def test_original_units_are_averaged_only_when_equal(units: dict[str, str] | None, reported: bool) -> None:
    one = torch.ones(4, 2, 3)
    metrics, _ = forecast_metrics(one, 0 * one, torch.tensor([1.0, 3.0]), ["a", "b"], units)
    assert ("mae_original" in metrics) == reported
    if reported:
        assert metrics["mae_original"] == pytest.approx(2)
        assert metrics["mse_original"] == pytest.approx(5)


def test_nothing_to_measure_is_an_error() -> None:
    with pytest.raises(DataError, match="0 samples"):
        forecast_metrics(torch.ones(0, 1, 2), torch.ones(0, 1, 2), torch.ones(1), ["a"])
    with pytest.raises(DataError, match="0 samples"):
        label_metrics(torch.ones(3), torch.full((3,), NO_LABEL), ["no", "yes"])
    with pytest.raises(DataError, match="found 2"):
        label_metrics(torch.ones(3), torch.full((3,), 2), ["no", "yes"])


@pytest.mark.parametrize("classes", [2, 3, 6])
def test_labels_agree_with_scikit_learn(classes: int) -> None:
    generator = torch.Generator().manual_seed(classes)
    logits = torch.randn(300, classes, generator=generator)
    target = torch.randint(classes, (300,), generator=generator)
    names = [f"c{number}" for number in range(classes)]
    metrics, detail = label_metrics(logits, target, names)
    guess, probability = logits.argmax(1).numpy(), logits.double().softmax(1).numpy()
    assert metrics["accuracy"] == pytest.approx(sk.accuracy_score(target, guess))
    assert metrics["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(target, guess))
    assert metrics["macro_f1"] == pytest.approx(sk.f1_score(target, guess, average="macro"))
    assert metrics["loss"] == pytest.approx(sk.log_loss(target, probability))
    assert detail == {"confusion": sk.confusion_matrix(target, guess).tolist(), "classes": names}


def test_one_logit_equals_two() -> None:
    generator = torch.Generator().manual_seed(1)
    logit, target = torch.randn(50, generator=generator), torch.randint(2, (50,), generator=generator)
    one, table = label_metrics(logit, target, ["no", "yes"])
    two, same = label_metrics(torch.stack([torch.zeros(50), logit], 1), target, ["no", "yes"])
    assert one == pytest.approx(two, rel=1e-6)
    assert table == same


def test_absent_classes_neither_warn_nor_count() -> None:
    """Only classes 0 and 1 occur; 2 is predicted once, 3 never: a recall for each of 0 and 1, an F1 for 0, 1 and 2."""
    logits = torch.eye(4)[[0, 0, 1, 2]] * 5
    metrics, detail = label_metrics(logits, torch.tensor([0, 0, 1, 1]), list("abcd"))
    assert metrics["balanced_accuracy"] == pytest.approx(0.75)
    assert metrics["macro_f1"] == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert detail["confusion"] == [[2, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_missing_labels_are_left_out() -> None:
    logits, target = torch.tensor([3.0, -3.0, 5.0]), torch.tensor([1, 0, NO_LABEL])
    assert label_metrics(logits, target, ["n", "y"]) == label_metrics(logits[:2], target[:2], ["n", "y"])


def test_forecast_optimum_takes_each_samples_row_and_scale() -> None:
    generator = torch.Generator().manual_seed(2)
    oracle = torch.randn(20, 4, 3, generator=generator, dtype=torch.float64)
    mean, std = torch.tensor([1.0, 2.0, 3.0]).double(), torch.tensor([2.0, 4.0, 8.0]).double()
    rows, targets = torch.tensor([13, 10, 29]), [2, 0]
    expected = ((oracle[rows - 10] - mean) / std)[:, :3, targets].transpose(1, 2)
    exact = forecast_optimum(oracle, 10, rows, expected.float(), targets, mean[targets], std[targets])
    assert exact == pytest.approx({"mse": 0, "mae": 0}, abs=1e-6)
    off = forecast_optimum(oracle, 10, rows, (expected + 0.5).float(), targets, mean[targets], std[targets])
    assert off == pytest.approx({"mse": 0.25, "mae": 0.5}, abs=1e-6)


def test_optimum_of_a_task_that_forecasts_some_channels_in_an_order_of_its_own() -> None:
    """The scaler of a task is that of its targets, in their order."""
    oracle = torch.randn(9, 2, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    spec = Forecast(
        name="t", source="s", shape=(3, 4), columns=["a", "b", "c"], targets=[2, 1], horizon=2, mean=(3.0, 2.0),
        std=(8.0, 4.0),
    )  # fmt: skip
    rows = torch.arange(10, 19)
    target = ((oracle[:, :, [2, 1]] - torch.tensor([3.0, 2.0])) / torch.tensor([8.0, 4.0])).transpose(1, 2)
    optimum = spec.optimum(Oracle(10, oracle, {}, {}), rows, target.float())
    assert optimum == pytest.approx({"mse": 0, "mae": 0}, abs=1e-6)


def test_forecast_optimum_refuses_what_it_does_not_reach() -> None:
    oracle, one = torch.zeros(5, 2, 1), torch.ones(1)
    with pytest.raises(DataError, match="rows 10 to 14, found a sample that ends at 15"):
        forecast_optimum(oracle, 10, torch.tensor([15]), torch.zeros(1, 1, 2), [0], one, one)
    with pytest.raises(DataError, match="horizon of 3"):
        forecast_optimum(oracle, 10, torch.tensor([12]), torch.zeros(1, 1, 3), [0], one, one)


def test_label_optimum_is_the_most_probable_class() -> None:
    generator = torch.Generator().manual_seed(3)
    p = torch.rand(60, 3, generator=generator, dtype=torch.float64)
    p = p / p.sum(1, keepdim=True)
    rows = torch.randperm(60, generator=generator)[:40] + 7
    target = torch.randint(3, (40,), generator=generator)
    target[5] = NO_LABEL
    expected, _ = label_metrics(p[rows - 7].log(), target, list("abc"), detailed=True)
    assert label_optimum(p, 7, rows, target) == pytest.approx(expected)


def test_binary_optimum_ranks_by_the_true_probability() -> None:
    """The network that says the true probabilities is the optimum, where that has a meaning."""
    generator = torch.Generator().manual_seed(4)
    chance = torch.rand(300, generator=generator, dtype=torch.float64)
    target = (torch.rand(300, generator=generator) < chance).long()
    best = label_optimum(torch.stack([1 - chance, chance], 1), 0, torch.arange(300), target, binary=True)
    same, _ = label_metrics(chance.logit(), target, ["no", "yes"], detailed=True)
    assert best == pytest.approx({name: value for name, value in same.items() if name not in ("f1", "ece")})
    worse, _ = label_metrics(0.5 * chance.logit() + torch.randn(300, generator=generator), target, ["no", "yes"],
                             detailed=True)  # fmt: skip
    assert all(best[name] > worse[name] for name in ("accuracy", "auc", "average_precision"))
    assert all(best[name] < worse[name] for name in ("loss", "brier"))


def test_a_coins_optimum_is_one_half() -> None:
    """Whatever the coins of this test part showed: a tie is worth its expected value."""
    target = torch.tensor([0, 1, 1, 1, 0, 1, 1])
    best = label_optimum(torch.full((7, 2), 0.5), 0, torch.arange(7), target, binary=True)
    assert best["accuracy"] == best["balanced_accuracy"] == best["auc"] == pytest.approx(0.5)
    assert best["loss"] == pytest.approx(np.log(2))
    assert best["average_precision"] == pytest.approx(5 / 7)
    assert best["macro_f1"] == pytest.approx((2 / 5.5 + 5 / 8.5) / 2)
