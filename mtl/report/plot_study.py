"""Pictures of a study: history, Pareto front, importances, parallel coordinates; from the content of study.json."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from mtl.config.tune import Choice, Dimension, FloatRange
from mtl.report.style import (
    METHOD_COLOURS,
    MUTED,
    PAPER,
    STL_COLOUR,
    Missing,
    Picture,
    blank_rest,
    canvas,
    legend_below,
    picture,
    styled,
)
from mtl.report.words import in_shown_unit, listed
from mtl.results.study import Study, Trial

MAXIMISED = ("accuracy",)
OBJECTIVES = {"combined": "combined objective", "error": "error z-scored", "accuracy": "accuracy %"}
STATES = {"complete": ("o", 1.0), "infeasible": ("x", 0.7), "pruned": ("v", 0.45)}
"""State → marker and opacity."""


def draw_study(study: Study) -> list[Picture | Missing]:
    """Every figure of a study; the same bytes for the same study."""
    with styled():
        return [
            history(study),
            pareto_front(study),
            importances(study),
            *(parallel_coordinates(study, arm) for arm in study.arms),
        ]


def colour(study: Study, arm: str) -> str:
    """Colour of an arm in every figure; grey for STL."""
    methods = [name for name in study.arms if name != "stl"]
    return STL_COLOUR if arm == "stl" else METHOD_COLOURS[methods.index(arm) % len(METHOD_COLOURS)]


def short(path: str) -> str:
    """A path as an axis shows it: `train.lr`, and `joint.lambda` for one of a method."""
    return path.removeprefix("finetune.methods.")


def best_so_far(trials: Sequence[Trial], number: int, maximise: bool) -> list[float]:
    """After each trial the best value of the feasible ones so far; NaN before the first."""
    values: list[float] = []
    best = math.nan
    for trial in trials:
        if trial.state == "complete":
            value = trial.scores[number]
            better = math.isnan(best) or (value > best if maximise else value < best)
            best = value if better else best
        values.append(best)
    return values


def history(study: Study) -> Picture | Missing:
    """Every trial's value in the order of the trials, and the best so far; a panel an objective."""
    key, title, names = "study_history", "Optimisation history", study.objectives
    if not any(study.arms[arm].ended for arm in study.arms):
        return Missing(key, title, "no trial has come to an end")
    figure, axes = canvas(10.8 if len(names) == 2 else 9.2, 3.4, 1, len(names))
    several = len(study.arms) > 1
    for number, (ax, name) in enumerate(zip(axes, names, strict=True)):
        for arm in study.arms:
            trials = sorted(study.arms[arm].ended, key=lambda trial: trial.number)
            for state, (marker, opacity) in STATES.items():
                there = [(t.number, t.scores[number]) for t in trials if t.state == state and t.scores]
                if there:
                    x, y = zip(*there, strict=True)
                    ax.scatter(x, [in_shown_unit(name, value) for value in y], marker=marker, alpha=opacity, s=22,
                               color=colour(study, arm), label=_label(study, state), linewidths=1.2)  # fmt: skip
            best = [in_shown_unit(name, value) for value in best_so_far(trials, number, name in MAXIMISED)]
            ax.step([trial.number for trial in trials], best, where="post", color=colour(study, arm), linewidth=1.6,
                    label=arm if several else f"{arm}: best feasible so far")  # fmt: skip
        ax.set_xlabel("number of the trial")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set_ylabel(f"validation {OBJECTIVES[name]}")
    _state_keys(study, axes[0])
    legend_below(figure, axes)
    return picture(
        figure, key, title,
        "Each trial's objective on validation data; a line is the best of the feasible ones so far. Crosses break a "
        "constraint; triangles were pruned, at the value they had then (a task that was not trained by then counts as "
        "MSE 1 and accuracy 0). Trials that failed have no value.",
        f"Objective of every trial of {listed(list(study.arms))}, and the best so far.",
    )  # fmt: skip


def _label(study: Study, state: str) -> str:
    """Label of a mark; with several arms the colour names the arm, and `_state_keys` explains the mark."""
    return state if len(study.arms) == 1 else "_nolegend_"


def _state_keys(study: Study, ax: Axes) -> None:
    """Adds, for several arms, one grey key for each mark there is beside the arms' own keys."""
    if len(study.arms) > 1:
        there = {trial.state for arm in study.arms for trial in study.arms[arm].ended}
        for state, (marker, opacity) in STATES.items():
            if state in there:
                ax.scatter([], [], marker=marker, alpha=opacity, s=22, color=MUTED, label=state, linewidths=1.2)


