"""Numbers as readers see them: known answers."""

import pytest

from mtl.report.words import (
    change_text,
    half_text,
    interval_text,
    listed,
    margin_text,
    metric_label,
    share_text,
    signed,
    tally,
    value_text,
    verdict_class,
    verdict_text,
)
from mtl.results.statistics import Statistic
from mtl.results.verdicts import Row
from tests.helpers.verdicts import Json, row_json, typed, verdict_json, verdicts_json


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
    wide = Statistic(mean=-2.7, low=-3e40, high=3e40)  # on test data that tell next to nothing
    assert interval_text(wide) == "[< −1e6, > 1e6]" and half_text(wide) == "> 1e6"
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


def rows(*verdicts: Json) -> list[Row]:
    return typed(verdicts_json(rows=[row_json("joint", "fault", verdict=verdict) for verdict in verdicts])).rows


LITTLE = verdict_json("HURT", matters=False)


@pytest.mark.parametrize(
    ("verdict", "wide", "narrow", "kind"),
    [
        (verdict_json("HELPED"), "HELPED", "HELPED", "helped"),
        (verdict_json("HURT"), "HURT", "HURT", "hurt"),
        (LITTLE, "HURT, too little to matter", "HURT, little", "level"),
        (verdict_json("LEVEL"), "LEVEL", "LEVEL", "level"),
        (verdict_json(open="seeds", seeds_needed=24), "not known: 24 seeds", "not known", "unknown"),
        (verdict_json(), "not known: too few seeds", "not known", "unknown"),
    ],
)
def test_a_verdict_with_and_without_room(verdict: Json, wide: str, narrow: str, kind: str) -> None:
    (row,) = rows(verdict)
    assert (verdict_text(row), verdict_text(row, narrow=True)) == (wide, narrow)
    assert verdict_class(row.verdict) == kind


def test_tally_counts_in_words() -> None:
    helped, hurt, level, unknown = (verdict_json(word) for word in ("HELPED", "HURT", "LEVEL", "not known"))
    assert tally(rows(helped, hurt, hurt, unknown)) == "1 helped, 2 hurt and 1 is not known"
    assert tally(rows(unknown)) == "0 helped, 0 hurt and 1 is not known"
    assert tally(rows(hurt, level, level)) == "0 helped, 1 hurt and 2 are level"
    assert tally(rows(level, LITTLE)) == "0 helped, 0 hurt and 2 are level or too little to matter"


def test_the_margin_in_words() -> None:
    own = {"fault": 0.02, "near": 0.1}
    for margin, said in ((0.01, "±1 %"), (0.005, "±0.5 %"), (own, "±1 % (fault ±2 % and near ±10 %)")):
        assert margin_text(typed(verdicts_json(margin=margin))) == said
