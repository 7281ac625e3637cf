"""Pictures of the comparison: change against STL, train–test gaps, parameters."""

import numpy as np
from matplotlib.axes import Axes

from mtl.evaluation.limits import MIN_SEEDS
from mtl.report.read import Results, Run
from mtl.report.select import MOST_BANDS, drawn, not_drawn
from mtl.report.style import (
    GRID,
    HELPED,
    HURT,
    INK,
    MUTED,
    PAPER,
    SIMPLE_LINE,
    STL_COLOUR,
    Missing,
    Picture,
    blank_rest,
    canvas,
    legend_below,
    method_colour,
    method_marker,
    picture,
)
from mtl.report.words import (
    change_text,
    confidence_text,
    count_text,
    has_new_data,
    in_shown_unit,
    known,
    listed,
    metric_label,
)
from mtl.results.numbers import Split
from mtl.results.statistics import Ends, Interval
from mtl.results.verdicts import JudgedTask, Row


def change_forest(results: Results) -> Picture | Missing:
    """Change against STL for every task and method, with both intervals and the line of no change."""
    key, title, verdicts = "change", "Change against single-task models", results.verdicts
    names = [method.name for method in verdicts.methods]
    rows = {(row.task, row.method): row for name in names for row in verdicts.rows_of(name)}
    means = {place: row.change.mean for place, row in rows.items() if known(row.change.mean)}
    if not means:
        return Missing(key, title, "no method was compared with its single-task models")
    compared = {task for task, _ in means}
    tasks = drawn(verdicts, [task for task in verdicts.tasks if task.name in compared], MOST_BANDS)
    kept = {task.name for task in tasks}
    rows = {place: rows[place] for place in means if place[0] in kept}
    figure, (ax,) = canvas(6.0, 1.05 + len(tasks) * (0.24 + 0.16 * len(names)))
    step = 0.72 / len(names)
    for position, task in enumerate(tasks):
        if position % 2:
            ax.axhspan(position - 0.5, position + 0.5, color=GRID, alpha=0.35, linewidth=0)
        margin = 100 * next(row.verdict.margin for (name, _), row in rows.items() if name == task.name)
        if margin > 0:
            ax.fill_betweenx([position - 0.5, position + 0.5], -margin, margin, color=MUTED, alpha=0.18, linewidth=0)
        for number, name in enumerate(names):
            row = rows.get((task.name, name))
            if row is None:
                continue
            y, colour = position + (number - (len(names) - 1) / 2) * step, method_colour(name, names)
            _whiskers(ax, row, y, colour)
            shown = row.verdict.word != "not known"
            ax.plot(means[task.name, name], y, method_marker(name, names), color=colour, markersize=6.5,
                    markerfacecolor=colour if shown else PAPER, markeredgewidth=1.6)  # fmt: skip
    for name in names:
        ax.plot([], [], method_marker(name, names), color=method_colour(name, names), linestyle="-", label=name)
    cut = _scale_changes(ax, [row.change for row in rows.values()])
    low, high = ax.get_xlim()
    simple = {task.name: change for task in tasks if (change := _simple_change(results, task)) is not None}
    high = max([high, *(1.06 * change for change in simple.values())])
    for position, task in enumerate(tasks):
        if low <= simple.get(task.name, low - 1):
            ax.plot([simple[task.name]] * 2, [position - 0.46, position + 0.46], **SIMPLE_LINE)
    ax.axvspan(low, 0, color=HURT, alpha=0.05, linewidth=0)
    ax.axvspan(0, high, color=HELPED, alpha=0.06, linewidth=0)
    ax.axvline(0, color=INK, linewidth=1.1)
    ax.set_xlim(low, high)
    ax.set_ylim(len(tasks) - 0.5, -0.5)
    units = [metric_label(task.metric, task.unit) for task in tasks]
    ax.set_yticks(range(len(tasks)), [f"{task.name}\n{unit}" for task, unit in zip(tasks, units, strict=True)])
    ax.tick_params(axis="y", length=0, labelcolor=INK)
    ax.grid(visible=False, axis="y")
    beyond = ", cut at the edge" if cut else ""
    ax.set_xlabel(f"change against STL, % ({confidence_text(verdicts)} interval{beyond})     ← worse · better →")
    legend_below(figure, [ax])
    texts = [
        f"{task} with {name}: {change_text(row.change)} %, {row.verdict.text}" for (task, name), row in rows.items()
    ]
    return picture(
        figure, key, title,
        "Right of the line: training together made a task better; left: worse. Thick: this comparison's own interval "
        "over seeds" + ", strokes: ends of that for new data" * has_new_data(verdicts) + ", thin: "
        "widened for all comparisons (Holm). Grey band: too little to matter (margin). Filled markers: verdicts, "
        "hollow ones: not known."
        + _simple_words(list(simple.values()), low) + not_drawn(len(tasks), len(compared)),
        "Forest plot of the change against single-task models. " + "; ".join(texts) + ".",
    )  # fmt: skip


