"""Forecast targets with gaps: loss, gradient, metrics and errors are those of the measured cells alone."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from mtl.tasks.base import TaskSpec
from mtl.tasks.forecast import Forecast
from mtl.tasks.quantile_forecast import QuantileForecast
from mtl.tasks.quantiles import crps

LEVELS = (0.1, 0.5, 0.9)
COMMON = {
    "name": "ahead", "source": "own", "shape": (3, 8), "columns": ["a", "b", "c"], "targets": [0, 2], "horizon": 4,
    "mean": (1.0, 2.0), "std": (2.0, 3.0), "gaps": True,
}  # fmt: skip


def forecast(metric: str, **more: object) -> Forecast:
    return Forecast(**{**COMMON, "metric": metric, **more})  # type: ignore[arg-type]


def quantiles(metric: str = "crps") -> QuantileForecast:
    return QuantileForecast(**{**COMMON, "metric": metric, "levels": LEVELS})  # type: ignore[arg-type]


def samples(outputs: int, count: int = 300) -> tuple[Tensor, Tensor]:
    """Predictions and targets, of which a third was not measured and every sample has some."""
    draw = torch.Generator().manual_seed(0)
    prediction = torch.randn(count, 2, outputs, generator=draw)
    target = torch.randn(count, 2, 4, generator=draw)
    gaps = torch.rand(count, 2, 4, generator=draw) < 0.4
    gaps[:, 0, 1] = False
    return prediction, target.masked_fill(gaps, math.nan)


POINTS: dict[str, Callable[[Tensor], Tensor]] = {
    "mse": torch.square, "mae": torch.abs,
    "huber": lambda error: torch.where(error.abs() < 1, error.square() / 2, error.abs() - 0.5),
}  # fmt: skip


@pytest.mark.parametrize("loss", POINTS)
def test_the_loss_and_its_gradient_are_those_of_the_measured_cells(loss: str) -> None:
    prediction, target = samples(4)
    prediction.requires_grad_()
    spec = forecast("mse", loss=loss)
    value = spec.criterion([spec])(prediction, target)
    (gradient,) = torch.autograd.grad(value, prediction)
    there = ~target.isnan()
    by_hand = POINTS[loss](prediction[there] - target[there]).mean()
    torch.testing.assert_close(value, by_hand)
    (expected,) = torch.autograd.grad(by_hand, prediction)
    torch.testing.assert_close(gradient, expected)
    assert bool((gradient[~there] == 0).all())


def test_the_loss_of_quantiles_and_its_gradient() -> None:
    prediction, target = samples(12)
    prediction.requires_grad_()
    spec = quantiles()
    value = spec.criterion([spec])(prediction, target)
    there = ~target.isnan()
    by_hand = crps(prediction.unflatten(-1, (4, 3))[there], target[there], torch.tensor(LEVELS)).mean()
    torch.testing.assert_close(value, by_hand)
    for ours, expected in zip(*(torch.autograd.grad(v, prediction) for v in (value, by_hand)), strict=True):
        torch.testing.assert_close(ours, expected)


def test_metrics_are_those_of_the_measured_cells() -> None:
    prediction, target = samples(4)
    metrics, detail = forecast("mse").score(prediction, target, detailed=True)
    there = ~target.isnan()
    error = (prediction - target).double()
    assert metrics["mse"] == pytest.approx(float(error[there].square().mean()), rel=1e-6)
    assert metrics["mae"] == pytest.approx(float(error[there].abs().mean()), rel=1e-6)
    second = error[:, 1][there[:, 1]].square().mean()
    assert detail["mse_by_channel"]["c"] == pytest.approx(float(second), rel=1e-6)
    assert detail["mse_original_by_channel"]["c"] == pytest.approx(9 * float(second), rel=1e-6)
    third = error[:, :, 2][there[:, :, 2]].square().mean()
    assert detail["mse_by_horizon"][2] == pytest.approx(float(third), rel=1e-6)


def test_metrics_of_quantiles_are_those_of_the_measured_cells() -> None:
    prediction, target = samples(12)
    spec = quantiles()
    metrics, _ = spec.score(prediction, target, detailed=True)
    there = ~target.isnan()
    ordered = prediction.unflatten(-1, (4, 3)).sort(dim=-1).values[there].double()
    truth = target[there].double()
    assert metrics["crps"] == pytest.approx(float(crps(ordered, truth, torch.tensor(LEVELS).double()).mean()), rel=1e-6)
    inside = (ordered[:, 0] <= truth) & (truth <= ordered[:, 2])
    assert metrics["coverage"] == pytest.approx(float(inside.double().mean()))
    assert metrics["mae"] == pytest.approx(float((ordered[:, 1] - truth).abs().mean()), rel=1e-6)


@pytest.mark.parametrize("spec", [forecast("mse"), forecast("mae"), quantiles(), quantiles("mae")], ids=str)
def test_errors_of_samples_have_the_metric_for_their_mean(spec: TaskSpec) -> None:
    prediction, target = samples(4 * len(LEVELS) if isinstance(spec, QuantileForecast) else 4)
    errors = spec.judged_errors(prediction, target)
    assert errors is not None
    metrics, _ = spec.score(prediction, target, detailed=False)
    assert float(errors.mean()) == pytest.approx(metrics[spec.metric], rel=1e-6)
    assert bool(spec.sample_losses(prediction, target).isfinite().all())


def test_a_diverged_prediction_is_no_gap() -> None:
    prediction, target = samples(4)
    prediction[3, 0, 1] = math.nan
    metrics, _ = forecast("mse").score(prediction, target, detailed=False)
    assert math.isnan(metrics["mse"])


def test_nothing_changes_where_everything_was_measured() -> None:
    prediction, target = samples(4)
    target = target.nan_to_num()
    for metric in ("mse", "mae"):
        with_gaps, without = forecast(metric), forecast(metric, gaps=False)
        assert with_gaps.score(prediction, target, True) == without.score(prediction, target, True)
        torch.testing.assert_close(
            with_gaps.sample_losses(prediction, target), without.sample_losses(prediction, target)
        )


def test_examples_show_a_gap_as_none() -> None:
    prediction, target = samples(4, 2)
    example = forecast("mse").examples(torch.zeros(2, 3, 8), prediction, target)
    shown = torch.tensor([[[value is None for value in row] for row in window.truth] for window in example.windows])
    assert torch.equal(shown, target.isnan())
