"""Calibrations undo a planted distortion, are those of scikit-learn, and leave everything else as it is."""

from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from sklearn.isotonic import IsotonicRegression

from mtl.errors import DataError
from mtl.results.calibration import Curve, Isotonic, Temperature
from mtl.tasks.calibration_fit import COLDEST, HOTTEST, fit_calibration
from mtl.tasks.recalibration import calibration_problem, recalibrated, trust

SAMPLES = 20_000


def drawn(classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """True logits [n, k], of two classes [n], and classes that are drawn by them."""
    generator = torch.Generator().manual_seed(classes)
    logits = 1.5 * torch.randn(SAMPLES, classes, generator=generator)
    truth = torch.multinomial(logits.softmax(dim=1), 1, generator=generator).squeeze(1)
    return (logits[:, 1] - logits[:, 0] if classes == 2 else logits), truth


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_a_planted_temperature_is_found(classes: int, temperature: float) -> None:
    """Logits that are `temperature` times too large; its error is about 2 % with 20,000 samples."""
    logits, truth = drawn(classes)
    fitted = fit_calibration("temperature", logits * temperature, truth)
    assert isinstance(fitted, Temperature) and fitted.temperature == pytest.approx(temperature, rel=0.05)
    calibrated = recalibrated(logits * temperature, fitted)
    before, after = trust(logits * temperature, truth), trust(calibrated, truth)
    assert after.log_loss <= before.log_loss and after.ece < 0.02
    if temperature > 1:
        assert before.ece > 0.05 and after.log_loss < before.log_loss and after.brier < before.brier
    same = calibrated > 0 if classes == 2 else calibrated.argmax(dim=1)
    assert torch.equal(same, logits > 0 if classes == 2 else logits.argmax(dim=1)), "no class changes"


def test_no_other_temperature_has_a_smaller_log_loss() -> None:
    logits, truth = drawn(3)
    fitted = fit_calibration("temperature", logits, truth)
    assert isinstance(fitted, Temperature)
    best = trust(logits.double() / fitted.temperature, truth).log_loss
    for factor in (0.9, 0.99, 1.01, 1.1):
        assert trust(logits.double() / (fitted.temperature * factor), truth).log_loss > best


def test_a_temperature_keeps_to_its_bounds_where_the_log_loss_has_no_least_value() -> None:
    truth = torch.tensor([0, 1, 0, 1])
    right = torch.tensor([-1.0, 1.0, -2.0, 2.0])
    assert fit_calibration("temperature", right, truth) == Temperature(kind="temperature", temperature=COLDEST)
    assert fit_calibration("temperature", -right, truth) == Temperature(kind="temperature", temperature=HOTTEST)


def test_a_curve_is_that_of_scikit_learn() -> None:
    """A sigmoid of a sine is no logistic curve, so that no temperature mends it."""
    generator = torch.Generator().manual_seed(1)
    chance = torch.rand(600, generator=generator, dtype=torch.float64)
    truth = (torch.rand(600, generator=generator) < chance.square()).long()
    logits = chance.logit()
    fitted = fit_calibration("isotonic", logits, truth)
    assert isinstance(fitted, Isotonic) and calibration_problem(fitted, 1) is None
    theirs = IsotonicRegression(y_min=1 / 602, y_max=601 / 602, out_of_bounds="clip").fit(chance, truth)
    new = torch.linspace(0, 1, 501, dtype=torch.float64)[1:-1]
    mine = recalibrated(new.logit(), fitted).sigmoid()
    np.testing.assert_allclose(mine, theirs.predict(new), atol=1e-12)
    assert trust(recalibrated(logits, fitted), truth).brier < trust(logits, truth).brier


def test_curves_of_several_classes_are_each_against_the_rest_and_sum_to_one() -> None:
    logits, truth = drawn(4)
    logits, truth = (
        logits[:2000] * torch.tensor([1.0, 2.0, 0.5, 1.0]) + torch.tensor([0.0, 1.0, 0.0, -1.0]),
        truth[:2000],
    )
    fitted = fit_calibration("isotonic", logits, truth)
    made = recalibrated(logits, fitted).double().softmax(dim=1)
    chance = logits.double().softmax(dim=1)
    each = [
        IsotonicRegression(y_min=1 / 2002, y_max=2001 / 2002, out_of_bounds="clip")
        .fit(chance[:, label], truth == label).predict(chance[:, label])
        for label in range(4)
    ]  # fmt: skip
    wanted = np.stack(each, axis=1)
    np.testing.assert_allclose(made, wanted / wanted.sum(axis=1, keepdims=True), atol=1e-6)
    assert trust(recalibrated(logits, fitted), truth).log_loss < trust(logits, truth).log_loss


def test_without_calibration_the_very_numbers_stay() -> None:
    logits, _ = drawn(2)
    assert recalibrated(logits, None) is logits


def test_calibrated_logits_are_finite_and_keep_their_type() -> None:
    logits = torch.tensor([-1e4, -80.0, 0.0, 80.0, 1e4])
    fitted = fit_calibration("isotonic", logits, torch.tensor([0, 0, 1, 1, 1]))
    made = recalibrated(logits, fitted)
    assert bool(made.isfinite().all()) and made.dtype == logits.dtype


@pytest.mark.parametrize("kind", ["temperature", "isotonic"])
def test_one_class_alone_tells_nothing(kind: Any) -> None:
    with pytest.raises(DataError, match="needs validation samples of two classes at least"):
        fit_calibration(kind, torch.tensor([0.5, 0.1]), torch.tensor([1, 1]))


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([0.1, 0.2], [0.5], "as many y as x"),
        ([0.2, 0.1], [0.5, 0.6], "should rise"),
        ([0.1, 0.2], [0.6, 0.5], "should rise"),
        ([], [], "at least 1"),
        ([0.1], [1.0], "less than 1"),
        ([float("nan")], [0.5], "greater than or equal to 0|finite"),
    ],
)
def test_a_curve_of_another_form_is_refused(x: list[float], y: list[float], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Curve(x=x, y=y)


def test_measures_by_hand() -> None:
    """Two samples of three classes: .5 for the right one of .5, .25, .25; .25 for the right one of .25, .25, .5."""
    chance = torch.tensor([[0.5, 0.25, 0.25], [0.25, 0.25, 0.5]], dtype=torch.float64)
    made = trust(chance.log(), torch.tensor([0, 0]))
    assert made.log_loss == pytest.approx(-(np.log(0.5) + np.log(0.25)) / 2)
    assert made.brier == pytest.approx((0.25 + 2 * 0.0625 + 0.5625 + 0.0625 + 0.25) / 2)
    assert made.ece == pytest.approx(abs(1.0 - 0.5 - 0.5)), "both say .5, and one of two is right"
