"""Pictures of regressions: predicted against true, residuals over the prediction, error by quantile of the target; and
a table of their errors in original units.

Pairs of prediction and truth are those of the first seed, evenly spread over its test samples; errors by quantile are
of all test samples of every seed.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from mtl.config.metrics import METRICS
from mtl.report.each import for_each, measured_by_arm
from mtl.report.read import STL, Results, Run
from mtl.report.select import best_method
from mtl.report.style import (
    MUTED,
    Missing,
    Picture,
    canvas,
    legend_below,
    method_line,
    method_marker,
    picture,
)
from mtl.report.table_of_page import Table
from mtl.report.words import DASH, known, listed, metric_label, value_text
from mtl.results.record import Pairs
from mtl.results.verdicts import JudgedTask

Array = NDArray[np.float64]
TITLE = "Predicted numbers against true ones"
MOST_LINES = 5
"""Models in the panel of errors by quantile; of more, the single-task one and the best method are drawn."""
LISTED = ("rmse", "mae_original", "rrmse", "r2")
"""Metrics of the table, where runs have them."""
MOST_TICKS = 5


def regressions(results: Results, tasks: list[JudgedTask]) -> list[Picture | Missing]:
    """A figure for each regression."""
    return for_each(results, tasks, _regression, "regression", TITLE, "regressions")


def _regression(results: Results, task: JudgedTask) -> Picture | Missing:
    key, title = f"regression_{task.name}", f"{TITLE}: {task.name}"
    runs = measured_by_arm(results, task, _measured)
    if not runs:
        return Missing(key, title, "no run holds pairs of prediction and truth")
    names = [method.name for method in results.verdicts.methods]
    best = best_method(results.verdicts, task)
    pair = [name for name in runs if name in (STL, best)]
    lines = list(runs) if len(runs) <= MOST_LINES else pair
    unit = next(iter(runs.values()))[0].record.detail[task.name].unit
    behind = f", {unit}" if unit else ""
    figure, axes = canvas(10.4, 3.8, 1, 3)
    for name in pair:
        pairs = runs[name][0].record.detail[task.name].points
        assert pairs is not None
        _scatter(axes[0], axes[1], name, names, pairs)
    for name in lines:
        _by_quantile(axes[2], name, names, task.name, runs[name])
    _diagonal(axes[0])
    axes[1].axhline(0, color=MUTED, linestyle=":", linewidth=1.2)
    axes[0].set(title="predicted against true", xlabel=f"true{behind}", ylabel=f"predicted{behind}")
    axes[1].set(title="residuals", xlabel=f"predicted{behind}", ylabel=f"true − predicted{behind}")
    axes[2].set(title="error by quantile of the truth", xlabel=f"true value up to{behind}", ylim=(0, None),
                ylabel=metric_label("rmse", unit))  # fmt: skip
    legend_below(figure, [axes[2]] if set(pair) <= set(lines) else axes)
    seeds = max(len(several) for several in runs.values())
    chosen = f"{listed(pair)}, the single-task model and the method with the best mean"
    fewer = f" Points: {chosen}." if len(pair) < len(lines) else f" Shown: {chosen}." if len(lines) < len(runs) else ""
    return picture(
        figure, key, title,
        f"Test samples of {task.name} in original units. Left and middle: seed {runs[pair[0]][0].seed}; dotted is a "
        "perfect prediction. A cloud flatter than the diagonal, or residuals that rise with the truth, come from "
        "predictions drawn towards the mean. Right: error of each tenth of the samples, ordered by their true value"
        + ", mean and range over seeds" * (seeds > 1)
        + f".{fewer}",
        f"Predictions of {task.name}: {'; '.join(_said(name, runs[name], task.name, unit) for name in lines)}.",
    )  # fmt: skip


def _measured(runs: list[Run], task: str) -> list[Run]:
    """The runs that hold what is drawn."""
    there = [run for run in runs if task in run.record.detail]
    return [
        run
        for run in there
        if run.record.detail[task].points is not None and run.record.detail[task].by_quantile is not None
    ]


def _scatter(fit: Axes, residuals: Axes, name: str, names: list[str], pairs: Pairs) -> None:
    """A model's pairs of prediction and truth."""
    prediction, truth = np.asarray(pairs.prediction), np.asarray(pairs.truth)
    colour = method_line(name, names)["color"]
    marker = "o" if name == STL else method_marker(name, names)
    look = {"s": 11, "color": colour, "marker": marker, "alpha": 0.55, "linewidths": 0}
    fit.scatter(truth, prediction, label=name, **look)
    residuals.scatter(prediction, truth - prediction, **look)


