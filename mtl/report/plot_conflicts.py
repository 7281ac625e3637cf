"""Heat maps of the cosines between task gradients, and how well a surrogate of them steers."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from mtl.report.read import Results, Run
from mtl.report.style import MUTED, PAPER, Missing, Picture, blank_rest, canvas, method_line, picture
from mtl.report.words import known, listed
from mtl.results.pair_arrays import as_matrix

MOST_NUMBERS = 8
"""Tasks up to which the cells hold numbers."""
MOST_LINES = 30
"""Tasks up to which cells are set apart."""
MOST_NAMED = 100
"""Tasks up to which rows and columns are named; above, names would lie on each other."""
FEW, MANY = 6, 2
"""Methods that are drawn, up to `MOST_NUMBERS` tasks and above."""
EXTREMES = 3
"""Pairs that are named in the caption."""


def conflicts(results: Results) -> Picture | Missing:
    """A map for each method: mean cosine of every two tasks' gradients on the shared weights."""
    key, title = "conflicts", "Conflicts between tasks"
    averaged = [(method, _cosines(method.trained, results.methods.get(method.name, [])))
             for method in results.verdicts.methods]  # fmt: skip
    maps = [(method, cosines) for method, cosines in averaged if cosines is not None]
    if not maps:
        return Missing(key, title, "no cosines of two tasks' gradients were recorded (`train.gradient_probes`)")
    most = max(len(method.trained) for method, _ in maps)
    shown = maps[: FEW if most <= MOST_NUMBERS else MANY]
    side = float(np.clip(1.4 + 0.4 * most, 2.4, 7.5))
    columns = min(len(shown), max(1, int(11 / side)))
    rows = -(-len(shown) // columns)
    figure, axes = canvas(side * columns + 0.9, (side - 0.1) * rows + 0.3, rows, columns)
    for number, (ax, (method, cosines)) in enumerate(zip(axes, shown, strict=False)):
        _map(ax, cosines, method.trained, named=number % columns == 0 or most > MOST_NUMBERS)
        ax.set_title(method.name)
    blank_rest(axes, len(shown))
    said = "; ".join(f"{method.name}: {_worst(cosines, method.trained)}" for method, cosines in shown)
    left = f" Shown: {len(shown)} of {len(maps)} methods." if len(shown) < len(maps) else ""
    left += " Tasks are numbered in their order, from 0." if most > MOST_NAMED else ""
    return picture(
        figure, key, title,
        "Cosine between the gradients of two tasks on the shared weights: mean over the probed steps of all epochs and "
        "over seeds, before weighting. Red pulls apart, blue pulls together; white pairs do not touch each other. "
        f"Lowest: {said}.{left}",
        f"Heat maps of gradient cosines between tasks. Lowest: {said}.",
    )  # fmt: skip


def surrogates(results: Results) -> Picture | None:
    """Cosine, per epoch, of the direction of methods that see gradients on the features with the exact one."""
    names = [method.name for method in results.verdicts.methods]
    curves = {name: _agreement(results.methods.get(name, [])) for name in names}
    curves = {name: values for name, values in curves.items() if values.size}
    if not curves:
        return None
    figure, axes = canvas(6.4, 2.8)
    for name, values in curves.items():
        axes[0].plot(np.arange(1, len(values) + 1), values, label=name, marker="o", markersize=3,
                     **method_line(name, names))  # fmt: skip
    axes[0].axhline(1, color=MUTED, linewidth=1)
    axes[0].set_ylabel("cosine to the exact direction")
    axes[0].set_xlabel("epoch")
    axes[0].xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0].legend()
    said = listed([f"{name} {float(np.nanmean(values)):.2f}" for name, values in curves.items()])
    return picture(
        figure, "surrogates", "Surrogate directions",
        "Methods with `features: features` see gradients on the features, one backward pass for all. Their direction "
        "against the one that the same method takes from the gradients on the shared weights, at the probed steps; "
        f"mean over seeds. Over all epochs: {said}.",
        f"Cosine of surrogate directions to the exact ones over epochs; means: {said}.",
    )  # fmt: skip


def _cosines(tasks: list[str], runs: list[Run]) -> NDArray[np.float64] | None:
    """[K, K] with ones on the diagonal, NaN for a pair that was never probed; None if none was."""
    sums, counts = np.zeros((len(tasks), len(tasks))), np.zeros((len(tasks), len(tasks)))
    for epoch in (epoch for run in runs for epoch in run.epochs):
        cosines = as_matrix(epoch.gradients.cosines, tasks)
        there = np.isfinite(cosines)
        sums += np.where(there, cosines, 0.0)
        counts += there
    if not counts.any():
        return None
    whole = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    np.fill_diagonal(whole, 1.0)
    return whole


def _agreement(runs: list[Run]) -> NDArray[np.float64]:
    """[epochs]: mean over the seeds that reached an epoch."""
    kept = [[value for epoch in run.epochs if (value := epoch.gradients.surrogate) is not None] for run in runs]
    longest = max(map(len, kept), default=0)
    return np.array([np.mean([values[e] for values in kept if e < len(values)]) for e in range(longest)])


def _worst(cosines: NDArray[np.float64], tasks: list[str]) -> str:
    """The pairs with the lowest cosine, in words."""
    rows, columns = np.tril_indices(len(tasks), -1)
    values = cosines[rows, columns]
    bound = np.partition(values[np.isfinite(values)], EXTREMES - 1)[EXTREMES - 1] if len(values) > EXTREMES else np.inf
    near = np.flatnonzero(values <= bound)
    lowest = sorted((float(values[n]), f"{tasks[rows[n]]} · {tasks[columns[n]]}") for n in near)[:EXTREMES]
    return ", ".join(f"{name} {value:.2f}".replace("-", "−") for value, name in lowest)


def _map(ax: Axes, cosines: NDArray[np.float64], tasks: list[str], named: bool) -> None:
    count = len(tasks)
    apart = {"edgecolors": PAPER, "linewidth": 0.8} if count <= MOST_LINES else {"rasterized": True}
    ax.pcolormesh(np.ma.masked_invalid(cosines), cmap="RdBu", vmin=-1, vmax=1, **apart)
    ax.set_ylim(count, 0)
    ax.set_aspect("equal")
    ax.grid(visible=False)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    names = [task if len(task) <= 14 else task[:13] + "…" for task in tasks]
    places, size = np.arange(count) + 0.5, float(np.clip(300 / count, 3.2, 8.5))
    if count > MOST_NAMED:
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(MaxNLocator(5, integer=True))
            axis.set_tick_params(labelsize=8.5)
        return
    ax.set_xticks(places, names, rotation=90 if count > MOST_NUMBERS else 35, fontsize=size,
                  ha="center" if count > MOST_NUMBERS else "right")  # fmt: skip
    ax.set_yticks(places, names if named else [""] * count, fontsize=size)
    if count <= MOST_NUMBERS:
        for row, column in np.ndindex(*cosines.shape):
            if row != column and known(float(cosines[row, column])):
                dark = abs(cosines[row, column]) > 0.6
                ax.text(column + 0.5, row + 0.5, f"{cosines[row, column]:.2f}".replace("-", "−"), ha="center",
                        va="center", color="#ffffff" if dark else "#0b1f33", fontsize=8)  # fmt: skip
