"""Pictures of sweeps: the test metric against the size of the network, and against the share of the labels."""

from collections.abc import Callable
from typing import Any

from matplotlib.axes import Axes

from mtl.report.read import STL, Results
from mtl.report.select import drawn, not_drawn
from mtl.report.style import MARKERS, METHOD_COLOURS, STL_COLOUR, Picture, blank_rest, canvas, legend_below, picture
from mtl.report.words import Json, count_text, in_shown_unit, known, listed, metric_label, value_text


def capacity(results: Results) -> Picture | None:
    """A panel a task: STL and joint against the number of parameters; None without a sweep of widths."""
    verdicts = results.verdicts
    there = {entry["task"]: entry for entry in verdicts["capacity"]}
    tasks = drawn(verdicts, [task for task in verdicts["tasks"] if task["name"] in there])
    if not tasks:
        return None
    panels = [(task["name"], there[task["name"]]) for task in tasks]
    return _panels(
        panels, "capacity", "Capacity", "parameters of the whole network", lambda point: point["parameters"],
        "Test metric against the size of the network, mean and interval over seeds; each point is another width of the "
        "encoder. Where the joint curve lies beside that of STL, one network of that size is enough for all its tasks."
        + not_drawn(len(tasks), len(there)),
    )  # fmt: skip


def few_labels(results: Results) -> Picture | None:
    """A panel a label: STL and joint against the share of the training labels; None without such tasks."""
    groups = results.verdicts["fractions"]
    if not groups:
        return None
    mixed = sorted({name for group in groups for name in group["mixed"]})
    left_out = f" Left out: {listed(mixed)}, which train on several of these shares at once." if mixed else ""
    return _panels(
        [(group["tasks"][-1], group) for group in groups], "few_labels", "Few labels", "labels used, %",
        lambda point: 100 * point["share"],
        "Test metric against the share of the training labels, mean and interval over seeds; the other tasks keep all "
        f"of theirs. Joint training is worth most where its curve leaves that of STL.{left_out}",
    )  # fmt: skip


def _panels(
    panels: list[tuple[str, Json]], key: str, title: str, across: str, place: Callable[[Json], float], caption: str
) -> Picture:
    names = list(dict.fromkeys(curve["name"] for _, entry in panels for curve in entry["curves"] if curve["name"]))
    starts = {curve["start"] for _, entry in panels for curve in entry["curves"] if curve["name"] is None}
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    # One panel alone is wide enough for the legend below it.
    figure, axes = canvas(max(5.4, 3.7 * columns + 0.3), 2.6 * rows + 0.5, rows, columns)
    said = []
    for ax, (name, entry) in zip(axes, panels, strict=False):
        for curve in entry["curves"]:
            label = curve["name"] or (STL if len(starts) == 1 else f"{STL} ({curve['start']})")
            _curve(ax, entry["metric"], curve, label, names, place)
            texts = [f"{value_text(entry['metric'], point['mean'])} at {count_text(place(point))}"
                     for point in curve["points"]]  # fmt: skip
            said.append(f"{name} with {label}: {', '.join(texts)}")
        _ticks(ax, sorted({float(place(point)) for curve in entry["curves"] for point in curve["points"]}))
        ax.set_title(name)
        ax.set_xlabel(across)
        ax.set_ylabel(f"test {metric_label(entry['metric'])}")
    blank_rest(axes, len(panels))
    legend_below(figure, axes)
    return picture(figure, key, title, caption, f"{title}; {'; '.join(said)}.")


def _curve(
    ax: Axes, metric: str, curve: Json, label: str, names: list[str], place: Callable[[Json], float]
) -> None:  # fmt: skip
    number = None if curve["name"] is None else names.index(curve["name"])
    style: dict[str, Any] = {"color": STL_COLOUR, "linestyle": (0, (4, 2)), "marker": "o"}
    if number is not None:
        style = {"color": METHOD_COLOURS[number % len(METHOD_COLOURS)], "marker": MARKERS[number % len(MARKERS)]}
    x = [place(point) for point in curve["points"]]
    ax.plot(x, [in_shown_unit(metric, point["mean"]) for point in curve["points"]], label=label, markersize=5, **style)
    for at, point in zip(x, curve["points"], strict=True):
        if known(point["low"]) and known(point["high"]):
            ends = [in_shown_unit(metric, point[end]) for end in ("low", "high")]
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
