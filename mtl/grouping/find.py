"""Groups of tasks from the runs of a joint method: the content of outputs/cluster/groups.json. K tasks."""

from collections.abc import Sequence
from pathlib import Path
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from mtl.config.grouping import ClusterConfig, CosineAffinity, LookaheadAffinity, MapFeatures, SummaryFeatures
from mtl.errors import UserError
from mtl.grouping.groups import Seen, group, seen_in_affinities, seen_in_maps
from mtl.grouping.maps import FILE, RunMaps, TaskMap, read_maps
from mtl.paths import RunPath
from mtl.results.groups import Groups, Stability
from mtl.results.pair_arrays import as_matrix
from mtl.results.reading import HISTORY, read_history, read_run

Array = NDArray[np.float64]


def find_groups(config: ClusterConfig, seeds: Sequence[int], root: Path = Path()) -> Groups:
    """Groups the tasks of `cluster.source` by what its runs recorded.

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
    grouped = group(config, seen)
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
        groups=grouped.members(tasks),
        scores=grouped.scores,
        stability=Stability(runs=grouped.agreement_of_runs, starts=grouped.agreement_of_starts),
        labels_of_runs={str(seed): labels for seed, labels in zip(seeds, grouped.runs, strict=True)},
        distances=grouped.distances,
        linkage=grouped.linkage,
        facts=seen.facts,
    )


def _look(config: ClusterConfig, paths: list[RunPath], tasks: list[str], root: Path) -> Seen:
    relation = config.relation
    match relation:
        case MapFeatures() | SummaryFeatures():
            return seen_in_maps(relation, [_maps(root / path.folder, tasks, relation.epochs) for path in paths])
        case CosineAffinity():
            return seen_in_affinities(relation, [_cosines(path, tasks, root) for path in paths], tasks)
        case LookaheadAffinity():
            return seen_in_affinities(relation, [_lookahead(path, tasks, root) for path in paths], tasks)
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
    total, count = np.zeros((len(tasks), len(tasks))), np.zeros((len(tasks), len(tasks)))
    for epoch in epochs:
        cosines = as_matrix(epoch.gradients.cosines, tasks)
        there = ~np.isnan(cosines)
        total += np.where(there, cosines, 0.0)
        count += there
    np.fill_diagonal(total, 1.0)
    np.fill_diagonal(count, 1.0)
    if not count.all():
        first, other = (tasks[place] for place in np.argwhere(count == 0)[0])
        raise UserError(
            f"{path.folder / HISTORY} holds no gradient cosine of {first} and {other}: "
            "`train.gradient_probes` should be at least 1, and the encoder trained and shared."
        )
    return total / count


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
