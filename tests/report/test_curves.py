"""Curves of binary labels: what is drawn is what the counts say, and what cannot be drawn says why."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn import metrics as sk

from mtl.report import read
from mtl.report.plot_curves import GRID, MOST_MODELS, Points, thresholds
from mtl.report.read import STL, Results
from mtl.report.scores import label_tables
from mtl.report.style import Missing, Picture, styled
from mtl.results.record import Run
from mtl.results.verdicts import Verdicts
from mtl.tasks.ranking import operating_points, rank
from tests.helpers.records import run_json
from tests.helpers.verdicts import method_json, row_json, summary_json, task_json, typed, verdicts_json


def points(scores: list[float], positive: list[bool]) -> Points:
    found = operating_points(rank(torch.tensor(scores), torch.tensor(positive)))
    true, false = (np.asarray(found[key], dtype=float) for key in ("true_positives", "false_positives"))
    assert isinstance(found["positives"], int) and isinstance(found["negatives"], int)
    return Points(true, false, found["positives"], found["negatives"])


def test_curves_by_hand() -> None:
    """From the highest score down: positive, negative, positive, negative."""
    drawn = points([4.0, 3.0, 2.0, 1.0], [True, False, True, False])
    rate = dict(zip(GRID.round(2), drawn.true_rate(), strict=True))
    assert (rate[0.0], rate[0.25], rate[0.49], rate[0.5], rate[1.0]) == pytest.approx((0.5, 0.5, 0.5, 1, 1))
    precision = dict(zip(GRID.round(2), drawn.precision(), strict=True))
    assert (precision[0.0], precision[0.5], precision[0.51], precision[1.0]) == pytest.approx((1, 1, 2 / 3, 2 / 3))


def test_tied_scores_are_a_straight_line() -> None:
    np.testing.assert_allclose(points([0.0] * 4, [True, False, False, False]).true_rate(), GRID)
    np.testing.assert_allclose(points([0.0] * 4, [True, False, False, False]).precision(), 0.25)


def test_areas_under_the_drawn_curves_are_the_metrics() -> None:
    draw = np.random.default_rng(0)
    positive = draw.random(3000) < 0.3
    scores = draw.standard_normal(3000) + positive
    drawn = points(scores.tolist(), positive.tolist())
    assert np.trapezoid(drawn.true_rate(), GRID) == pytest.approx(sk.roc_auc_score(positive, scores), abs=0.005)
    assert np.mean(drawn.precision()) == pytest.approx(sk.average_precision_score(positive, scores), abs=0.01)


def results(methods: int = 2, seeds: int = 2, positive: int | None = None, **detail: object) -> Results:
    """One binary task, alone and by some methods, of which the last is the best."""
    names = [f"m{number}" for number in range(methods)]
    rows = [row_json(name, "fault", joint=summary_json(0.5 + number / 100)) for number, name in enumerate(names)]
    verdicts = verdicts_json([task_json("fault")], [method_json(name, ["fault"]) for name in names], rows)
    labels = torch.arange(40) % 2 == 0 if positive is None else torch.full((40,), bool(positive))
    points = operating_points(rank(torch.sin(torch.arange(40.0)), labels))
    reliability = {"bin": [2, 9], "probability": [0.2, 0.6], "positive": [0.3, 0.7], "samples": [25, 15]}
    whole = {"operating_points": points, "reliability": reliability} | detail
    measured = {"detail": {"fault": whole}, "test": {"fault": {"auc": 0.75, "ece": 0.1}}}
    contents = [run_json("baseline", "fault", seed) | measured for seed in range(seeds)]
    runs = [read.Run(Run.parse(content, "run.json"), None, None) for content in contents]
    return Results({("fault", "random"): runs}, dict.fromkeys(names, runs), typed(verdicts))


def dotted(figure: Picture) -> list[int]:
    """Dotted grey lines of each pair of axes."""
    return [
        sum("stroke-dasharray" in path and "stroke: var(--muted)" in path for path in part.split("<path")[1:])
        for part in re.split(r'id="[\w-]*axes_\d', figure.svg)[1:]
    ]


def drawn(found: Results) -> list[Picture | Missing]:
    with styled():
        return thresholds(found, found.verdicts.tasks)


def test_a_figure_of_a_binary_task() -> None:
    (figure,) = drawn(results())
    assert isinstance(figure, Picture)
    assert (figure.key, figure.title) == ("thresholds_fault", "Thresholds and calibration: fault")
    assert "range over seeds" in figure.caption
    assert dotted(figure) == [1, 1, 1], "each panel shows what scores that say nothing would reach"
    for name in (STL, "m0", "m1"):
        assert f">{name}</text>" in figure.svg
        assert f"{name} AUC 75.0 % and calibration error 10.0 %" in figure.alt
    (single,) = drawn(results(seeds=1))
    assert isinstance(single, Picture) and "seeds" not in single.caption


def test_of_many_methods_the_best_is_drawn() -> None:
    (figure,) = drawn(results(methods=MOST_MODELS))
    assert isinstance(figure, Picture)
    assert "m4" in figure.alt and "m3" not in figure.alt
    assert "STL and the method with the best mean" in figure.caption


def test_what_is_not_there_says_why() -> None:
    (one_class,) = drawn(results(positive=0))
    assert isinstance(one_class, Missing) and one_class.reason == "all 40 test samples are negative"
    (none,) = drawn(results(operating_points=None))
    assert isinstance(none, Missing) and none.reason == "no run holds counts at every threshold"


def test_tables_of_labels_hold_shares_in_percent_and_dashes() -> None:
    verdicts: Verdicts = results(methods=1).verdicts
    content = json.loads(json.dumps(verdicts.plain()))
    content["tasks"] = [task_json("fault"), task_json("wear"), task_json("load", kind="classification")]
    fault = {name: summary_json(value) for name, value in (("accuracy", 0.5), ("auc", 0.75), ("log_loss", 0.6931))}
    load = {name: summary_json(value) for name, value in (("accuracy", 0.25), ("macro_auc", 0.5))}
    wear = {"accuracy": summary_json(0.75), "auc": summary_json(0.5)}  # In some seed without a log-loss.
    scores = {"fault": fault, "wear": wear, "load": load}
    content["labels"]["entries"] = [{"method": None, "start": "random", "tasks": scores}]
    classes, binary, several = label_tables(typed(content))
    assert classes.head == ["task", "model", "accuracy, %"]
    assert classes.rows == [["fault", STL, "50.00"], ["wear", STL, "75.00"], ["load", STL, "25.00"]]
    assert binary.head == ["task", "model", "log-loss", "AUC, %"]
    assert binary.rows == [["fault", STL, "0.693", "75.00"], ["wear", STL, "–", "50.00"]]
    assert binary.caption == "Probabilities of binary tasks on the test part: mean over seeds [95 % interval]"
    assert several.head == ["task", "model", "macro AUC, %"] and several.rows == [["load", STL, "50.00"]]
    assert label_tables(typed(verdicts_json([task_json("fault")]))) == []


def test_the_report_shows_them(reported: tuple[Path, object]) -> None:
    root, _ = reported
    page = (root / "report" / "report.html").read_text(encoding="utf-8")
    assert page.count('id="figure-thresholds_') == 2, "of fault and coin; load_state has three classes"
    assert (root / "report" / "figures" / "thresholds_fault.png").stat().st_size > 10_000
