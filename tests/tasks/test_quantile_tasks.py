"""Tasks of quantiles and of absolute or Huber errors: numbers that are known, and what a reader is shown."""

import math
from typing import Any

import pytest
import torch
from scipy import integrate, stats

from mtl.config import parse_config
from mtl.config.losses import ErrorLoss, QuantileLoss
from mtl.config.tasks import ForecastTask, RegressionTask
from mtl.errors import ConfigError
from mtl.tasks.error_losses import guess_of
from mtl.tasks.every import kind_of
from mtl.tasks.forecast import Forecast
from mtl.tasks.quantile_forecast import QuantileForecast
from mtl.tasks.quantile_regression import QuantileRegression
from mtl.tasks.quantile_scores import normal_crps
from tests.helpers.specs import a_task

LEVELS = (0.1, 0.5, 0.9)
COMMON: dict[str, Any] = {"name": "t", "source": "s", "shape": (2, 8), "columns": ["a", "b"], "levels": LEVELS}
FORECAST = QuantileForecast(**COMMON, targets=[0, 1], horizon=2, mean=(10.0, 0.0), std=(2.0, 1.0))
NUMBER = QuantileRegression(**COMMON, target="y", mean=10.0, std=2.0)


def test_the_loss_chooses_the_kind() -> None:
    quantiles = QuantileLoss(quantiles=LEVELS)
    forecast = {"kind": "forecast", "source": "s", "input_len": 8, "horizon": 2}
    assert kind_of(ForecastTask.model_validate(forecast)) is Forecast
    assert kind_of(ForecastTask.model_validate(forecast | {"loss": quantiles})) is QuantileForecast
    number = RegressionTask.model_validate({"kind": "regression", "source": "s", "loss": {"quantiles": list(LEVELS)}})
    assert kind_of(number) is QuantileRegression
    assert number.primary_metric == "crps" and number.lower_is_better


def test_a_default_loss_leaves_no_trace_in_what_is_derived_from_the_settings() -> None:
    forecast = {"kind": "forecast", "source": "s", "horizon": 2}
    assert "loss" not in ForecastTask.model_validate(forecast | {"loss": "mse"}).model_dump(mode="json")
    given = ForecastTask.model_validate(forecast | {"loss": {"quantiles": [0.5]}})
    assert ForecastTask.model_validate(given.model_dump(mode="json")) == given


@pytest.mark.parametrize("kind", ["forecast", "regression"])
@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ("mes", "should be mse, mae, huber or, for quantiles, {quantiles: [0.1, 0.5, 0.9]}, found 'mes'"),
        ("quantiles", "should be mse, mae, huber or, for quantiles"),
        ({"quantile": [0.5]}, "should be mse, mae, huber or, for quantiles"),
        ({"quantiles": []}, "should list the levels"),
        ({"quantiles": ["low", 0.5]}, "should list the levels"),
        ({"quantiles": [True, 0.5]}, "should list the levels"),
        ({"quantiles": [0.9, 0.5, 0.1]}, "should have levels that ascend strictly between 0 and 1"),
        ({"quantiles": [0.5, 0.5]}, "should have levels that ascend strictly between 0 and 1"),
        ({"quantiles": [0, 0.5]}, "should have levels that ascend strictly between 0 and 1"),
        ({"quantiles": [0.5, 1.0]}, "should have levels that ascend strictly between 0 and 1"),
        ({"quantiles": [0.1, float("nan"), 0.5]}, "should have levels that ascend strictly between 0 and 1"),
        ({"quantiles": [0.1, 0.9]}, "should have the level 0.5 too"),
    ],
)
def test_a_wrong_loss_is_told_in_one_message(kind: str, loss: object, message: str) -> None:
    task: dict[str, Any] = {"kind": kind, "source": "s", "loss": loss}
    task |= {"input_len": 8, "horizon": 2} if kind == "forecast" else {"target": "y"}
    sources = {"s": {"kind": "series", "path": "data/raw/s.csv"}}
    with pytest.raises(ConfigError) as refused:
        parse_config({"prepare": {"sources": sources}, "tasks": {"t": task}})
    text = str(refused.value)
    assert "`tasks.t.loss`: should" in text and message in text and "\n" not in text


def test_a_score_of_quantiles_needs_quantiles() -> None:
    with pytest.raises(ValueError, match=r"crps.*measures quantiles"):
        RegressionTask.model_validate({"kind": "regression", "source": "s", "metric": "crps"})


def _huber(z: float) -> float:
    return z * z / 2 if abs(z) < 1 else abs(z) - 0.5


@pytest.mark.parametrize(("loss", "error"), [("mse", lambda z: z * z), ("mae", abs), ("huber", _huber)])
def test_guesses_are_the_losses_of_the_mean_of_normal_values(loss: ErrorLoss, error: Any) -> None:
    parts = [integrate.quad(lambda z: error(z) * stats.norm.pdf(z), *ends)[0] for ends in ((0, 1), (1, 12))]
    assert guess_of(loss) == pytest.approx(2 * sum(parts), abs=1e-8)


