"""Pictures and the table of regressions: what is drawn is what the runs hold, and what cannot be drawn says why."""

import pytest

from mtl.report import read
from mtl.report.panels import panels_of
from mtl.report.plot_regression import MOST_LINES, error_tables, regressions
from mtl.report.read import STL, Results
from mtl.report.style import Missing, Picture, styled
from mtl.report.words import metric_label
from mtl.results.record import Run
from tests.helpers.records import run_json
from tests.helpers.verdicts import method_json, row_json, summary_json, task_json, typed, verdicts_json

POINTS = {"prediction": [1.0, 2.0, 4.0], "truth": [1.5, 2.0, 3.0]}
TENTHS = {"up_to": [1.5, 3.0], "rmse": [0.5, 1.0]}


def results(methods: int = 2, seeds: int = 2, detail: dict[str, object] | None = None, **test: float) -> Results:
    """One regression, alone and by some methods, of which the first is the best; seed s has an RMSE of 1 + s."""
    names = [f"m{number}" for number in range(methods)]
    rows = [row_json(name, "wear", joint=summary_json(0.5 + number / 100)) for number, name in enumerate(names)]
    task = task_json("wear") | {"kind": "regression", "metric": "mse", "lower_is_better": True, "classes": []}
    verdicts = verdicts_json([task], [method_json(name, ["wear"]) for name in names], rows)
    whole = {"points": POINTS, "by_quantile": TENTHS, "unit": "µm"} if detail is None else detail
    runs = []
    for seed in range(seeds):
        measured = {"mse": 0.5, "mae": 0.5, "rmse": 1.0 + seed, "mae_original": 0.75, "r2": -0.25} | test
        content = run_json("baseline", "wear", seed) | {"detail": {"wear": whole}, "test": {"wear": measured}}
        runs.append(read.Run(Run.parse(content, "run.json"), None, None))
    return Results({("wear", "random"): runs}, dict.fromkeys(names, runs), typed(verdicts))


def drawn(found: Results) -> Picture | Missing:
    with styled():
        (figure,) = regressions(found, found.verdicts.tasks)
    return figure


def test_a_figure_of_a_regression() -> None:
    figure = drawn(results())
    assert isinstance(figure, Picture)
    assert (figure.key, figure.title) == ("regression_wear", "Predicted numbers against true ones: wear")
    assert "range over seeds" in figure.caption and "Points: STL and m0, the single-task model" in figure.caption
    for text in ("predicted, µm", "true − predicted, µm", "RMSE µm", "true value up to, µm", "1.5", STL, "m0", "m1"):
        assert f">{text}</text>" in figure.svg, text
    assert figure.alt == "Predictions of wear: STL RMSE µm 1.500; m0 RMSE µm 1.500; m1 RMSE µm 1.500."


def test_of_many_models_two_are_drawn() -> None:
    figure = drawn(results(methods=MOST_LINES))
    assert isinstance(figure, Picture)
    assert "Shown: STL and m0, the single-task model and the method with the best mean." in figure.caption
    assert ">m1</text>" not in figure.svg


def test_a_single_seed_and_no_unit() -> None:
    figure = drawn(results(seeds=1, detail={"points": POINTS, "by_quantile": TENTHS}))
    assert isinstance(figure, Picture)
    assert "range over seeds" not in figure.caption and ">RMSE original units</text>" in figure.svg


def test_runs_without_points_are_missing() -> None:
    figure = drawn(results(detail={"unit": "µm"}))
    assert isinstance(figure, Missing) and figure.reason == "no run holds pairs of prediction and truth"


def test_errors_in_original_units_are_a_table() -> None:
    found = results()
    (table,) = error_tables(found, found.verdicts.tasks)
    assert table.head == ["task", "unit", "model", "RMSE", "MAE", "R²"]
    assert table.rows[0] == [
        "wear",
        "µm",
        STL,
        "1.500 [1.000, 2.000]",
        "0.750 [0.750, 0.750]",
        "−0.250 [−0.250, −0.250]",
    ]
    assert [row[2] for row in table.rows] == [STL, "m0", "m1"]
    assert error_tables(Results({}, {}, found.verdicts), found.verdicts.tasks) == []


def test_the_panel_is_that_of_regressions_alone() -> None:
    found = results()
    ((panels, tasks),) = panels_of(found.verdicts.tasks)
    assert (panels.key, [task.name for task in tasks]) == ("regressions", ["wear"])


@pytest.mark.parametrize(("unit", "label"), [("µm", "RMSE µm"), (None, "RMSE original units")])
def test_an_error_is_named_with_its_unit(unit: str | None, label: str) -> None:
    assert metric_label("rmse", unit) == label
