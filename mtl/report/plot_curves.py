"""Pictures of binary labels: what they reach at every threshold, and how far their probabilities can be trusted.

A curve of several seeds is their mean at the same abscissa with the range between them: of the receiver operating
characteristic over the false positive rate ("vertical averaging", Fawcett 2006, Pattern Recognition Letters 27, section
8.2), of precision over recall. Reliability diagrams pool the samples of all seeds.
"""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from mtl.report.each import for_each, measured_by_arm
from mtl.report.read import STL, Results, Run
from mtl.report.select import best_method
from mtl.report.style import (
    MUTED,
    SIMPLE_LINE,
    Missing,
    Picture,
    canvas,
    legend_below,
    method_line,
    method_marker,
    picture,
)
from mtl.report.words import in_shown_unit, known, listed
from mtl.results.record import OperatingPoints, Reliability
from mtl.results.verdicts import JudgedTask

Array = NDArray[np.float64]
GRID = np.linspace(0, 1, 101)
"""Abscissae at which curves of several seeds are averaged."""
MOST_MODELS = 5
"""Models in a panel; of more, the single-task one and the best method are drawn."""
TITLE = "Thresholds and calibration"


@dataclass(frozen=True)
class Points:
    """Counts of one run at falling thresholds (`mtl.results.record.OperatingPoints`)."""

    true: Array
    false: Array
    positives: int
    negatives: int

    @staticmethod
    def of(points: OperatingPoints) -> "Points":
        """Counts as arrays."""
        true, false = (np.asarray(counts, dtype=float) for counts in (points.true_positives, points.false_positives))
        return Points(true, false, points.positives, points.negatives)

    def true_rate(self) -> Array:
        """Share of the positive samples that are found, at each false positive rate of GRID.

        Between two thresholds the curve is a straight line: a classifier that draws lots between them lies on it.
        """
        rates = np.concatenate([[0.0], self.false]) / self.negatives
        shares = np.concatenate([[0.0], self.true]) / self.positives
        before = np.searchsorted(rates, GRID, side="right") - 1  # of a vertical piece, its upper end
        after = np.minimum(before + 1, len(rates) - 1)
        width = np.maximum(rates[after] - rates[before], 1e-12)
        return shares[before] + (GRID - rates[before]) / width * (shares[after] - shares[before])

    def precision(self) -> Array:
        """Precision at the highest threshold that finds each share of GRID; no line is drawn between two thresholds,
        which would promise too much (Davis and Goadrich 2006, ICML)."""
        recall, precision = self.true / self.positives, self.true / (self.true + self.false)
        reached = np.searchsorted(recall, GRID - 1e-12)
        return precision[np.minimum(reached, len(recall) - 1)]


def thresholds(results: Results, tasks: list[JudgedTask]) -> list[Picture | Missing]:
    """A figure for each binary label."""
    return for_each(results, tasks, _thresholds, "thresholds", TITLE, "binary tasks")


