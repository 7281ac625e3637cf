"""Numbers as readers see them: known answers."""

import pytest

from mtl.report.words import (
    change_text,
    interval_text,
    listed,
    metric_label,
    share_text,
    signed,
    value_text,
    verdict_class,
    verdict_text,
)
from mtl.results.statistics import Statistic
from tests.helpers.verdicts import interval_json, row_json, typed, verdicts_json


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("accuracy", 0.9314, "93.1"), ("mse", 0.41249, "0.412"), ("mse", 12.345, "12.3"), ("mse", 0.00012, "1.2e-04"),
        ("mse", 1, "1.000"), ("macro_f1", 0, "0.0"), ("mse", None, "–"), ("mse", float("nan"), "–"),
    ],
)  # fmt: skip
def test_values(metric: str, value: float | None, text: str) -> None:
    assert value_text(metric, value) == text


@pytest.mark.parametrize(("value", "text"), [(1.26, "+1.3"), (-0.04, "0.0"), (-2.0, "−2.0"), (0, "0.0"), (None, "–")])
def test_signs(value: float | None, text: str) -> None:
    assert signed(value) == text


def test_statistics() -> None:
    assert change_text(Statistic(mean=1.7, low=0.9, high=2.5)) == "+1.7 [+0.9, +2.5]"
    assert change_text(Statistic(mean=1.7, low=None, high=None)) == "+1.7 –"
    assert change_text(None) == interval_text(None) == share_text(None) == "–"
    assert share_text(Statistic(mean=0.214, low=None, high=None)) == "21 %"
    assert share_text(Statistic(mean=-0.4, low=None, high=None)) == "−40 %"
    assert share_text(Statistic(mean=-42.93, low=-50, high=-40)) == "< −100 %"
    assert share_text(Statistic(mean=1.2, low=None, high=None)) == "> 100 %"


def test_names() -> None:
    assert metric_label("mse") == "MSE z-scored"
    assert metric_label("mae_original", "°C") == "MAE °C"
    assert metric_label("balanced_accuracy") == "balanced accuracy %"
    assert metric_label("loss") == "loss" and metric_label("combined_score") == "combined score"
    assert metric_label("rmse") == "RMSE original units" and metric_label("rmse", "kW") == "RMSE kW"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed([]) == ""


@pytest.mark.parametrize(
    ("low", "high", "verdict", "said"),
    [
        (1.0, 2.0, "HELPED", "HELPED"),
        (1.0, 2.0, "no difference shown", "gain, unsure"),
        (-2.0, -1.0, "no difference shown", "loss, unsure"),
        (-1.0, 1.0, "no difference shown", "no difference shown"),
        (None, None, "undecided (3 seeds)", "undecided (3 seeds)"),
    ],
)
def test_a_verdict_never_seems_to_contradict_its_interval(
    low: float | None, high: float | None, verdict: str, said: str
) -> None:
    row = row_json("joint", "fault", verdict=verdict, change=interval_json(0.0, low, high))
    assert verdict_text(typed(verdicts_json(rows=[row])).rows[0]) == said


@pytest.mark.parametrize(
    ("verdict", "kind"),
    [("HELPED", "helped"), ("HURT", "hurt"), ("no difference shown", "none"), ("undecided (3 seeds)", "undecided")],
)
def test_kinds_of_verdict(verdict: str, kind: str) -> None:
    assert verdict_class(verdict) == kind