def _whiskers(ax: Axes, row: Row, y: float, colour: str) -> None:
    """Intervals of a change: widened (thin), over seeds (thick), and the ends of that for new data (strokes)."""
    ends: list[tuple[Ends, float, float]] = [(row.adjusted, 1.2, 0.75), (row.change, 3.2, 0.9)]
    for interval, width, strength in ends:
        if known(interval.low) and known(interval.high):
            ax.plot([interval.low, interval.high], [y, y], color=colour, linewidth=width, alpha=strength,
                    solid_capstyle="round")  # fmt: skip
    if row.new_data is not None:
        ax.plot([row.new_data.low, row.new_data.high], [y, y], "|", color=colour, markersize=7, markeredgewidth=1.4)


def _simple_change(results: Results, task: JudgedTask) -> float | None:
    """Change from STL to the simple model in percent, positive is better; None where the task has none of them."""
    values = [row.stl.mean for row in results.verdicts.rows if row.task == task.name]
    if task.simple is None or not values or values[0] == 0:
        return None
    return 100 * (-1 if task.lower_is_better else 1) * (task.simple.summary.mean - values[0]) / values[0]


def _simple_words(changes: list[float], low: float) -> str:
    """Sentence of the caption on simple models, if any is there."""
    if not changes:
        return ""
    out = len([change for change in changes if change < low])
    left = f" ({out} of {len(changes)} lie further left)" if out else ""
    return f" Dashed: the simple model of the task{left}; what lies left of it loses to it."


def _scale_changes(ax: Axes, changes: list[Interval]) -> bool:
    """Linear, or linear around zero and logarithmic outside when one loss would flatten everything else; whether
    intervals end outside: those of fewer than `MIN_SEEDS` seeds can be a hundred times as wide as any change."""
    ends = [abs(v) for c in changes for v in (c.mean, c.low, c.high) if known(v)]
    means = [abs(c.mean) for c in changes if known(c.mean)]
    room = max(5.0, 4 * max(means))
    if min(c.n for c in changes) < MIN_SEEDS and max(ends) > room:
        ax.set_xlim(-room, room)
        return True
    if max(ends) > 100 and float(np.median(ends)) < 20:
        ax.set_xscale("symlog", linthresh=10)
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.margins(x=0.06)
    return False


