"""Groups of tasks: memberships as a heat map, and the tree of their distances."""

import numpy as np
from matplotlib.ticker import MaxNLocator
from scipy.cluster.hierarchy import dendrogram

from mtl.report.style import (
    INK,
    MARKERS,
    METHOD_COLOURS,
    MUTED,
    STL_COLOUR,
    TASK_COLOURS,
    Missing,
    Picture,
    canvas,
    legend_below,
    picture,
)
from mtl.report.table_of_page import Table
from mtl.report.words import (
    DASH,
    change_text,
    confidence_text,
    count_text,
    is_share,
    known,
    listed,
    metric_title,
    signed,
    value_text,
)
from mtl.results.groupings import Groupings
from mtl.results.groups import Groups
from mtl.results.verdicts import Verdicts

RELATIONS = {
    "map": "data maps, sample by sample",
    "summary": "histograms of the data maps",
    "gradient_cosine": "cosines of the task gradients",
    "lookahead": "lookahead affinities",
}
MOST_NUMBERS = 200
"""Cells of a heat map that still hold their number."""


def groups(grouping: Groups) -> list[Picture | Missing]:
    """Memberships, and the dendrogram, of the groups found."""
    return [_memberships(grouping), _dendrogram(grouping)]


def _memberships(grouping: Groups) -> Picture:
    tasks, values = grouping.tasks, np.asarray(grouping.memberships)
    order = np.argsort(grouping.labels, kind="stable")
    figure, axes = canvas(1.6 + 0.55 * values.shape[1] + 0.08 * max(map(len, tasks)), 0.9 + 0.24 * len(tasks))
    ax = axes[0]
    ax.imshow(values[order], cmap="Blues", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    ax.set_yticks(range(len(tasks)), [tasks[k] for k in order])
    ax.set_xticks(range(values.shape[1]), [str(c + 1) for c in range(values.shape[1])])
    ax.set_xlabel("cluster")
    ax.tick_params(length=0, labelcolor=INK)
    ax.grid(visible=False)
    if values.size <= MOST_NUMBERS:
        for row, k in enumerate(order):
            for c, value in enumerate(values[k]):
                ax.text(c, row, f"{value:.2f}", ha="center", va="center", fontsize=7.5,
                        color="#ffffff" if value > 0.55 else "#222222")  # fmt: skip
    named = [f"{c}: {listed(names) or 'none'}" for c, names in enumerate(grouping.groups, start=1)]
    return picture(
        figure, "memberships", "Memberships",
        _selected(grouping)
        or "How much each task belongs to each cluster; rows sum to 1. A task alone in its cluster has 1.00 by "
        "construction: the finding is that it is alone.",
        f"Clusters: {'; '.join(named)}.",
    )  # fmt: skip


def _selected(grouping: Groups) -> str | None:
    """Meaning of a membership where groups were selected; None for clusters."""
    if grouping.algorithm.kind != "network_selection":
        return None
    return "1: the group's model trains the task. A task may train in several groups, and is served by one of them."


def _dendrogram(grouping: Groups) -> Picture | Missing:
    title = "Dendrogram"
    if len(grouping.tasks) < 2:
        return Missing("dendrogram", title, "one task has no distances")
    # Drawn here: scipy's own drawing asks for pyplot, which keeps state between figures.
    tree = dendrogram(np.asarray(grouping.linkage), no_plot=True)
    figure, axes = canvas(4.6, 0.8 + 0.24 * len(grouping.tasks))
    ax = axes[0]
    for heights, places in zip(tree["dcoord"], tree["icoord"], strict=True):
        ax.plot(heights, places, color=MUTED, linewidth=1.3)
    leaves: list[int] = list(tree["leaves"] or [])
    names = [grouping.tasks[leaf] for leaf in leaves]
    ax.set_yticks(5 + 10 * np.arange(len(names)), names)
    for label, leaf in zip(ax.get_yticklabels(), leaves, strict=True):
        label.set_color(TASK_COLOURS[grouping.labels[leaf] % len(TASK_COLOURS)])
    ax.tick_params(axis="y", length=0)
    ax.set_xlim(left=0)
    ax.grid(visible=False, axis="y")
    ax.set_xlabel("mean distance at which tasks are joined")
    return picture(
        figure, "dendrogram", title,
        f"By {RELATIONS[grouping.relation.kind]}; names take the colour of their cluster. Long bars between joins "
        "mean clear groups, a staircase means none.",
        f"Tree of the distances between {listed(grouping.tasks)}.",
    )  # fmt: skip


def group_tables(grouping: Groups) -> list[Table]:
    """The clusters, and the scores of every number of clusters that was tried."""
    stability = grouping.stability
    agreed = [
        f"{'between seeds of the training' if key == 'runs' else 'between starts of the method'} {value:.2f}"
        for key, value in (("runs", stability.runs), ("starts", stability.starts))
        if value is not None
    ]
    caption = f"Clusters of the tasks of {grouping.source}, by {RELATIONS[grouping.relation.kind]}"
    if agreed:
        caption += f"; mean adjusted Rand index (1: the same groups) {', '.join(agreed)}"
    members = [[str(c), str(len(names)), listed(names) or "none"] for c, names in enumerate(grouping.groups, start=1)]
    tables = [Table(caption, ["cluster", "tasks", "members"], members)]
    if grouping.facts.lookahead is not None:
        tables.append(_lookahead_table(grouping.tasks, grouping.facts.lookahead))
    if _selected(grouping) is not None:
        ((most, score),) = grouping.scores.items()
        tables.append(
            Table("Network selection: sum over tasks of the mean affinity onto them", ["models at most", "score"],
                  [[most, f"{score['affinity']:.4f}"]])
        )  # fmt: skip
        return tables
    scores = [
        [count + (" (taken)" if int(count) == grouping.clusters else ""), f"{s['silhouette']:.3f}",
         f"{s['partition_coefficient']:.3f}"]
        for count, s in sorted(grouping.scores.items(), key=lambda item: int(item[0]))
    ]  # fmt: skip
    return [*tables, Table("Number of clusters", ["clusters", "silhouette", "partition coefficient"], scores)]


def _lookahead_table(tasks: list[str], affinities: list[list[float]]) -> Table:
    """Z, in thousandths: the step that is looked ahead is short."""
    rows = [
        [task, *(f"{1000 * value:+.2f}".replace("-", "−") for value in row)]
        for task, row in zip(tasks, affinities, strict=True)
    ]
    return Table(
        "Lookahead affinity × 1000 of the task of a row onto that of a column: the share by which a gradient step for "
        "the one lowers the loss of the other, mean over probes and seeds",
        ["step for", *tasks],
        rows,
    )


def grouping_figure(compared: Groupings) -> Picture:
    """Mean change over the main tasks against the number of models; intervals over seeds."""
    figure, axes = canvas(6.4, 3.4)
    ax = axes[0]
    named = [row for row in compared.rows if row.kind not in ("random", "partition")]
    for row in compared.rows:
        if row.kind in ("random", "partition") and known(row.delta_m.mean):
            ax.plot(row.models, row.delta_m.mean, ".", color=STL_COLOUR, markersize=4, alpha=0.7)
    counts = [row.models for row in named]
    for number, row in enumerate(named):
        beside = counts[:number].count(row.models)  # candidates of one size stand side by side
        x, delta = row.models + 0.12 * beside, row.delta_m
        colour = METHOD_COLOURS[number % len(METHOD_COLOURS)]
        if known(delta.low) and known(delta.high):
            ax.plot([x, x], [delta.low, delta.high], color=colour, linewidth=1.4)
        mean = delta.mean if known(delta.mean) else np.nan
        ax.plot(x, mean, MARKERS[number % len(MARKERS)], color=colour, markersize=6, label=row.name)
    ax.axhline(0, color=INK, linewidth=0.8)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("number of models")
    ax.set_ylabel("Δm against STL, %")
    legend_below(figure, axes)
    return picture(
        figure, "groupings", "Mean change against number of models",
        "Mean change of the main tasks against single-task models, with intervals over seeds; grey points are the "
        "single random groupings and partitions. A grouping is worth its name when it lies above them at its number.",
        "; ".join(f"{row.name}: {row.models} models, {signed(row.delta_m.mean)} %" for row in named) + ".",
    )  # fmt: skip


def grouping_table(compared: Groupings, verdicts: Verdicts) -> Table:
    """The candidates with their costs."""
    metrics = {task.name: task.metric for task in verdicts.tasks}
    tasks = list(compared.rows[0].metrics)
    rows = [
        [
            row.name, str(row.models), f"{row.passes_a_task} / {row.passes_all_tasks}",
            count_text(round(row.parameters)), change_text(row.delta_m), change_text(row.over_random),
            *(value_text(metrics[task], row.metrics[task]) for task in tasks),
            "; ".join(listed(group) for group in row.groups) or DASH,
        ]
        for row in compared.rows
    ]  # fmt: skip
    return Table(
        f"Groupings at their number of models: test metrics ({_metrics(verdicts, tasks)}), means over seeds. Passes: "
        "through networks, for one task and for all tasks of a sample. `clusters` asks the model of a task's cluster "
        "(hard), `ensemble` asks all, weighted by membership (soft). Over random: Δm less the mean of random groupings "
        "into as many models, in points, paired by seed. Weights of the losses: "
        f"{compared.weights.replace('_', ' ')}.",
        [
            "grouping",
            "models",
            "passes",
            "parameters",
            f"Δm % [{confidence_text(verdicts)}]",
            "over random",
            *tasks,
            "groups",
        ],
        rows,
    )


def _metrics(verdicts: Verdicts, names: list[str]) -> str:
    """Metrics of some tasks in words: `MSE of forecasts, accuracy of labels in percent`."""
    tasks = [verdicts.task(name) for name in names]
    shown = [
        f"{metric_title(task.metric)} of {'labels in percent' if is_share(task.metric) else f'{task.kind}s'}"
        for task in tasks
    ]
    return ", ".join(dict.fromkeys(shown))