def pareto_front(study: Study) -> Picture | Missing:
    """Trials in the plane of two objectives; those that no other beats in both are joined."""
    key, title, names = "study_pareto", "Pareto front", study.objectives
    if len(names) != 2:
        return Missing(key, title, "the study has one objective, so its best trial is one")
    points = {arm: [t for t in study.arms[arm].ended if t.state in ("complete", "infeasible")] for arm in study.arms}
    if not any(points.values()):
        return Missing(key, title, "no trial is complete")
    figure, axes = canvas(9.2, 4.2)
    ax = axes[0]
    ax.margins(y=0.09)
    # A front rises where one objective is maximised, and falls where both are minimised: its free side.
    beside = -9 if len({name in MAXIMISED for name in names}) == 2 else 4
    for arm, trials in points.items():
        for state in ("complete", "infeasible"):
            chosen = [trial for trial in trials if trial.state == state]
            if chosen:
                marker, opacity = STATES[state]
                ax.scatter(*_plane(chosen, names), marker=marker, alpha=opacity, s=26, color=colour(study, arm),
                           label=_label(study, state), linewidths=1.2)  # fmt: skip
        front = sorted(front_of(trials, names), key=lambda trial: trial.scores[0])
        if front:
            ax.plot(
                *_plane(front, names),
                color=colour(study, arm),
                linewidth=1.4,
                label=f"{arm}: front" if len(study.arms) == 1 else arm,
            )
            for trial in front:
                (x,), (y,) = _plane([trial], names)
                ax.annotate(str(trial.number), (x, y), textcoords="offset points", xytext=(5, beside), fontsize=8,
                            color=MUTED)  # fmt: skip
    _tolerance_line(ax, study, names)
    ax.set_xlabel(f"validation {OBJECTIVES[names[0]]}")
    ax.set_ylabel(f"validation {OBJECTIVES[names[1]]}")
    _state_keys(study, axes[0])
    legend_below(figure, axes)
    return picture(
        figure, key, title,
        "Feasible trials that no other feasible trial of their arm beats in both objectives are joined and numbered: "
        "“mtl tune --apply” takes such a number. MSE is better to the left, accuracy to the top.",
        f"Trials of {listed(list(study.arms))} in the plane of {listed(names)}.",
    )  # fmt: skip


def front_of(trials: Sequence[Trial], names: Sequence[str]) -> list[Trial]:
    """The feasible trials that no feasible one beats in every objective."""
    feasible = [trial for trial in trials if trial.state == "complete"]
    signs = [-1 if name in MAXIMISED else 1 for name in names]
    costs = [[sign * value for sign, value in zip(signs, t.scores, strict=True)] for t in feasible]
    return [
        trial
        for trial, cost in zip(feasible, costs, strict=True)
        if not any(other != cost and all(a <= b for a, b in zip(other, cost, strict=True)) for other in costs)
    ]


def _plane(trials: Sequence[Trial], names: Sequence[str]) -> tuple[list[float], list[float]]:
    x, y = ([in_shown_unit(name, t.scores[n]) for t in trials] for n, name in enumerate(names))
    return x, y


def _tolerance_line(ax: Axes, study: Study, names: Sequence[str]) -> None:
    """Draws the end of the constraint, if one task is under it and so one line."""
    tolerance = study.spec.tolerance
    allowed = [value for tasks in study.spec.baseline.values() for value in tasks.values()]
    if names[0] == "error" and len(allowed) == 1 and tolerance is not None:
        limit = (1 + tolerance) * allowed[0]
        ax.axvline(limit, color=MUTED, linestyle=":", linewidth=1.2, label="allowed error")


