"""Pictures of sweeps: the test metric against the size of the network, and against the share of the labels."""

from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes

from mtl.report.read import STL, Results
from mtl.report.select import drawn, not_drawn
from mtl.report.style import MARKERS, METHOD_COLOURS, STL_COLOUR, Picture, blank_rest, canvas, legend_below, picture
from mtl.report.words import count_text, in_shown_unit, known, listed, metric_label, value_text
from mtl.results.numbers import Number
from mtl.results.statistics import Summary


@dataclass(frozen=True)
class Line:
    """A curve as it is drawn."""

    name: str | None
    """None for single-task models."""
    start: str | None
    points: list[tuple[Number, Summary]]
    """Place on the horizontal axis, and the metric there."""


@dataclass(frozen=True)
class Panel:
    """Curves of one metric."""

    title: str
    metric: str
    lines: list[Line]


def capacity(results: Results) -> Picture | None:
    """A panel a task: STL and joint against the number of parameters; None without a sweep of widths."""
    verdicts = results.verdicts
    swept = {entry.task: entry for entry in verdicts.capacity}
    tasks = drawn(verdicts, [task for task in verdicts.tasks if task.name in swept])
    if not tasks:
        return None
    panels = []
    for entry in (swept[task.name] for task in tasks):
        lines = [Line(c.name, c.start, [(point.parameters, point) for point in c.points]) for c in entry.curves]
        panels.append(Panel(entry.task, entry.metric, lines))
    return _panels(
        panels, "capacity", "Capacity", "parameters of the whole network",
        "Test metric against the size of the network, mean and interval over seeds; each point is another width of the "
        "encoder. Where the joint curve lies beside that of STL, one network of that size is enough for all its tasks."
        + not_drawn(len(tasks), len(swept)),
    )  # fmt: skip


def few_labels(results: Results) -> Picture | None:
    """A panel a label: STL and joint against the share of the training labels; None without such tasks."""
    groups = results.verdicts.fractions
    if not groups:
        return None
    mixed = sorted({name for group in groups for name in group.mixed})
    left_out = f" Left out: {listed(mixed)}, which train on several of these shares at once." if mixed else ""
    panels = []
    for group in groups:
        lines = [Line(c.name, c.start, [(100 * point.share, point) for point in c.points]) for c in group.curves]
        panels.append(Panel(group.tasks[-1], group.metric, lines))
    return _panels(
        panels, "few_labels", "Few labels", "labels used, %",
        "Test metric against the share of the training labels, mean and interval over seeds; the other tasks keep all "
        f"of theirs. Joint training is worth most where its curve leaves that of STL.{left_out}",
    )  # fmt: skip


def _panels(panels: list[Panel], key: str, title: str, across: str, caption: str) -> Picture:
    names = list(dict.fromkeys(line.name for panel in panels for line in panel.lines if line.name))
    starts = {line.start for panel in panels for line in panel.lines if line.name is None}
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    # One panel alone is wide enough for the legend below it.
    figure, axes = canvas(max(5.4, 3.7 * columns + 0.3), 2.6 * rows + 0.5, rows, columns)
    said = []
    for ax, panel in zip(axes, panels, strict=False):
        for line in panel.lines:
            label = line.name or (STL if len(starts) == 1 else f"{STL} ({line.start})")
            _curve(ax, panel.metric, line, label, names)
            texts = [f"{value_text(panel.metric, point.mean)} at {count_text(at)}" for at, point in line.points]
            said.append(f"{panel.title} with {label}: {', '.join(texts)}")
        _ticks(ax, sorted({float(at) for line in panel.lines for at, _ in line.points}))
        ax.set_title(panel.title)
        ax.set_xlabel(across)
        ax.set_ylabel(f"test {metric_label(panel.metric)}")
    blank_rest(axes, len(panels))
    legend_below(figure, axes)
    return picture(figure, key, title, caption, f"{title}; {'; '.join(said)}.")


def _curve(ax: Axes, metric: str, line: Line, label: str, names: list[str]) -> None:
    number = None if line.name is None else names.index(line.name)
    style: dict[str, Any] = {"color": STL_COLOUR, "linestyle": (0, (4, 2)), "marker": "o"}
    if number is not None:
        style = {"color": METHOD_COLOURS[number % len(METHOD_COLOURS)], "marker": MARKERS[number % len(MARKERS)]}
    means = [in_shown_unit(metric, point.mean) for _, point in line.points]
    ax.plot([at for at, _ in line.points], means, label=label, markersize=5, **style)
    for at, point in line.points:
        if known(point.low) and known(point.high):
            ends = [in_shown_unit(metric, end) for end in (point.low, point.high)]
            ax.plot([at, at], ends, color=style["color"], linewidth=3, alpha=0.35, solid_capstyle="round")


def _ticks(ax: Axes, places: list[float]) -> None:
    """A logarithmic axis that names the places of the points, as many as have room."""
    ax.set_xscale("log")
    ax.set_xticks([], minor=True)
    kept: list[float] = []
    for at in places:
        if not kept or at / kept[-1] > (places[-1] / places[0]) ** 0.16:
            kept.append(at)
    ax.set_xticks(kept, [f"{at:,.0f}" if at >= 100 else f"{at:g}" for at in kept])
    ax.margins(x=0.1)
