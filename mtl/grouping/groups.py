"""Groups of tasks from features or affinities that are at hand, of one run or several.

K tasks, C clusters, F features.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
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
from mtl.grouping.clustering import agreement, choose, cluster, distances, scores_of
from mtl.grouping.features import from_affinity, lookahead_cosines, map_features, reduced, summary_features
from mtl.grouping.maps import TaskMap
from mtl.grouping.selection import select_groups
from mtl.results.groups import Facts, Matrix

Array = NDArray[np.float64]
STARTS = 5
"""Seeds of the grouping method that are compared for stability."""


@dataclass(frozen=True)
class Seen:
    """Features of the tasks, taken from their runs."""

    points: list[Array]
    """[K, F] of each run."""
    affinities: list[Array] = field(default_factory=list)
    """[K, K] of each run, row i holding those of task i onto the others; empty for relations that are none."""
    facts: Facts = field(default_factory=Facts)
    """Measured quantities that the report shows."""


@dataclass(frozen=True)
class Grouped:
    """Groups of the tasks, and what tells how far they can be trusted."""

    memberships: Matrix
    """[K][C]; of a network selection 1 in every group that trains the task, and 0 elsewhere."""
    labels: list[int]
    """[K] group of each task, or the one that it belongs to most."""
    scores: dict[str, dict[str, float]]
    """Number of clusters → score → value."""
    runs: list[list[int]]
    """Labels of each run grouped alone."""
    starts: list[list[int]]
    """Labels from other first centroids; empty for methods that have none."""
    distances: Matrix
    """[K][K] between the features of all runs, laid end to end."""
    linkage: Matrix
    """[K − 1][4] in the form of SciPy; empty for one task."""

    def members(self, tasks: Sequence[str]) -> list[list[str]]:
        """Names of the tasks of each cluster, of those that belong to it most."""
        count = len(self.memberships[0])
        return [[task for task, label in zip(tasks, self.labels, strict=True) if label == c] for c in range(count)]

    @property
    def agreement_of_runs(self) -> float | None:
        """Mean adjusted Rand index between the groupings of single runs; None for one run."""
        return agreement(self.runs)

    @property
    def agreement_of_starts(self) -> float | None:
        """The same between groupings from other first centroids; None for methods that have none."""
        return agreement(self.starts)


def seen_in_maps(relation: MapFeatures | SummaryFeatures, maps: Sequence[Sequence[Sequence[TaskMap]]]) -> Seen:
    """Features of tasks from their data maps.

    Args:
        relation: the kind of features.
        maps: [runs][E][K] maps of the same tasks, at E epochs.

    Raises:
        UserError: the tasks have different samples where the relation compares sample by sample.
    """
    if isinstance(relation, SummaryFeatures):
        return Seen([summary_features(run, relation.bins) for run in maps])
    both = [map_features(run) for run in maps]
    return Seen([points for points, _ in both], facts=Facts(samples=[samples for _, samples in both]))


def seen_in_affinities(
    relation: CosineAffinity | LookaheadAffinity, matrices: Sequence[Array], tasks: Sequence[str]
) -> Seen:
    """Features of tasks from their affinities.

    Args:
        relation: the kind of affinity.
        matrices: [runs][K, K], row i holding those of task i onto the others.
        tasks: names of the K tasks.

    Raises:
        UserError: a step for some task does not lower its own loss.
    """
    mean: Matrix = np.mean(matrices, axis=0).tolist()
    match relation:
        case CosineAffinity():
            return Seen([from_affinity(matrix) for matrix in matrices], list(matrices), Facts(cosines=mean))
        case LookaheadAffinity():
            points = [from_affinity(lookahead_cosines(matrix, tasks)) for matrix in matrices]
            return Seen(points, list(matrices), Facts(lookahead=mean))
        case _:
            assert_never(relation)


def group(config: ClusterConfig, seen: Seen) -> Grouped:
    """Groups tasks.

    Features of all runs are laid end to end, so that a distance counts every run; each run is also grouped alone, and
    how well these groupings agree (mean adjusted Rand index) says how far the groups can be trusted.

    Args:
        config: method, number of groups and seed.
        seen: features of the tasks; of a network selection affinities, too.

    Raises:
        UserError: there are more clusters than tasks that differ, or too many tasks for a network selection.
    """
    points = reduced(np.concatenate(seen.points, axis=1))
    memberships, labels, scores, runs, starts = _grouped(config, points, seen)
    between = distances(points, points).tolist()
    tree = linkage(points, "average").tolist() if len(points) > 1 else []
    return Grouped(memberships, labels, scores, runs, starts, between, tree)


_Parts = tuple[Matrix, list[int], dict[str, dict[str, float]], list[list[int]], list[list[int]]]


def _grouped(config: ClusterConfig, points: Array, seen: Seen) -> _Parts:
    """Memberships, labels, scores, and labels of single runs and of other starts."""
    algorithm = config.algorithm
    if isinstance(algorithm, NetworkSelection):
        assert config.clusters != "auto"
        best = select_groups(np.mean(seen.affinities, axis=0), config.clusters)
        held = [[float(task in group) for group in best.groups] for task in range(len(points))]
        runs = [select_groups(own, config.clusters).labels for own in seen.affinities]
        return held, best.labels, {str(config.clusters): {"affinity": best.score}}, runs, []
    if config.clusters == "auto":
        clustering, scores = choose(points, algorithm, config.choose_by, config.seed)
    else:
        clustering = cluster(points, algorithm, config.clusters, config.seed)
        scores = {str(config.clusters): scores_of(points, clustering)}
    count = clustering.memberships.shape[1]
    return (
        clustering.memberships.tolist(),
        clustering.labels,
        scores,
        [cluster(reduced(own), algorithm, count, config.seed).labels for own in seen.points],
        [cluster(points, algorithm, count, config.seed + s).labels for s in range(STARTS)],
    )
