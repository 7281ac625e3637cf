"""Data maps: variability against confidence of every training sample, a panel a task (Swayamdipta 2020, fig. 1)."""

import numpy as np

from mtl.grouping.maps import EASY, HARD, RunMaps, TaskMap
from mtl.report.style import INK, MUTED, Missing, Picture, blank_rest, canvas, picture
from mtl.report.table_of_page import Table

MOST_PANELS = 18
MOST_POINTS = 2000
"""Samples of a panel, spread evenly over those of the task."""
LISTED = 10
"""Hardest samples of a task that are listed."""


def data_maps(method: str, seed: int, maps: RunMaps) -> list[Picture | Missing]:
    """The maps at the end of one run."""
    key, title = f"datamap_{method}", f"Data maps of {method}"
    shown = list(maps.last.values())[:MOST_PANELS]
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    figure, axes = canvas(3.3 * columns + 0.9, 2.6 * rows + 0.3, rows, columns, sharex=True, sharey=True)
    colours = None
    for ax, task_map in zip(axes, shown, strict=False):
        places = np.flatnonzero(task_map.known)
        places = places[np.linspace(0, len(places) - 1, min(len(places), MOST_POINTS)).round().astype(int)]
        # Thousands of points are one image inside the drawing, not thousands of elements.
        colours = ax.scatter(
            task_map.variability[places], task_map.confidence[places], c=task_map.correctness[places], s=5,
            linewidths=0, cmap="coolwarm_r", vmin=0, vmax=1, rasterized=True,
        )  # fmt: skip
        for border in (HARD, EASY):
            ax.axhline(border, color=MUTED, linewidth=0.8, linestyle=":")
        ax.set_title(task_map.task)
        ax.set_ylim(-0.02, 1.02)
        ax.set_xlim(-0.01, 0.51)
    for ax in axes[max(0, len(shown) - columns) : len(shown)]:  # the lowest panel of each column
        ax.set_xlabel("variability")
        ax.tick_params(labelbottom=True)
    for ax in axes[::columns]:
        ax.set_ylabel("confidence")
    blank_rest(axes, len(shown))
    assert colours is not None
    bar = figure.colorbar(colours, ax=axes, fraction=0.03, pad=0.02)
    bar.set_label("correctness", color=MUTED)
    bar.outline.set_edgecolor(INK)
    rest = len(maps.last) - len(shown)
    return [picture(
        figure, key, title,
        f"Seed {seed}, {maps.epochs[-1]} epochs, values of the {maps.record} passes; a point is a training sample. "
        "High and left: easy to learn. Right: ambiguous, the model changes its mind. Low and left: hard to "
        "learn, often a wrong label. A coin's samples all lie near the middle."
        + (f" The first {len(shown)} tasks of {len(maps.last)}." if rest > 0 else ""),
        "Data maps; share of easy, ambiguous and hard samples: "
        + "; ".join(f"{task_map.task} {_shares(task_map)}" for task_map in shown) + ".",
    )]  # fmt: skip


def regions(task_map: TaskMap) -> dict[str, float]:
    """Shares of a task's samples by confidence: easy above ⅔, hard below ⅓, the others ambiguous."""
    confidence = task_map.confidence[task_map.known]
    easy, hard = float((confidence > EASY).mean()), float((confidence < HARD).mean())
    return {"easy": easy, "ambiguous": 1 - easy - hard, "hard": hard}


def _shares(task_map: TaskMap) -> str:
    return ", ".join(f"{100 * share:.0f} % {name}" for name, share in regions(task_map).items())


def map_tables(method: str, maps: RunMaps) -> list[Table]:
    """Shares of the regions, and each task's hardest samples."""
    shares = [
        [task_map.task, f"{int(task_map.known.sum()):,}",
         *(f"{100 * share:.1f} %" for share in regions(task_map).values()),
         f"{task_map.confidence[task_map.known].mean():.3f}", f"{task_map.variability[task_map.known].mean():.3f}"]
        for task_map in maps.last.values()
    ]  # fmt: skip
    hardest = [
        [task_map.task, ", ".join(f"{h['sample']} ({h['confidence']:.2f})" for h in task_map.hardest(LISTED))]
        for task_map in maps.last.values()
    ]
    return [
        Table(
            f"Regions of {method}: easy has a confidence above ⅔, hard below ⅓",
            ["task", "samples", "easy", "ambiguous", "hard", "mean confidence", "mean variability"],
            shares,
        ),
        Table(
            f"Hardest samples of {method}: number of the sample (confidence); look here for wrong labels. A window is "
            "numbered by its first row in the source, an image by its place.",
            ["task", "lowest confidence first"],
            hardest,
        ),
    ]