def importances(study: Study) -> Picture | Missing:
    """Share of the first objective's variance that each parameter explains (fANOVA), a panel an arm."""
    key, title = "study_importances", "Importance of the parameters"
    known = {arm: held.importances for arm, held in study.arms.items() if held.importances}
    if not known:
        return Missing(key, title, "it needs complete trials that differ in their objective, and two parameters")
    columns = min(2, len(known))  # Three are too small to read on a phone.
    rows = -(-len(known) // columns)
    tallest = max(map(len, known.values()))
    figure, axes = canvas(4.4 * columns, (0.9 + 0.32 * tallest) * rows, rows, columns)
    for ax, (arm, shares) in zip(axes, known.items(), strict=False):
        ranked = sorted(shares.items(), key=lambda entry: (entry[1], entry[0]))
        ax.barh([short(path) for path, _ in ranked], [100 * share for _, share in ranked], color=colour(study, arm),
                height=0.6)  # fmt: skip
        ax.set_title(arm)
        ax.set_xlabel("share of the variance, %")
        ax.set_xlim(0, 100)
        ax.grid(axis="y", visible=False)
    blank_rest(axes, len(known))
    return picture(
        figure, key, title,
        "fANOVA on the complete trials: how much of the variance of the first objective a random forest explains by "
        "each parameter alone and together with others. With few trials it is a hint, not a measurement.",
        f"Importance of each parameter for {listed(list(known))}.",
    )  # fmt: skip


def parallel_coordinates(study: Study, arm: str) -> Picture | Missing:
    """One line a complete trial through its parameters and its first objective; the best quarter is in colour."""
    key, title = f"study_parallel_{arm}", f"Parameters and objective, {arm}"
    name = study.objectives[0]
    trials = [trial for trial in study.arms[arm].ended if trial.state in ("complete", "infeasible")]
    if len(trials) < 2:
        return Missing(key, title, "it needs two complete trials")
    space = study.arms[arm].spec.space
    columns = [
        _scaled(short(path), [trial.params[path] for trial in trials], dimension)
        for path, dimension in sorted(space.items())
    ]
    values = [in_shown_unit(name, trial.scores[0]) for trial in trials]
    low, high = min(values), max(values)
    spread = FloatRange(kind="float", low=low, high=high if high > low else low + 1)
    columns.append(_scaled(OBJECTIVES[name], values, spread))
    feasible = [trial.state == "complete" for trial in trials]
    sign = -1 if name in MAXIMISED else 1
    order = sorted(range(len(trials)), key=lambda n: (not feasible[n], sign * values[n]))
    good = set(order[: max(1, len(trials) // 4)])
    figure, axes = canvas(max(5.5, 1.75 * len(columns)), 3.4)
    ax = axes[0]
    for n in reversed(order):
        heights = [column[1][n] for column in columns]
        ax.plot(range(len(columns)), heights, color=colour(study, arm) if n in good else MUTED,
                alpha=0.9 if n in good else 0.3, linewidth=1.6 if n in good else 0.8,
                linestyle="-" if feasible[n] else ":")  # fmt: skip
    for place, (_, _, ticks) in enumerate(columns):
        ax.axvline(place, color=MUTED, linewidth=0.8)
        for height, text in ticks:
            ax.annotate(text, (place, height), textcoords="offset points", xytext=(4, 3), fontsize=7.5, color=MUTED,
                        bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.8, "alpha": 0.8})  # fmt: skip
    ax.set_xticks(range(len(columns)), [column[0] for column in columns])
    ax.set_xlim(-0.15, len(columns) - 0.45)
    ax.set_yticks([])
    ax.grid(visible=False)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
    return picture(
        figure, key, title,
        "A line is a trial; the best quarter is in colour, dotted lines break a constraint. Where coloured lines "
        "run together the parameter matters; where they spread over an axis it does not.",
        f"Parallel coordinates of {len(trials)} trials of {arm}.",
    )  # fmt: skip


def _scaled(label: str, values: list[Any], dimension: Dimension) -> tuple[str, list[float], list[tuple[float, str]]]:
    """(axis label, heights from 0 to 1, ticks) of one axis."""
    if isinstance(dimension, Choice):
        options = dimension.values
        last = max(1, len(options) - 1)
        return label, [options.index(value) / last for value in values], [
            (n / last, "null" if option is None else str(option)) for n, option in enumerate(options)
        ]  # fmt: skip
    low, high = dimension.low, dimension.high
    if dimension.log:
        heights = (np.log(values) - np.log(low)) / (np.log(high) - np.log(low))
        middle = math.sqrt(low * high)
    else:
        heights = (np.asarray(values, dtype=float) - low) / (high - low)
        middle = (low + high) / 2
    return label, heights.tolist(), [(0.0, f"{low:.3g}"), (0.5, f"{middle:.3g}"), (1.0, f"{high:.3g}")]