def train_test_gaps(results: Results) -> Picture | Missing:
    """Train and test metric of STL and of every method, a panel a task, with the optimum where it is known."""
    key, title, verdicts = "gaps", "Train–test gaps", results.verdicts
    names = [method.name for method in verdicts.methods]
    measured = [task for task in verdicts.tasks if results.task_runs(task.name)]
    panels = [(task, results.task_runs(task.name)) for task in drawn(verdicts, measured)]
    if not panels:
        return Missing(key, title, "no run of a configured task was found in outputs/")
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    tallest = max(len(runs) for _, runs in panels)
    figure, axes = canvas(3.4 * columns + 0.4, rows * (1.0 + 0.3 * tallest) + 0.4, rows, columns)
    for ax, (task, runs) in zip(axes, panels, strict=False):
        for y, (name, seeds) in enumerate(runs.items()):
            train, test = (_mean(seeds, part, task) for part in ("train", "test"))
            colour = method_colour(name, names)
            ax.plot([train, test], [y, y], color=colour, linewidth=2, alpha=0.6)
            ax.plot(train, y, "o", color=colour, markerfacecolor=PAPER, markeredgewidth=1.5)
            ax.plot(test, y, "o", color=colour)
        simple = results.simple_value(task, "test")
        if simple is not None:
            ax.axvline(in_shown_unit(task.metric, simple), **SIMPLE_LINE)
        if known(task.optimum):
            ax.axvline(in_shown_unit(task.metric, task.optimum), color=MUTED, linestyle=":", label="optimum")
        ax.set_yticks(range(len(runs)), list(runs))
        ax.set_ylim(len(runs) - 0.5, -0.5)
        ax.set_title(task.name)
        ax.set_xlabel(metric_label(task.metric, task.unit))
        ax.grid(visible=False, axis="y")
        ax.margins(x=0.12)
    blank_rest(axes, len(panels))
    axes[0].plot([], [], "o", color=MUTED, markerfacecolor=PAPER, markeredgewidth=1.5, label="train")
    axes[0].plot([], [], "o", color=MUTED, label="test")
    legend_below(figure, axes)
    return picture(
        figure, key, title,
        "Hollow: on training data, filled: on test data, mean over seeds. A long line is overfitting; a short one far "
        "from the optimum is underfitting or a task whose gradients the others drown."
        + not_drawn(len(panels), len(measured)),
        f"Train and test metrics of STL and {listed(names)} for {listed([task.name for task, _ in panels])}.",
    )  # fmt: skip


def _mean(runs: list[Run], part: Split, task: JudgedTask) -> float:
    """Mean of the task's metric over seeds, in the shown unit; NaN where it was not recorded."""
    values = [run.record.metrics(part).get(task.name, {}).get(task.metric) for run in runs]
    shown = [in_shown_unit(task.metric, value) for value in values if known(value)]
    return sum(shown) / len(shown) if shown else float("nan")


def parameter_counts(results: Results) -> Picture | Missing:
    """Weights of all single-task models together beside those of each joint model."""
    key, title, verdicts = "parameters", "Parameters", results.verdicts
    counts = verdicts.costs.parameters
    names = [method.name for method in verdicts.methods if counts.methods.get(method.name)]
    hard = all(method.sharing == "hard" for method in verdicts.methods)
    if not names or not counts.stl:
        return Missing(key, title, "no parameter counts were recorded")
    figure, (ax,) = canvas(7.2, 1.2 + 0.34 * (len(names) + 1))
    left = 0
    order = [task.name for task in verdicts.tasks if task.name in counts.stl]
    for task in order:
        count = counts.stl[task]
        ax.barh(0, count, left=left, color=STL_COLOUR, edgecolor=PAPER, linewidth=0.8, height=0.62)
        if count > 0.09 * counts.stl_total:
            ax.text(left + count / 2, 0, task, ha="center", va="center", color="#ffffff", fontsize=8)
        left += count
    for y, name in enumerate(names, start=1):
        ax.barh(y, counts.methods[name], color=method_colour(name, names), height=0.62)
    totals = [left, *(counts.methods[name] for name in names)]
    for y, total in enumerate(totals):
        ax.annotate(count_text(total), (total, y), (4, 0), textcoords="offset points", va="center", fontsize=8.5)
    some = len(order) < len(verdicts.tasks)
    single = f"STL, {len(order)} of {len(verdicts.tasks)} tasks" if some else "STL, all models"
    ax.set_yticks(range(len(totals)), [single, *names])
    ax.tick_params(axis="y", length=0, labelcolor=INK)
    ax.invert_yaxis()
    ax.set_xlim(0, 1.14 * max(totals))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.grid(visible=False, axis="y")
    ax.set_xlabel("trained and frozen weights to store")
    return picture(
        figure, key, title,
        "What has to be stored and loaded: one encoder a task with STL, "
        + ("one for all tasks jointly." if hard else "jointly one, or as many as the form of sharing keeps."),
        "Parameters: " + "; ".join(f"{n} {count_text(t)}" for n, t in zip(["STL", *names], totals, strict=True)) + ".",
    )  # fmt: skip