def _thresholds(results: Results, task: JudgedTask) -> Picture | Missing:
    key, title = f"thresholds_{task.name}", f"{TITLE}: {task.name}"
    runs = measured_by_arm(results, task, _measured)
    if not runs:
        return Missing(key, title, "no run holds counts at every threshold")
    points = {name: [Points.of(points) for _, points, _ in measured] for name, measured in runs.items()}
    first = next(iter(points.values()))[0]
    if not first.positives or not first.negatives:
        which = "positive" if first.positives else "negative"
        return Missing(key, title, f"all {first.positives + first.negatives} test samples are {which}")
    best = best_method(results.verdicts, task)
    if len(points) > MOST_MODELS:
        points = {name: by_seed for name, by_seed in points.items() if name in (STL, best)}
    names = [method.name for method in results.verdicts.methods]
    figure, axes = canvas(10.4, 3.8, 1, 3)
    for name, by_seed in points.items():
        _band(axes[0], name, names, np.array([curve.true_rate() for curve in by_seed]), start=0.0)
        _band(axes[1], name, names, np.array([curve.precision() for curve in by_seed]))
        _reliability(axes[2], name, names, [bins for _, _, bins in runs[name]])
    beside = [Points.of(points) for _, points, _ in _measured(results.simple.get(task.name, []), task.name)]
    if beside:
        axes[0].plot(GRID, np.mean([curve.true_rate() for curve in beside], axis=0), **SIMPLE_LINE)
        axes[1].plot(GRID, np.mean([curve.precision() for curve in beside], axis=0), **SIMPLE_LINE)
    share = first.positives / (first.positives + first.negatives)
    for ax, ends in ((axes[0], (0, 1)), (axes[1], (share, share)), (axes[2], (0, 1))):
        ax.plot((0, 1), ends, color=MUTED, linestyle=":", linewidth=1.2)
        ax.set(xlim=(0, 1), ylim=(0, 1.02), xticks=np.linspace(0, 1, 6), yticks=np.linspace(0, 1, 6))
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter(lambda value, _: f"{100 * value:.0f}")
    axes[0].set(
        title="receiver operating characteristic", xlabel="false positive rate %", ylabel="true positive rate %"
    )
    axes[1].set(title="precision and recall", xlabel="recall %", ylabel="precision %")
    axes[2].set(title="calibration", xlabel="predicted probability %", ylabel="share that is positive %")
    legend_below(figure, axes[:1])
    said = [_said(name, [run for run, _, _ in runs[name]], task.name) for name in points]
    several = max(len(by_seed) for by_seed in points.values()) > 1
    fewer = " STL and the method with the best mean." if len(points) < len(runs) else ""
    return picture(
        figure, key, title,
        f"What {task.name} reaches on the test part at every threshold" + ", mean and range over seeds" * several
        + f".{fewer} Dotted: scores that say nothing; on the right, probabilities that come true as often as they say "
        "(a larger mark holds more samples). Where curves cross, it depends on the threshold which model is better.",
        f"Curves of {task.name}: {'; '.join(said)}.",
    )  # fmt: skip


def _measured(runs: list[Run], task: str) -> list[tuple[Run, OperatingPoints, Reliability]]:
    """The runs that hold counts at every threshold, with these and the bins of their probabilities."""
    details = [(run, run.record.detail[task]) for run in runs if task in run.record.detail]
    return [
        (run, detail.operating_points, detail.reliability)
        for run, detail in details
        if detail.operating_points is not None and detail.reliability is not None
    ]


def _band(ax: Axes, name: str, names: list[str], curves: Array, start: float | None = None) -> None:
    """A model's mean curve over GRID and the range over its seeds; `curves` [seeds, grid], from `start` at 0."""
    line = method_line(name, names)
    x, mean = GRID, curves.mean(axis=0)
    if start is not None:
        x, mean = np.concatenate([[0.0], x]), np.concatenate([[start], mean])
    ax.plot(x, mean, label=name, **line)
    if len(curves) > 1:
        ax.fill_between(GRID, curves.min(axis=0), curves.max(axis=0), color=line["color"], alpha=0.15, linewidth=0)


def _reliability(ax: Axes, name: str, names: list[str], diagrams: list[Reliability]) -> None:
    """Bins of the predicted probability, each with the samples of all seeds."""
    bins, probability, positive, samples = (
        np.concatenate([np.asarray(values, dtype=float) for values in several])
        for several in (
            [diagram.bin for diagram in diagrams],
            [diagram.probability for diagram in diagrams],
            [diagram.positive for diagram in diagrams],
            [diagram.samples for diagram in diagrams],
        )
    )
    held = np.unique(bins)
    count = np.array([samples[bins == number].sum() for number in held])
    x, y = (
        np.array([(values * samples)[bins == number].sum() for number in held]) / count
        for values in (probability, positive)
    )
    line = method_line(name, names)
    ax.plot(x, y, **{**line, "linewidth": 1.2})
    size = 8 + 90 * count / count.sum()
    marker = "o" if name == STL else method_marker(name, names)
    ax.scatter(x, y, s=size, color=line["color"], marker=marker, alpha=0.8, linewidths=0)


def _said(name: str, runs: list[Run], task: str) -> str:
    """Mean metrics of one model, in words."""
    texts = []
    for metric, word in (("auc", "AUC"), ("average_precision", "average precision"), ("ece", "calibration error")):
        values = [run.record.test[task].get(metric) for run in runs]
        shown = [in_shown_unit(metric, value) for value in values if known(value)]
        texts += [f"{word} {np.mean(shown):.1f} %"] if shown else []
    return f"{name} {listed(texts)}".strip()
