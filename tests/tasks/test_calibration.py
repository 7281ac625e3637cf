"""Proper scores and calibration against scikit-learn and by hand."""

import numpy as np
import pytest
import torch
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve

from mtl.tasks.calibration import (
    BINS,
    brier_score,
    expected_calibration_error,
    log_loss,
    reliability,
    reliability_diagram,
)


def test_reliability_agrees_with_scikit_learn() -> None:
    generator = torch.Generator().manual_seed(0)
    # Probabilities on the borders of bins, and 0 and 1 themselves, are among them.
    p = torch.cat([torch.rand(500, generator=generator, dtype=torch.float64).square(), torch.arange(16) / 15])
    positive = torch.rand(516, generator=generator) < 0.4
    diagram = reliability_diagram(reliability(p, positive))
    share, mean = calibration_curve(positive, p, n_bins=BINS)
    np.testing.assert_allclose(diagram["positive"], share, rtol=1e-12)
    np.testing.assert_allclose(diagram["probability"], mean, rtol=1e-12)
    expected = np.sum(np.array(diagram["samples"]) * np.abs(share - mean)) / 516
    assert expected_calibration_error(reliability(p, positive)) == pytest.approx(expected, rel=1e-12)


def test_calibration_error_by_hand() -> None:
    """Two bins: three samples of .9 of which two are positive, one of .1 that is negative."""
    bins = reliability(torch.tensor([0.9, 0.9, 0.9, 0.1]), torch.tensor([True, True, False, False]))
    assert expected_calibration_error(bins) == pytest.approx((3 * (0.9 - 2 / 3) + 0.1) / 4)
    assert reliability_diagram(bins)["samples"] == [1, 3]
    assert reliability_diagram(bins)["bin"] == [1, 13], "(1/15, 2/15] and (13/15, 14/15]"


def test_what_comes_true_as_often_as_it_is_said_has_no_error() -> None:
    p = torch.tensor([0.25] * 4 + [1.0] * 3 + [0.0] * 2)
    positive = torch.tensor([True, False, False, False] + [True] * 3 + [False] * 2)
    assert expected_calibration_error(reliability(p, positive)) == 0
    assert expected_calibration_error(reliability(p, ~positive)) == pytest.approx((4 * 0.5 + 3 + 2) / 9)


@pytest.mark.parametrize("scale", [1, 5])
def test_scores_agree_with_scikit_learn(scale: float) -> None:
    generator = torch.Generator().manual_seed(1)
    logits = scale * torch.randn(300, generator=generator)
    truth = torch.randint(2, (300,), generator=generator)
    p = logits.double().sigmoid()
    assert brier_score(p, truth == 1) == pytest.approx(sk.brier_score_loss(truth, p), rel=1e-12)
    assert log_loss(logits, truth) == pytest.approx(sk.log_loss(truth, p), rel=1e-6)
    many, classes = scale * torch.randn(300, 4, generator=generator), torch.arange(300) % 4
    assert log_loss(many, classes) == pytest.approx(sk.log_loss(classes, many.double().softmax(1)), rel=1e-6)


def test_sure_and_wrong_costs_what_the_logit_says() -> None:
    """Probabilities of 1 have no logarithm of the rest; a library that clips them reports some 36."""
    assert log_loss(torch.tensor([1000.0]), torch.tensor([0])) == 1000
    assert log_loss(torch.tensor([[1000.0, 0.0]]), torch.tensor([1])) == 1000
    assert brier_score(torch.tensor([1.0, 0.0]), torch.tensor([False, False])) == 0.5


def test_nothing_and_no_probability_are_refused() -> None:
    nothing, none = torch.ones(0), torch.ones(0, dtype=torch.bool)
    for measure in (brier_score, reliability):
        with pytest.raises(ValueError, match="found none"):
            measure(nothing, none)
    with pytest.raises(ValueError, match="found none"):
        log_loss(nothing, torch.ones(0, dtype=torch.int64))
    for p in (1.5, -0.1, float("nan")):
        with pytest.raises(ValueError, match=r"in \[0, 1\]"):
            reliability(torch.tensor([p]), torch.tensor([True]))
