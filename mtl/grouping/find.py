"""From the runs of a joint method to groups of its tasks: the content of outputs/cluster/groups.json.

K tasks, C clusters.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, assert_never

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import linkage

from mtl.config.grouping import ClusterConfig, CosineAffinity, MapFeatures, SummaryFeatures
from mtl.errors import UserError
from mtl.grouping.clustering import agreement, choose, cluster, distances, scores_of
from mtl.grouping.features import from_affinity, map_features, reduced, summary_features
from mtl.grouping.maps import FILE, RunMaps, TaskMap, read_maps
from mtl.paths import RunPath

Array = NDArray[np.float64]
STARTS = 5
"""Seeds of the grouping method that are compared for stability."""


def find_groups(config: ClusterConfig, seeds: Sequence[int], root: Path = Path()) -> dict[str, Any]:
    """Groups the tasks of `cluster.source` by what its runs recorded.

    Features of all seeds are laid end to end, so that a distance counts every run; each run is also grouped alone, and
    how well these groupings agree (mean adjusted Rand index) says how far the groups can be trusted.

    Raises:
        UserError: a run or its map is missing or damaged, was recorded for one epoch only, or cannot be compared by the
            relation asked for; or there are more clusters than tasks.
    """
    assert config.source is not None
    folders = [root / RunPath("finetune", config.source, None, seed).folder for seed in seeds]
    run = _run(folders[0], config.source)
    tasks = list(run["tasks"])
    if config.clusters != "auto" and config.clusters > len(tasks):
        raise UserError(
            f"`cluster.clusters` should be at most the {len(tasks)} tasks of {config.source}, found {config.clusters}."
        )
    by_run, facts = _points(config, folders, tasks)
    points = reduced(np.concatenate(by_run, axis=1))
    if config.clusters == "auto":
        found, scores = choose(points, config.algorithm, config.choose_by, config.seed)
    else:
        found = cluster(points, config.algorithm, config.clusters, config.seed)
        scores = {str(config.clusters): scores_of(points, found)}
    count = found.memberships.shape[1]
    runs = [cluster(reduced(own), config.algorithm, count, config.seed).labels for own in by_run]
    starts = [cluster(points, config.algorithm, count, config.seed + s).labels for s in range(STARTS)]
    return {
        "source": config.source,
        "relation": config.relation.model_dump(mode="json"),
        "algorithm": config.algorithm.model_dump(mode="json"),
        "choose_by": config.choose_by if config.clusters == "auto" else None,
        "seeds": list(seeds),
        "start": {key: run[key] for key in ("init", "freeze", "width")},
        "tasks": tasks,
        "clusters": count,
        "memberships": found.memberships.tolist(),
        "labels": found.labels,
        "groups": [[t for t, label in zip(tasks, found.labels, strict=True) if label == c] for c in range(count)],
        "scores": scores,
        "stability": {"runs": agreement(runs), "starts": agreement(starts)},
        "labels_of_runs": {str(seed): labels for seed, labels in zip(seeds, runs, strict=True)},
        "distances": distances(points, points).tolist(),
        "linkage": linkage(points, "average").tolist() if len(tasks) > 1 else [],
        "facts": facts,
    }


def _run(folder: Path, source: str) -> dict[str, Any]:
    file = folder / "run.json"
    try:
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{file} is missing; run `dvc repro finetune@{source}`.") from None
    return found


def _points(config: ClusterConfig, folders: list[Path], tasks: list[str]) -> tuple[list[Array], dict[str, Any]]:
    """For each run [K, F]; and what the report says of them."""
    relation = config.relation
    match relation:
        case MapFeatures():
            read = [_maps(folder, tasks, relation.epochs) for folder in folders]
            both = [map_features(maps) for maps in read]
            return [points for points, _ in both], {"samples": [samples for _, samples in both]}
        case SummaryFeatures():
            read = [_maps(folder, tasks, relation.epochs) for folder in folders]
            return [summary_features(maps, relation.bins) for maps in read], {}
        case CosineAffinity():
            matrices = [_cosines(folder, tasks) for folder in folders]
            mean = sum(matrices[1:], matrices[0]) / len(matrices)
            return [from_affinity(matrix) for matrix in matrices], {"cosines": mean.tolist()}
        case _:
            assert_never(relation)


def _maps(folder: Path, tasks: list[str], epochs: list[int] | None) -> list[list[TaskMap]]:
    """[E][K] maps at the snapshots asked for, or at the end."""
    found: RunMaps = read_maps(folder / FILE)
    chosen = found.epochs[-1:] if epochs is None else epochs
    absent = [epoch for epoch in chosen if epoch not in found.epochs]
    if absent:
        raise UserError(
            f"`cluster.relation.epochs` should be among the epochs kept in {folder / FILE} "
            f"({', '.join(map(str, found.epochs))}), found {absent[0]}."
        )
    if max(chosen) < 2:
        raise UserError(
            f"{folder / FILE} holds one epoch only, over which nothing varies: a data map needs two or more "
            "(`train.epochs`, `cluster.relation.epochs`)."
        )
    return [[found.maps[epoch][task] for task in tasks] for epoch in chosen]


def _cosines(folder: Path, tasks: list[str]) -> Array:
    """[K, K] mean cosine of each pair's gradients on the shared parameters, over the epochs of a run."""
    history = json.loads((folder / "history.json").read_text(encoding="utf-8"))
    matrix = np.eye(len(tasks))
    for i, one in enumerate(tasks):
        for j, other in enumerate(tasks[i + 1 :], start=i + 1):
            values = [epoch["gradients"]["cosines"].get(f"{one}|{other}") for epoch in history["epochs"]]
            known = [value for value in values if value is not None]
            if not known:
                raise UserError(
                    f"{folder / 'history.json'} holds no gradient cosine of {one} and {other}: "
                    "`train.gradient_probes` should be at least 1, and the encoder trained and shared."
                )
            matrix[i, j] = matrix[j, i] = sum(known) / len(known)
    return matrix
