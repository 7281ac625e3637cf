"""Pictures of training: learning curves, λ and learned weights, gradients."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from mtl.report.read import Results, Run
from mtl.report.select import MOST_PANELS, drawn, not_drawn
from mtl.report.style import (
    MUTED,
    SIMPLE_LINE,
    TASK_COLOURS,
    Missing,
    Picture,
    blank_rest,
    canvas,
    legend_below,
    log_ticks,
    method_line,
    picture,
)
from mtl.report.words import in_shown_unit, known, listed, metric_label
from mtl.results.history import Epoch
from mtl.results.pair_arrays import as_matrix

BOLD_PAIRS = 3
"""Pairs of tasks whose cosine is named in the legend; the others are thin lines."""
MOST_PAIRS = 66
"""Pairs of which each gets a line; of more, a band from the lowest to the highest tenth."""
ENDS = 3
"""Tasks that are named at either end where there are many."""


def learning_curves(results: Results) -> Picture | Missing:
    """Validation metric over epochs, a panel a task; mean and range over seeds."""
    key, title, verdicts = "learning_curves", "Learning curves", results.verdicts
    names = [method.name for method in verdicts.methods]
    panels = []
    for task in verdicts.tasks:
        curves = {name: _curves(runs, task.name, task.metric) for name, runs in results.task_runs(task.name).items()}
        panels.append((task, {name: values for name, values in curves.items() if values.size}))
    panels = [(task, curves) for task, curves in panels if curves]
    if not panels:
        return Missing(key, title, "no history.json of a configured run holds validation metrics")
    there = len(panels)
    kept = [task.name for task in drawn(verdicts, [task for task, _ in panels])]
    panels = [(task, curves) for task, curves in panels if task.name in kept]
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure, axes = canvas(3.3 * columns + 0.3, 2.35 * rows + 0.5, rows, columns)
    for ax, (task, curves) in zip(axes, panels, strict=False):
        for name, values in curves.items():
            epochs = np.arange(1, values.shape[1] + 1)
            line = method_line(name, names)
            mean = _over_seeds(values, "mean")
            marker = "o" if np.isfinite(mean).sum() == 1 else None  # One epoch makes no line.
            ax.plot(epochs, mean, label=name, marker=marker, markersize=4, **line)
            if len(values) > 1:
                ax.fill_between(epochs, _over_seeds(values, "min"), _over_seeds(values, "max"), color=line["color"],
                                alpha=0.15, linewidth=0)  # fmt: skip
        simple = results.simple_value(task, "val")
        if simple is not None:
            ax.axhline(in_shown_unit(task.metric, simple), **SIMPLE_LINE)
        if known(task.optimum):
            ax.axhline(in_shown_unit(task.metric, task.optimum), color=MUTED, linestyle=":", linewidth=1.2,
                       label="optimum")  # fmt: skip
        ax.set_title(task.name)
        ax.set_ylabel(f"validation {metric_label(task.metric, task.unit)}")
        _epochs_axis(ax)
    blank_rest(axes, len(panels))
    legend_below(figure, axes)
    return picture(
        figure, key, title,
        "Validation metric, mean over seeds with the range from the lowest to the highest; a curve ends where fewer "
        "than half of the seeds still train. A task that a method learns later, or not as far, is held back by others."
        + not_drawn(len(panels), there),
        f"Validation curves of STL and {listed(names)} for {listed([task.name for task, _ in panels])}.",
    )  # fmt: skip


def _curves(runs: list[Run], task: str, metric: str) -> NDArray[np.float64]:
    """[seeds, epochs] in the shown unit, NaN after a seed's end, cut where fewer than half of the seeds are left."""
    rows = []
    for run in runs:
        values = [epoch.val.get(task, {}).get(metric) for epoch in run.epochs]
        rows.append([in_shown_unit(metric, value) if known(value) else np.nan for value in values])
    return _cut(_stack(rows))


def _stack(rows: list[list[float]]) -> NDArray[np.float64]:
    """Rows of different lengths as one array, filled with NaN."""
    stacked = np.full((len(rows), max((len(row) for row in rows), default=0)), np.nan)
    for number, row in enumerate(rows):
        stacked[number, : len(row)] = row
    return stacked


