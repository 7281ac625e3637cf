"""The conflict map and the surrogates' cosines: what they show, up to a hundred tasks."""

from typing import Any

import numpy as np
import pytest

from mtl.report import read
from mtl.report.plot_conflicts import conflicts, surrogates
from mtl.report.read import Results
from mtl.report.style import Missing, Picture, styled
from mtl.results.record import Run
from tests.helpers.records import epoch_json, history, run_json
from tests.helpers.verdicts import method_json, typed, verdicts_json


def results(tasks: list[str], epochs: dict[str, list[dict[str, Any]]]) -> Results:
    """Methods with one seed each, whose histories hold these records of gradients."""
    record = Run.parse(run_json(), "run.json")
    nothing = {"norms": {}, "cosines": {}}
    histories = {name: history(*(epoch_json(gradients=nothing | g) for g in rows)) for name, rows in epochs.items()}
    runs = {name: [read.Run(record, found, None)] for name, found in histories.items()}
    return Results({}, runs, typed(verdicts_json(methods=[method_json(name, tasks) for name in epochs])))


def draw(found: Results) -> Picture:
    with styled():
        picture = conflicts(found)
    assert isinstance(picture, Picture)
    return picture


def test_the_map_holds_every_pairs_mean_and_names_the_worst() -> None:
    tasks = ["a", "b", "c"]
    rows = [{"cosines": {"a|b": -0.4, "a|c": 0.1, "b|c": 0.9}}, {"cosines": {"a|b": -0.6, "a|c": 0.3}}]
    picture = draw(results(tasks, {"joint": rows, "other": [{"cosines": {"a|b": 0.25}}]}))
    assert "joint: b · a −0.50, c · a 0.20, c · b 0.90; other: b · a 0.25" in picture.caption
    for number in ("−0.50", "0.20", "0.90", "0.25"):
        assert picture.svg.count(f">{number}<") == 2  # once on either side of the diagonal
    left, right = picture.svg.split('axes_2"', 1)
    assert (left.count(">b<"), right.count(">b<")) == (2, 1), "rows are named on the left alone"


def test_a_hundred_tasks_are_readable() -> None:
    tasks = [f"task_{k}" for k in range(100)]
    dice = np.random.default_rng(0)
    cosines = {f"{a}|{b}": float(dice.uniform(-1, 1)) for k, a in enumerate(tasks) for b in tasks[k + 1 :]}
    picture = draw(results(tasks, {f"m{k}": [{"cosines": cosines}] for k in range(4)}))
    assert all(picture.svg.count(f">{task}<") >= 2 for task in tasks)
    assert "Shown: 2 of 4 methods." in picture.caption
    assert len(picture.svg) < 1_000_000


@pytest.mark.parametrize("rows", [[], [{}], [{"cosines": {}}], [{"cosines": {"a|c": 0.5}}]])
def test_without_cosines_the_reason_is_said(rows: list[dict[str, Any]]) -> None:
    found = conflicts(results(["a", "b"], {"joint": rows}))
    assert isinstance(found, Missing) and "gradient_probes" in found.reason


def test_surrogates_have_a_line_each_and_no_figure_without() -> None:
    with styled():
        assert surrogates(results(["a", "b"], {"joint": [{"cosines": {"a|b": 0.1}}]})) is None
        found = surrogates(results(["a", "b"], {"joint": [{}], "fast": [{"surrogate": 0.9}, {"surrogate": 0.7}]}))
    assert found is not None and "fast 0.80" in found.caption and "joint" not in found.caption
