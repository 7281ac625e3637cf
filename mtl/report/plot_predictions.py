"""Pictures of predictions: forecasts against truth, error by horizon, confusion matrices."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from mtl.config.losses import central_intervals
from mtl.report.each import for_each
from mtl.report.read import STL, Results, Run
from mtl.report.select import best_method, drawn, not_drawn
from mtl.report.style import (
    INK,
    PAPER,
    SIMPLE_LINE,
    Missing,
    Picture,
    blank_rest,
    canvas,
    legend_below,
    method_line,
    picture,
)
from mtl.report.words import listed, metric_label
from mtl.results.examples import Example, Window
from mtl.results.verdicts import JudgedTask

SHOWN_COLUMNS = 2
MOST_NAMED_CLASSES = 20
BAND = 0.18
"""Opacity of an interval, of which two lie over each other."""


def forecasts(results: Results, tasks: list[JudgedTask]) -> list[Picture | Missing]:
    """A figure for each forecast: the end of the input, the truth and every prediction, original units."""
    return [_forecast(results, task) for task in drawn(results.verdicts, tasks)]


def _forecast(results: Results, task: JudgedTask) -> Picture | Missing:
    key, title = f"forecast_{task.name}", f"Forecasts against truth: {task.name}"
    names = [method.name for method in results.verdicts.methods]
    first = {name: _first_example(runs, task.name) for name, runs in results.task_runs(task.name).items()}
    examples = {name: (seed, example) for name, (seed, example) in first.items() if example is not None}
    if not examples:
        return Missing(key, title, "no example windows were kept: examples.json is absent")
    seed, reference = next(iter(examples.values()))
    windows, columns = reference.windows, reference.columns
    simple = _first_example(results.simple.get(task.name, []), task.name)[1]
    widest = widest_interval(reference)
    banded = [name for name in examples if name in (STL, best_method(results.verdicts, task))]
    rows = min(SHOWN_COLUMNS, len(columns))
    figure, axes = canvas(3.4 * len(windows) + 0.3, 2.2 * rows + 0.5, rows, len(windows))
    for row in range(rows):
        unit = reference.units.get(columns[row])
        for number, window in enumerate(windows):
            ax = axes[row * len(windows) + number]
            past, truth = np.asarray(window.input[row]), np.asarray(window.truth[row], dtype=float)
            tail = past[-2 * len(truth) :]
            ax.plot(np.arange(1 - len(tail), 1), tail, color=INK, linewidth=1.1, alpha=0.55, label="input")
            ahead = np.arange(len(truth) + 1)
            ax.plot(ahead, [past[-1], *truth], color=INK, linewidth=2.2, label="truth")
            for name, (_, example) in examples.items():
                other = example.windows[number] if number < len(example.windows) else None
                if other is None or other.truth != window.truth:
                    continue  # another window, so no fair comparison
                line = method_line(name, names)
                ax.plot(ahead[1:], other.prediction[row], label=name, **{**line, "linewidth": 1.5})
                if name in banded:
                    _band(ax, example, other, row, line["color"])
            beside = None if simple is None or number >= len(simple.windows) else simple.windows[number]
            if beside is not None and beside.truth == window.truth:
                ax.plot(ahead[1:], beside.prediction[row], **SIMPLE_LINE)
            ax.axvline(0, color=INK, linewidth=0.8, linestyle=":")
            ax.set_title(f"window {number + 1}" if row == 0 else "")
            ax.set_ylabel(f"{columns[row]}{f', {unit}' if unit else ''}" if number == 0 else "")
            ax.set_xlabel("rows after the last known one" if row == rows - 1 else "")
            ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    legend_below(figure, axes[:1])
    return picture(
        figure, key, title,
        f"Test windows in original units, seed {seed}: the thin line is the end of the input, the thick one what came "
        "next. Look where methods part from STL, and whether forecasts flatten towards the mean with distance."
        + ("" if widest is None else f" Lines are medians; {listed(banded)} have bands that should hold "
           f"{100 * widest[2]:g} % of what came.")
        + (f" The first {rows} of {len(columns)} columns." if rows < len(columns) else ""),
        f"Input, truth and predictions of {listed(list(examples))} for {len(windows)} test windows of {task.name}.",
    )  # fmt: skip


def _band(ax: Axes, example: Example, window: Window, column: int, colour: str) -> None:
    """Shades the widest interval of a column, if quantiles are predicted."""
    widest = widest_interval(example)
    if widest is None or window.quantiles is None:
        return
    low, high = (window.quantiles[bound][column] for bound in widest[:2])
    steps = np.arange(1, len(low) + 1)
    ax.fill_between(steps, low, high, color=colour, alpha=BAND, linewidth=0)
    for bound in (low, high):
        ax.plot(steps, bound, color=colour, linewidth=0.8, alpha=0.7)


def widest_interval(example: Example) -> tuple[int, int, float] | None:
    """(lower bound, upper bound, share that it should hold) of the widest central interval, the bounds as numbers of
    its levels; None where no quantiles are predicted, or none that span one."""
    return next(iter(central_intervals(example.levels or [])), None)


def _first_example(runs: list[Run], task: str) -> tuple[int, Example | None]:
    """Seed and windows of the first run that kept some; (0, None) when none did."""
    for run in runs:
        example = None if run.examples is None else run.examples.by_task.get(task)
        if example is not None and example.windows:
            return run.seed, example
    return 0, None


def error_by_horizon(results: Results, tasks: list[JudgedTask]) -> Picture | Missing:
    """Test error at every step ahead, in the metric that each forecast is judged by; a panel a forecast."""
    key, title, verdicts = "horizon", "Error by horizon", results.verdicts
    names = [method.name for method in verdicts.methods]
    panels = []
    for task in tasks:
        curves = {name: _by_horizon(runs, task) for name, runs in results.task_runs(task.name).items()}
        panels.append((task, {name: values for name, values in curves.items() if values.size}))
    panels = [(task, curves) for task, curves in panels if curves]
    if not panels:
        return Missing(key, title, "no forecast with an error for each step was found")
    there = len(panels)
    kept = [task.name for task in drawn(verdicts, [task for task, _ in panels])]
    panels = [(task, curves) for task, curves in panels if task.name in kept]
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure, axes = canvas(3.7 * columns + 0.3, 2.5 * rows + 0.4, rows, columns)
    for ax, (task, curves) in zip(axes, panels, strict=False):
        for name, values in curves.items():
            steps = np.arange(1, values.shape[1] + 1)
            line = method_line(name, names)
            ax.plot(steps, values.mean(axis=0), label=name, **line)
            if len(values) > 1:
                ax.fill_between(
                    steps, values.min(axis=0), values.max(axis=0), color=line["color"], alpha=0.15, linewidth=0
                )
        simple = _by_horizon(results.simple.get(task.name, []), task)
        if simple.size:
            ax.plot(np.arange(1, simple.shape[1] + 1), simple.mean(axis=0), **SIMPLE_LINE)
        ax.set_title(task.name)
        ax.set_xlabel("rows ahead")
        ax.set_ylabel(f"test {metric_label(task.metric)}")
        ax.set_ylim(bottom=0)
    blank_rest(axes, len(panels))
    legend_below(figure, axes)
    return picture(
        figure, key, title,
        "Test error at each step ahead, mean and range over seeds. A change that sits in the first steps and one that "
        "grows with distance are different stories." + not_drawn(len(panels), there),
        f"Test error by step ahead of STL and {listed(names)} for {listed([task.name for task, _ in panels])}.",
    )  # fmt: skip


def _by_horizon(runs: list[Run], task: JudgedTask) -> NDArray[np.float64]:
    """[seeds, H]"""
    details = [run.record.detail[task.name] for run in runs if task.name in run.record.detail]
    rows = [detail.row(f"{task.metric}_by_horizon") for detail in details]
    return np.asarray([row for row in rows if row], dtype=float)


def confusions(results: Results, tasks: list[JudgedTask]) -> list[Picture | Missing]:
    """A figure for each label: STL beside the method with the best mean."""
    return for_each(results, tasks, _confusion, "confusion", "Confusion", "label tasks")


def _confusion(results: Results, task: JudgedTask) -> Picture | Missing:
    key, title = f"confusion_{task.name}", f"Confusion: {task.name}"
    runs = results.task_runs(task.name)
    best = best_method(results.verdicts, task)
    counts: dict[str, NDArray[np.float64]] = {}
    for name in (STL, best):
        confusion = _counts(runs.get(name, []), task.name) if name else None
        if name and confusion is not None:
            counts[name] = confusion
    if not counts:
        return Missing(key, title, "no confusion matrix was recorded")
    classes = _classes(runs, task.name)
    size = min(3.0, 1.5 + 0.32 * len(classes))
    figure, axes = canvas(size * 2 + 1.2, size + 0.8, 1, len(counts), sharey=True)
    for ax, (name, matrix) in zip(axes, counts.items(), strict=True):
        _matrix(ax, matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1), classes)
        ax.set_title(name)
    axes[0].set_ylabel("true class")
    rows = {name: matrix.diagonal() / np.maximum(matrix.sum(axis=1), 1) for name, matrix in counts.items()}
    texts = [f"{name}: " + ", ".join(f"{c} {100 * v:.0f} %" for c, v in zip(classes, shares, strict=True))
             for name, shares in rows.items()]  # fmt: skip
    return picture(
        figure, key, title,
        "Share of each true class (row) that is given each name, percent, all seeds together: STL beside the method "
        "with the best mean. Compare the diagonals.",
        f"Confusion matrices of {task.name}; share recognised of each class: {'; '.join(texts)}.",
    )  # fmt: skip


def _counts(runs: list[Run], task: str) -> NDArray[np.float64] | None:
    details = [run.record.detail[task] for run in runs if task in run.record.detail]
    matrices = [detail.confusion for detail in details if detail.confusion]
    return np.sum(np.asarray(matrices, dtype=float), axis=0) if matrices else None


def _classes(runs: dict[str, list[Run]], task: str) -> list[str]:
    details = [run.record.detail[task] for several in runs.values() for run in several if task in run.record.detail]
    return next(detail.classes for detail in details if detail.classes)


def _matrix(ax: Axes, shares: NDArray[np.float64], classes: list[str]) -> None:
    count = len(classes)
    ax.pcolormesh(shares, cmap="Blues", vmin=0, vmax=1, edgecolors=PAPER, linewidth=0.8)
    ax.set_ylim(count, 0)
    ax.grid(visible=False)
    if count <= MOST_NAMED_CLASSES:
        names = [name if len(name) <= 14 else name[:13] + "…" for name in classes]
        turned = max(len(name) for name in names) * count > 24
        ax.set_xticks(np.arange(count) + 0.5, names, rotation=40 if turned else 0, ha="right" if turned else "center")
        ax.set_yticks(np.arange(count) + 0.5, names)
        ax.tick_params(length=0)
        for row, column in np.ndindex(*shares.shape):
            colour = "#ffffff" if shares[row, column] > 0.55 else "#0b1f33"
            ax.text(column + 0.5, row + 0.5, f"{100 * shares[row, column]:.0f}", ha="center", va="center", color=colour,
                    fontsize=9 if count <= 6 else 7)  # fmt: skip
    ax.set_xlabel("predicted class")
    ax.spines[:].set_visible(False)