def _cut(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Columns up to the last at which half of the rows have a number."""
    there = np.isfinite(values).sum(axis=0)
    enough = np.flatnonzero((there > 0) & (2 * there >= len(values)))
    return values[:, : enough[-1] + 1] if enough.size else values[:, :0]


def _over_seeds(values: NDArray[np.float64], what: Literal["mean", "min", "max"]) -> NDArray[np.float64]:
    """[epochs] from [seeds, epochs]; NaN where no seed has a number (a task that its phase does not train)."""
    known_values = np.ma.masked_invalid(values)
    match what:
        case "mean":
            values = known_values.mean(axis=0)
        case "min":
            values = known_values.min(axis=0)
        case "max":
            values = known_values.max(axis=0)
    return np.ma.filled(values, np.nan)


def _epochs_axis(ax: Axes) -> None:
    """Whole epochs only, also where there is one."""
    ax.set_xlabel("epoch")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    low, high = ax.get_xlim()
    if high - low < 1:
        ax.set_xlim(0.5, 1.5)


def weights_over_time(results: Results) -> Picture | Missing:
    """λ of every method that has one, and the weights that other methods learn."""
    key, title = "weights", "λ and learned weights over time"
    methods = results.verdicts.methods
    names = [method.name for method in methods]
    lambdas = {name: _means(results.methods.get(name, []), lambda epoch: epoch.lam) for name in names}
    lambdas = {name: values for name, values in lambdas.items() if values.size}
    fixed = ("equal", "fixed", "weighted", "sequential", "mean", "sum", "graddrop")
    learned = [m for m in methods if m.kind not in fixed and results.methods.get(m.name)]
    count = bool(lambdas) + len(learned)
    if not count:
        return Missing(key, title, "no method has a λ or learns its weights")
    columns = min(3, count)
    rows = -(-count // columns)
    figure, axes = canvas(3.6 * columns + 0.4, 2.6 * rows, rows, columns)
    free = list(axes)
    if lambdas:
        ax = free.pop(0)
        for name, values in lambdas.items():
            ax.plot(
                np.arange(1, len(values) + 1), values, label=name, marker="o", markersize=3, **method_line(name, names)
            )
        ax.set_ylim(-0.04, 1.04)
        ax.set_title("λ of each method")
        ax.set_ylabel("share of the label tasks, λ")
        _epochs_axis(ax)
        ax.legend()
    for method in learned:
        ax = free.pop(0)
        runs = results.methods[method.name]
        _task_lines(ax, {task: _means(runs, partial(_weight, task)) for task in method.trained})
        ax.set_title(f"weights of {method.name}")
        ax.set_ylabel("weight of the task")
        _epochs_axis(ax)
        ax.legend()
    blank_rest(axes, count)
    return picture(
        figure, key, title,
        "λ is the share of the label tasks in the objective, as its schedule sets it. The other panels: weights that "
        "methods give to the losses or to the tasks' gradients on the shared weights. Means over the steps of an epoch "
        "and over seeds.",
        f"λ of {listed(list(lambdas)) or 'no method'}; "
        f"learned weights of {listed([m.name for m in learned]) or 'no method'}.",
    )  # fmt: skip


def _task_lines(ax: Axes, curves: dict[str, NDArray[np.float64]]) -> None:
    """A line for each task; of more than `MOST_PANELS` only those that end highest and lowest are named."""
    named = list(curves)
    if len(curves) > MOST_PANELS:
        there = {task: values for task, values in curves.items() if values.size}
        ranked = sorted(there, key=lambda task: (-np.nan_to_num(there[task][-1]), task))
        named = ranked[:ENDS] + ranked[-ENDS:]
        for task in (task for task in there if task not in named):
            ax.plot(np.arange(1, len(there[task]) + 1), there[task], color=MUTED, linewidth=0.6, alpha=0.4)
    for number, task in enumerate(named):
        values = curves[task]
        ax.plot(np.arange(1, len(values) + 1), values, label=task, color=TASK_COLOURS[number % len(TASK_COLOURS)],
                marker="os^Dv"[number % 5], markersize=3)  # fmt: skip


def _means(runs: list[Run], value: Callable[[Epoch], float | None]) -> NDArray[np.float64]:
    """[epochs]: mean over seeds of a value of every epoch, while half of the seeds have one."""
    rows = []
    for run in runs:
        numbers = [value(epoch) for epoch in run.epochs]
        rows.append([number if known(number) else np.nan for number in numbers])
    values = _cut(_stack(rows))
    return _over_seeds(values, "mean") if values.size else values.reshape(-1)


def _weight(task: str, epoch: Epoch) -> float | None:
    return epoch.weights.get(task)


def _norm(task: str, epoch: Epoch) -> float | None:
    return epoch.gradients.norms.get(task)


def gradients(results: Results) -> Picture | Missing:
    """Each task's gradient on the shared parameters: its norm, and the cosines between tasks."""
    key, title = "gradients", "Gradients of the tasks on the shared encoder"
    methods = [m for m in results.verdicts.methods if any(_probed(run) for run in results.methods.get(m.name, []))]
    if not methods:
        return Missing(key, title, "gradients were not probed (`train.gradient_probes: 0`) or no history was found")
    columns = min(3, len(methods))
    shown = methods[:6]
    bands = -(-len(shown) // columns)
    figure, axes = canvas(3.5 * columns + 0.3, 4.6 * bands + 0.2, 2 * bands, columns)
    for number, method in enumerate(shown):
        band, column = divmod(number, columns)
        top, bottom = axes[2 * band * columns + column], axes[(2 * band + 1) * columns + column]
        runs = results.methods[method.name]
        _task_lines(top, {task: _means(runs, partial(_norm, task)) for task in method.trained})
        log_ticks(top)
        top.set_title(method.name)
        top.set_ylabel("gradient norm")
        _epochs_axis(top)
        _cosines(bottom, runs, method.trained)
    for index in range(len(shown), bands * columns):
        band, column = divmod(index, columns)
        axes[2 * band * columns + column].set_axis_off()
        axes[(2 * band + 1) * columns + column].set_axis_off()
    legend_below(figure, axes[:1])
    return picture(
        figure, key, title,
        "Above: the task with the largest norm steers the encoder, whatever its weight says. Below: cosine between the "
        f"gradients of two tasks; under zero they conflict. The {BOLD_PAIRS} pairs with the lowest mean are named. "
        "Means over the probed steps and seeds, before weighting.",
        "Gradient norms of each task and cosines of pairs of tasks over epochs for "
        f"{listed([m.name for m in shown])}.",
    )  # fmt: skip


def _probed(run: Run) -> bool:
    return any(known(norm) for epoch in run.epochs for norm in epoch.gradients.norms.values())


def _pair_curves(runs: list[Run], tasks: Sequence[str]) -> tuple[list[str], NDArray[np.float64]]:
    """(pairs of some tasks in their order, [pairs, epochs]: mean over seeds of their cosine, as `_means` takes it; NaN
    where none is known): all pairs at once, of which a thousand tasks have half a million."""
    above = np.triu_indices(len(tasks), 1)
    total = np.zeros((len(above[0]), max((len(run.epochs) for run in runs), default=0)))
    count = np.zeros(total.shape, np.int64)
    for run in runs:
        for number, epoch in enumerate(run.epochs):
            values = as_matrix(epoch.gradients.cosines, tasks)[above]
            there = np.isfinite(values)
            total[there, number] += values[there]
            count[:, number] += there
    enough = (count > 0) & (2 * count >= len(runs))
    later = np.flip(np.maximum.accumulate(np.flip(enough, axis=1), axis=1), axis=1)
    means = np.divide(total, count, out=np.full(total.shape, np.nan), where=(count > 0) & later)
    there = enough.any(axis=1)
    ends = np.flatnonzero(later.any(axis=0))
    named = zip(above[0][there], above[1][there], strict=True)
    return [f"{tasks[first]}|{tasks[second]}" for first, second in named], means[there][:, : len(ends)]


def _cosines(ax: Axes, runs: list[Run], tasks: Sequence[str]) -> None:
    pairs, curves = _pair_curves(runs, tasks)
    order = np.argsort(np.nanmean(curves, axis=1), kind="stable")
    styles = ("-", "--", "-.")
    for rank in reversed(range(len(order) if len(order) <= MOST_PAIRS else min(BOLD_PAIRS, len(order)))):
        pair, values = pairs[order[rank]], curves[order[rank]]
        values = values[: np.flatnonzero(np.isfinite(values))[-1] + 1]
        epochs = np.arange(1, len(values) + 1)
        if rank < BOLD_PAIRS:
            ax.plot(epochs, values, color=TASK_COLOURS[(5, 1, 0)[rank]], linestyle=styles[rank],
                    marker="o" if len(epochs) == 1 else None, markersize=4, label=pair.replace("|", " · "))  # fmt: skip
        else:
            ax.plot(epochs, values, color=MUTED, linewidth=0.8, alpha=0.5)
    if len(order) > MOST_PAIRS:
        low, high = np.nanquantile(curves, (0.1, 0.9), axis=0)
        ax.fill_between(np.arange(1, curves.shape[1] + 1), low, high, color=MUTED, alpha=0.25, linewidth=0,
                        label=f"middle 80 % of {len(order):,} pairs")  # fmt: skip
    ax.axhline(0, color=MUTED, linewidth=1)
    ax.set_ylim(-1.05, 1.05)
    ax.set_ylabel("cosine between tasks")
    _epochs_axis(ax)
    if pairs:
        handles, labels = ax.get_legend_handles_labels()
        ax.legend(handles[::-1], labels[::-1], loc="upper right", fontsize=7.5)
