"""Groups of tasks from the runs of a joint method: the content of outputs/cluster/groups.json.

K tasks, C clusters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import linkage

from mtl.config.grouping import (
    ClusterConfig,
    CosineAffinity,
    LookaheadAffinity,
    MapFeatures,
    NetworkSelection,
    SummaryFeatures,
)
from mtl.errors import UserError
from mtl.grouping.clustering import agreement, choose, cluster, distances, scores_of
from mtl.grouping.features import from_affinity, lookahead_cosines, map_features, reduced, summary_features
from mtl.grouping.maps import FILE, RunMaps, TaskMap, read_maps
from mtl.grouping.selection import select_groups
from mtl.paths import RunPath
from mtl.results.groups import Facts, Groups, Stability
from mtl.results.reading import HISTORY, read_history, read_run

Array = NDArray[np.float64]
STARTS = 5
"""Seeds of the grouping method that are compared for stability."""


def find_groups(config: ClusterConfig, seeds: Sequence[int], root: Path = Path()) -> Groups:
    """Groups the tasks of `cluster.source` by what its runs recorded.

    Features of all seeds are laid end to end, so that a distance counts every run; each run is also grouped alone, and
    how well these groupings agree (mean adjusted Rand index) says how far the groups can be trusted.

    Raises:
        UserError: a run or its map is missing or damaged, was recorded for one epoch only, or cannot be compared by the
            relation asked for; or there are more clusters than tasks.
    """
    assert config.source is not None
    paths = [RunPath("finetune", config.source, None, seed) for seed in seeds]
    run = read_run(paths[0], root)
    tasks = run.tasks
    if config.clusters != "auto" and config.clusters > len(tasks):
        raise UserError(
            f"`cluster.clusters` should be at most the {len(tasks)} tasks of {config.source}, found {config.clusters}."
        )
    seen = _look(config, paths, tasks, root)
    points = reduced(np.concatenate(seen.points, axis=1))
    grouped = _grouped(config, points, seen)
    return Groups(
        source=config.source,
        relation=config.relation,
        algorithm=config.algorithm,
        choose_by=config.choose_by if config.clusters == "auto" else None,
        seeds=list(seeds),
        start=run.begun,
        tasks=tasks,
        clusters=len(grouped.memberships[0]),
        memberships=grouped.memberships,
        labels=grouped.labels,
        groups=[
            [t for t, label in zip(tasks, grouped.labels, strict=True) if label == c]
            for c in range(len(grouped.memberships[0]))
        ],
        scores=grouped.scores,
        stability=Stability(runs=agreement(grouped.runs), starts=agreement(grouped.starts)),
        labels_of_runs={str(seed): labels for seed, labels in zip(seeds, grouped.runs, strict=True)},
        distances=distances(points, points).tolist(),
        linkage=linkage(points, "average").tolist() if len(tasks) > 1 else [],
        facts=seen.facts,
    )


@dataclass(frozen=True)
class _Seen:
    """Features of the tasks, taken from their runs."""

    points: list[Array]
    """[K, F] of each run."""
    affinities: list[Array]
    """[K, K] of each run, row i holding those of task i onto the others; empty for relations that are none."""
    facts: Facts
    """Measured quantities that the report shows."""


@dataclass(frozen=True)
class _Grouped:
    memberships: list[list[float]]
    """[K][C]; of a network selection 1 in every group that trains the task, and 0 elsewhere."""
    labels: list[int]
    scores: dict[str, dict[str, float]]
    runs: list[list[int]]
    """Labels of each run grouped alone."""
    starts: list[list[int]]
    """Labels from other first centroids; empty for methods that have none."""


def _grouped(config: ClusterConfig, points: Array, seen: _Seen) -> _Grouped:
    algorithm = config.algorithm
    if isinstance(algorithm, NetworkSelection):
        assert config.clusters != "auto"
        best = select_groups(np.mean(seen.affinities, axis=0), config.clusters)
        held = [[float(task in group) for group in best.groups] for task in range(len(points))]
        runs = [select_groups(own, config.clusters).labels for own in seen.affinities]
        return _Grouped(held, best.labels, {str(config.clusters): {"affinity": best.score}}, runs, [])
    if config.clusters == "auto":
        clustering, scores = choose(points, algorithm, config.choose_by, config.seed)
    else:
        clustering = cluster(points, algorithm, config.clusters, config.seed)
        scores = {str(config.clusters): scores_of(points, clustering)}
    count = clustering.memberships.shape[1]
    return _Grouped(
        clustering.memberships.tolist(),
        clustering.labels,
        scores,
        [cluster(reduced(own), algorithm, count, config.seed).labels for own in seen.points],
        [cluster(points, algorithm, count, config.seed + s).labels for s in range(STARTS)],
    )


def _look(config: ClusterConfig, paths: list[RunPath], tasks: list[str], root: Path) -> _Seen:
    relation = config.relation
    match relation:
        case MapFeatures():
            read = [_maps(root / path.folder, tasks, relation.epochs) for path in paths]
            both = [map_features(maps) for maps in read]
            return _Seen([points for points, _ in both], [], Facts(samples=[samples for _, samples in both]))
        case SummaryFeatures():
            read = [_maps(root / path.folder, tasks, relation.epochs) for path in paths]
            return _Seen([summary_features(maps, relation.bins) for maps in read], [], Facts())
        case CosineAffinity():
            matrices = [_cosines(path, tasks, root) for path in paths]
            points = [from_affinity(matrix) for matrix in matrices]
            return _Seen(points, matrices, Facts(cosines=np.mean(matrices, axis=0).tolist()))
        case LookaheadAffinity():
            matrices = [_lookahead(path, tasks, root) for path in paths]
            points = [from_affinity(lookahead_cosines(matrix, tasks)) for matrix in matrices]
            return _Seen(points, matrices, Facts(lookahead=np.mean(matrices, axis=0).tolist()))
        case _:
            assert_never(relation)


def _maps(folder: Path, tasks: list[str], epochs: list[int] | None) -> list[list[TaskMap]]:
    """[E][K] maps at the snapshots asked for, or at the end."""
    run_maps: RunMaps = read_maps(folder / FILE)
    chosen = run_maps.epochs[-1:] if epochs is None else epochs
    absent = [epoch for epoch in chosen if epoch not in run_maps.epochs]
    if absent:
        raise UserError(
            f"`cluster.relation.epochs` should be among the epochs kept in {folder / FILE} "
            f"({', '.join(map(str, run_maps.epochs))}), found {absent[0]}."
        )
    if max(chosen) < 2:
        raise UserError(
            f"{folder / FILE} holds one epoch only, over which nothing varies: a data map needs two or more "
            "(`train.epochs`, `cluster.relation.epochs`)."
        )
    return [[run_maps.maps[epoch][task] for task in tasks] for epoch in chosen]


def _cosines(path: RunPath, tasks: list[str], root: Path) -> Array:
    """[K, K] mean cosine of each pair's gradients on the shared parameters, over the epochs of a run."""
    epochs = read_history(path, root).epochs
    matrix = np.eye(len(tasks))
    for i, first in enumerate(tasks):
        for j, other in enumerate(tasks[i + 1 :], start=i + 1):
            values = [epoch.gradients.cosines.get(f"{first}|{other}") for epoch in epochs]
            known = [value for value in values if value is not None]
            if not known:
                raise UserError(
                    f"{path.folder / HISTORY} holds no gradient cosine of {first} and {other}: "
                    "`train.gradient_probes` should be at least 1, and the encoder trained and shared."
                )
            matrix[i, j] = matrix[j, i] = sum(known) / len(known)
    return matrix


def _lookahead(path: RunPath, tasks: list[str], root: Path) -> Array:
    """[K, K] mean lookahead affinity of each task onto each, over the probes of a run."""
    probed = [epoch.lookahead for epoch in read_history(path, root).epochs if epoch.lookahead is not None]
    matrix = np.zeros((len(tasks), len(tasks)))
    for i, acting in enumerate(tasks):
        for j, other in enumerate(tasks):
            known = [
                (part.affinity[acting][other], part.probes[acting][other])
                for part in probed
                if other in part.affinity[acting]
            ]
            if not known:
                raise UserError(
                    f"{path.folder / HISTORY} holds no lookahead affinity of {acting} onto {other}: `lookahead` of the "
                    "method should ask for it (a smaller `every` sees more steps), the encoder be trained and shared."
                )
            matrix[i, j] = sum(value * count for value, count in known) / sum(count for _, count in known)
    return matrix