def _diagonal(ax: Axes) -> None:
    """Where a prediction is the truth; both axes show the same range."""
    low = min(ax.get_xlim()[0], ax.get_ylim()[0])
    high = max(ax.get_xlim()[1], ax.get_ylim()[1])
    ax.plot((low, high), (low, high), color=MUTED, linestyle=":", linewidth=1.2)
    ax.set(xlim=(low, high), ylim=(low, high))
    ax.set_aspect("equal", adjustable="box")


def _by_quantile(ax: Axes, name: str, names: list[str], task: str, runs: Sequence[Run]) -> None:
    """A model's error in each part of the samples, which are in the order of their true value."""
    parts = [run.record.detail[task].by_quantile for run in runs]
    tables = [part for part in parts if part is not None and len(part.rmse) == len(parts[0].rmse if parts[0] else [])]
    errors: Array = np.array([table.rmse for table in tables])
    place = np.arange(1, errors.shape[1] + 1)
    line = method_line(name, names)
    ax.plot(place, errors.mean(axis=0), label=name, **line)
    if len(errors) > 1:
        ax.fill_between(place, errors.min(axis=0), errors.max(axis=0), color=line["color"], alpha=0.15, linewidth=0)
    step = -(-len(place) // MOST_TICKS)
    shown = place[::-1][::step][::-1]
    ax.set_xticks(shown, [f"{tables[0].up_to[number - 1]:.3g}".replace("-", "−") for number in shown])


def _said(name: str, runs: list[Run], task: str, unit: str | None) -> str:
    """Mean error of a model, in words."""
    values = [value for run in runs if known(value := run.record.test[task].get("rmse"))]
    return f"{name} {metric_label('rmse', unit)} {value_text('rmse', float(np.mean(values)))}" if values else name


def error_tables(results: Results, tasks: list[JudgedTask]) -> list[Table]:
    """Errors of regressions in the unit of their target, a row a task and model; nothing where no run has them."""
    rows: list[list[str]] = []
    there = {
        metric
        for task in tasks
        for runs in results.task_runs(task.name).values()
        for run in runs
        for metric in run.record.test.get(task.name, {})
    }
    metrics = [metric for metric in LISTED if metric in there]
    for task in tasks:
        for name, runs in results.task_runs(task.name).items():
            detail = runs[0].record.detail.get(task.name)
            unit = (detail.unit if detail is not None else None) or DASH
            values = [[run.record.test.get(task.name, {}).get(metric) for run in runs] for metric in metrics]
            cells = [_mean_and_range(metric, by_seed) for metric, by_seed in zip(metrics, values, strict=True)]
            rows.append([task.name, unit, name, *cells])
    heads = [METRICS[metric].title for metric in metrics]
    caption = (
        "Errors of regressions on the test part, RMSE and MAE in the unit of the target: mean over seeds [smallest, "
        "largest]. Relative RMSE: 1 is a prediction of the training mean. R²: 1 is perfect, 0 the mean of the test part"
    )
    return [Table(caption, ["task", "unit", "model", *heads], rows)] if metrics else []


def _mean_and_range(metric: str, values: Sequence[float | None]) -> str:
    """`12.3 [11.9, 12.8]`; a dash where some seed has no value."""
    there = [value for value in values if known(value)]
    if not there or len(there) < len(values):
        return DASH
    mean = value_text(metric, float(np.mean(there)))
    return mean if len(there) == 1 else f"{mean} [{value_text(metric, min(there))}, {value_text(metric, max(there))}]"
