"""Figures by their numbers: what a point, a bar or an axis stands for."""

from pathlib import Path

import numpy as np
import pytest

from mtl.config.tune import Choice
from mtl.report import read
from mtl.report.plot_predictions import _matrix
from mtl.report.plot_study import _scaled
from mtl.report.plot_verdicts import _mean
from mtl.report.style import canvas
from mtl.report.words import Json
from mtl.results.record import Run
from tests.helpers.records import run_json
from tests.helpers.verdicts import task_json, typed, verdicts_json


def test_a_point_is_the_mean_over_seeds_that_recorded_the_metric() -> None:
    contents = [run_json("baseline", "fault", seed) | {"test": {"fault": found}}
                for seed, found in enumerate(({"accuracy": 0.5}, {"accuracy": 0.75}, {"loss": 0.3}))]  # fmt: skip
    runs = [read.Run(Run.parse(content, "run.json"), None, None) for content in contents]
    (task,) = typed(verdicts_json([task_json("fault")])).tasks
    assert _mean(runs, "test", task) == pytest.approx(62.5)
    assert np.isnan(_mean(runs[2:], "test", task))


def test_choices_stand_at_equal_distances_from_the_foot_to_the_top_of_their_axis() -> None:
    options = Choice(kind="choice", values=["low", None, "high"])
    label, heights, ticks = _scaled("sampler", ["high", "low", None], options)
    assert (label, heights) == ("sampler", [1.0, 0.0, 0.5])
    assert ticks == [(0.0, "low"), (0.5, "null"), (1.0, "high")]


def test_names_of_classes_are_cut_where_they_are_longer_than_14_letters() -> None:
    _, (ax,) = canvas(3.0, 3.0)
    _matrix(ax, np.eye(2), ["a" * 14, "b" * 15])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a" * 14, "b" * 13 + "…"]


def test_all_single_task_models_are_called_so(reported: tuple[Path, Json]) -> None:
    page = (reported[0] / "report/report.html").read_text(encoding="utf-8")
    assert ">STL, all models</text>" in page
