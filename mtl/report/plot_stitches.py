"""Heat maps of cross-stitch units: how much each task takes from the networks of the others, stage by stage."""

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from mtl.report.read import Results, Run
from mtl.report.style import PAPER, Picture, blank_rest, canvas, picture
from mtl.report.words import signed

MOST_NUMBERS = 10
"""Tasks up to which the cells hold numbers."""
MOST_NAMES = 20


def stitches(results: Results) -> list[Picture]:
    """A figure for each method that is cross-stitched."""
    averaged = [(m.name, _units(results.methods.get(m.name, []))) for m in results.verdicts.methods]
    return [_figure(name, *units) for name, units in averaged if units is not None]


def _units(runs: list[Run]) -> tuple[list[str], NDArray[np.float64]] | None:
    """Tasks and α [stages, K, K], the mean over seeds."""
    kept = [units for run in runs if (units := run.record.stitches) is not None]
    if not kept:
        return None
    return kept[0].tasks, np.mean([units.stages for units in kept], axis=0, dtype=np.float64)


def _figure(name: str, tasks: list[str], units: NDArray[np.float64]) -> Picture:
    stages, count = len(units), len(tasks)
    side = min(4.6, 1.5 + 0.42 * count)
    columns = min(stages, max(1, int(11 / side)))
    rows = -(-stages // columns)
    figure, axes = canvas(side * columns + 0.9, rows * (side - 0.1) + 0.3, rows, columns)
    limit = max(1.0, float(np.abs(units).max()))
    for number, (ax, unit) in enumerate(zip(axes, units, strict=False)):
        _unit(ax, unit, tasks, limit, named=number % columns == 0)
        ax.set_title(f"stage {number + 1}")
    blank_rest(axes, stages)
    own = [float(np.mean(unit.diagonal())) for unit in units]
    others = [float(np.mean(unit[~np.eye(count, dtype=bool)])) for unit in units]
    said = [f"stage {n + 1}: own {_shown(a)}, others {_shown(b)}"
            for n, (a, b) in enumerate(zip(own, others, strict=True))]  # fmt: skip
    return picture(
        figure, f"stitches_{name}", f"Cross-stitch units of {name}",
        "Final units, mean over seeds: row = the task that takes, column = the task whose network it takes from. The "
        "identity would be separate networks; what lies beside the diagonal is shared. "
        f"Means: {'; '.join(said)}.",
        f"Cross-stitch units of {name} for {', '.join(tasks)}; mean weights, {'; '.join(said)}.",
    )  # fmt: skip


def _shown(value: float) -> str:
    """Two digits, a true minus."""
    return signed(value, 2).removeprefix("+")


def _unit(ax: Axes, unit: NDArray[np.float64], tasks: list[str], limit: float, named: bool) -> None:
    count = len(tasks)
    ax.pcolormesh(unit, cmap="RdBu", vmin=-limit, vmax=limit, edgecolors=PAPER, linewidth=0.8)
    ax.set_ylim(count, 0)
    ax.set_aspect("equal")
    ax.grid(visible=False)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    names = [task if len(task) <= 14 else task[:13] + "…" for task in tasks] if count <= MOST_NAMES else []
    places = np.arange(len(names)) + 0.5
    ax.set_xticks(places, names, rotation=35, ha="right", rotation_mode="anchor")
    ax.set_yticks(places, names if named else [""] * len(names))
    if count <= MOST_NUMBERS:
        for row, column in np.ndindex(*unit.shape):
            value = float(unit[row, column])
            dark = abs(value) > 0.6 * limit
            ax.text(column + 0.5, row + 0.5, _shown(value), ha="center", va="center",
                    color="#ffffff" if dark else "#0b1f33", fontsize=9 if count <= 5 else 7)  # fmt: skip