def test_the_guess_of_quantiles_is_their_loss_without_input() -> None:
    assert normal_crps([0.5]) == pytest.approx(math.sqrt(2 / math.pi))  # the absolute error of the median
    dense = torch.from_numpy(stats.norm.ppf((torch.arange(200_001, dtype=torch.float64) + 0.5).numpy() / 200_001))
    target = dense.float()[:, None, None].expand(-1, 2, 2)
    for spec, truth in ((NUMBER, dense.float()), (FORECAST, target)):
        loss = spec.criterion([spec])(spec.blind(dense.float(), len(truth)), truth)
        assert loss.item() == pytest.approx(spec.guess, abs=1e-3)


def test_a_constant_learns_the_quantiles_of_its_targets() -> None:
    target = torch.randn(999, generator=torch.Generator().manual_seed(0)).exp()
    best = NUMBER.blind(target, 1)
    torch.testing.assert_close(best[0], target.quantile(torch.tensor(LEVELS)))
    criterion = NUMBER.criterion([NUMBER])
    least = criterion(best.expand(999, -1), target)
    for number in range(3):
        for step in (-0.05, 0.05):
            other = best.clone()
            other[0, number] += step
            assert criterion(other.expand(999, -1), target) > least


@pytest.mark.parametrize(("loss", "expected"), [("mse", (0.25 + 4 + 9) / 3), ("mae", 5.5 / 3),
                                                ("huber", (0.125 + 1.5 + 2.5) / 3)])  # fmt: skip
def test_errors_of_a_forecast_by_hand(loss: str, expected: float) -> None:
    spec = a_task("forecast", name="f", source="s", shape=(1, 4), columns=["a"], targets=[0], horizon=3, loss=loss)
    prediction, target = torch.zeros(1, 1, 3), torch.tensor([[[0.5, -2.0, 3.0]]])
    assert spec.criterion([spec])(prediction, target).item() == pytest.approx(expected)
    assert spec.sample_losses(prediction, target).tolist() == pytest.approx([expected])
    assert spec.score(prediction, target, False)[0].keys() >= {spec.metric, spec.loss_metric}


def test_the_loss_of_quantiles_by_hand() -> None:
    # y = 1: the level 0.1 at 0 costs 0.1 · 1, the median at 0.5 0.5 · 0.5, the level 0.9 at 3 (1 − 0.9) · 2.
    prediction, expected = torch.tensor([[0.0, 0.5, 3.0]]), 2 * (0.1 + 0.25 + 0.2) / 3
    assert NUMBER.criterion([NUMBER])(prediction, torch.ones(1)).item() == pytest.approx(expected)
    metrics, detail = NUMBER.score(prediction, torch.ones(1), True)
    assert metrics["crps"] == pytest.approx(expected)
    assert metrics["mse"] == pytest.approx(0.25) and metrics["rmse"] == pytest.approx(1.0)
    assert metrics["coverage"] == 1 and detail["intervals"] == {"share": [0.8], "coverage": [1.0], "width": [3.0]}


def test_quantiles_that_cross_are_put_in_order_wherever_they_are_read() -> None:
    crossed, ordered = torch.tensor([[2.0, 0.0, 1.0]]), torch.tensor([[0.0, 1.0, 2.0]])
    target = torch.tensor([1.0])
    assert NUMBER.score(crossed, target, True) == NUMBER.score(ordered, target, True)
    assert torch.equal(NUMBER.sample_losses(crossed, target), NUMBER.sample_losses(ordered, target))
    assert NUMBER.errors(crossed, target).tolist() == [[0.0]]
    assert {name: value.tolist() for name, value in NUMBER.present(crossed).items()} == {
        "y": [12.0], "y, quantile 0.1": [10.0], "y, quantile 0.9": [14.0]
    }  # fmt: skip
    assert NUMBER.combine([crossed, ordered + 1], [0.5, 0.5]).tolist() == [[0.5, 1.5, 2.5]]


def test_a_forecast_of_quantiles_lays_them_side_by_side_for_each_row() -> None:
    prediction = torch.tensor([[[1.0, 0, 2, 10, 11, 12], [0.0, 0, 0, 0, 0, 0]]])  # one sample, two channels, two rows
    target = torch.tensor([[[1.0, 13.0], [0.0, 0.0]]])
    assert FORECAST.quantiles(prediction)[0, 0].tolist() == [[0, 1, 2], [10, 11, 12]]
    metrics, detail = FORECAST.score(prediction, target, True)
    assert metrics["mse"] == pytest.approx((2.0**2) / 4) and FORECAST.errors(prediction, target).tolist() == [[1.0]]
    assert metrics["coverage"] == pytest.approx(3 / 4)
    assert detail["intervals"]["width"] == pytest.approx([1.0])
    loss = FORECAST.sample_losses(prediction, target)
    assert metrics["crps"] == pytest.approx(loss.item()) and detail["crps_by_horizon"][0] < detail["crps_by_horizon"][1]
    shown = FORECAST.examples(torch.zeros(1, 2, 8), prediction, target)
    assert shown.levels == [0.1, 0.5, 0.9] and shown.windows[0].quantiles is not None
    assert [quantile[0] for quantile in shown.windows[0].quantiles] == [[10, 30], [12, 32], [14, 34]]
    assert shown.windows[0].prediction[0] == [12, 32]
    columns = FORECAST.present(prediction)
    assert list(columns) == ["a", "b", "a, quantile 0.1", "b, quantile 0.1", "a, quantile 0.9", "b, quantile 0.9"]
    assert columns["a"].tolist() == [[12, 32]]
