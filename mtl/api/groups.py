"""`mtl.cluster`: data maps, affinities or features of tasks → groups of tasks.

K tasks, C groups, F features, r runs.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import ValidationError

from mtl.api.given import names_for, numbers_of
from mtl.checks import one_of
from mtl.config.common import Section
from mtl.config.grouping import (
    ClusterConfig,
    CosineAffinity,
    MapFeatures,
    NetworkSelection,
    Relation,
    SummaryFeatures,
)
from mtl.config.grouping_checks import selection_problems
from mtl.config.messages import message_of
from mtl.errors import DataError, UserError, shown
from mtl.grouping.groups import Seen, group, seen_in_affinities, seen_in_maps
from mtl.grouping.maps import VALUES, TaskMap

Array = NDArray[np.float64]
FEATURES = "features"
"""Relation of features of one's own, beside those of params.yaml."""
SOURCE = "data"
"""Stands for the method of a project whose runs are looked at."""
ROUNDING = 1e-4
"""Cosines may leave [−1, 1] by it."""


@dataclass(frozen=True)
class TaskGroups:
    """Groups of tasks, made by `mtl.cluster`."""

    groups: list[list[str]]
    """[C] names of the tasks of each group."""
    memberships: pd.DataFrame
    """[K, C]: how much each task belongs to each group; rows sum to 1. Of `network_selection` 1 in every group that
    trains the task, and 0 elsewhere."""
    scores: pd.DataFrame
    """A row for each number of groups that was tried."""
    distances: pd.DataFrame
    """[K, K] between the tasks."""
    agreement_of_runs: float | None
    """Mean adjusted Rand index between the groupings of single runs, 1 when all are the same; None for one run."""
    agreement_of_starts: float | None
    """The same between groupings from other first centroids; None for methods that have none."""

    def __repr__(self) -> str:
        return f"<groups of tasks: {' | '.join(', '.join(group) for group in self.groups)}>"


class _Params(Section):
    """The part of params.yaml that groups tasks, so that its checks speak as they do there."""

    cluster: ClusterConfig


def cluster(
    data: object, relation: object, clusters: object, algorithm: object, choose_by: object, seed: object
) -> TaskGroups:
    """As `mtl.cluster`, which is the way in."""
    own = isinstance(relation, str) and relation == FEATURES
    if clusters != "auto" and (not isinstance(clusters, int) or isinstance(clusters, bool) or clusters < 1):
        raise UserError(f"`clusters` should be 'auto' or a number of groups from 1 on, found {shown(clusters)}.")
    with _in_words_of_python():
        config = _config({
            "source": SOURCE, "relation": _section("relation", "map" if own else relation), "clusters": clusters,
            "algorithm": _section("algorithm", algorithm), "choose_by": choose_by, "seed": seed,
        })  # fmt: skip
        tasks, seen = _of_features(data) if own else _seen(data, config)
        if len(tasks) < 2:
            raise UserError(f"`data` should hold two tasks or more, found {len(tasks)}.")
        if config.clusters != "auto" and config.clusters > len(tasks):
            raise UserError(f"`clusters` should be at most the {len(tasks)} tasks, found {config.clusters}.")
        _check_selection(config, len(tasks), own)
        grouped = group(config, seen)
    return TaskGroups(
        groups=grouped.members(tasks),
        memberships=pd.DataFrame(grouped.memberships, index=tasks),
        scores=pd.DataFrame.from_dict(grouped.scores, orient="index").rename_axis("clusters"),
        distances=pd.DataFrame(grouped.distances, index=tasks, columns=tasks),
        agreement_of_runs=grouped.agreement_of_runs,
        agreement_of_starts=grouped.agreement_of_starts,
    )


@contextmanager
def _in_words_of_python() -> Iterator[None]:
    """Errors name arguments of the function in the place of settings of params.yaml."""
    try:
        yield
    except UserError as error:
        raise UserError(re.sub(r"`cluster\.([\w.]+?)(\.kind)?`", r"`\1`", str(error))) from error


def _section(name: str, wish: object) -> dict[str, Any]:
    """A kind as a section of params.yaml, and a section as it is."""
    if isinstance(wish, str):
        section: dict[str, Any] = {"kind": wish}
    elif isinstance(wish, Mapping):
        section = {str(key): value for key, value in wish.items()}
    else:
        raise UserError(f"`{name}` should be a kind, or settings of one with the key 'kind', found {shown(wish)}.")
    if name == "relation" and "kind" in section:
        union = get_args(get_args(Relation)[0])
        one_of(
            name, section["kind"], [*(get_args(kind.model_fields["kind"].annotation)[0] for kind in union), FEATURES]
        )
    return section


def _config(content: Mapping[str, Any]) -> ClusterConfig:
    """Settings as those of params.yaml, checked."""
    raw = {"cluster": content}
    try:
        return _Params.model_validate(raw).cluster
    except ValidationError as error:
        raise UserError(message_of(error, raw, SOURCE).removeprefix(f"{SOURCE}: ")) from None


def _check_selection(config: ClusterConfig, tasks: int, own: bool) -> None:
    """Raises where a network selection cannot be made of these tasks, or by this relation."""
    if own and isinstance(config.algorithm, NetworkSelection):
        raise UserError(
            "`relation` should be lookahead or gradient_cosine for the algorithm network_selection, found 'features'."
        )
    for path, message in selection_problems(config, tasks):
        raise UserError(f"`{path}` {message}")


def _seen(data: object, config: ClusterConfig) -> tuple[list[str], Seen]:
    """Names of the tasks and their features by a relation of params.yaml."""
    relation = config.relation
    if isinstance(relation, MapFeatures | SummaryFeatures):
        if relation.epochs is not None:
            raise UserError("`relation['epochs']` should be left out: data maps are compared as they are given.")
        tasks, frames = _frames(data)
        if isinstance(relation, MapFeatures):
            frames = [_on_the_same_samples(run) for run in frames]
        return tasks, seen_in_maps(relation, [[[_task_map(task, run[task]) for task in tasks]] for run in frames])
    tasks, matrices = _matrices(data)
    if matrices[0].shape[1] != len(tasks):
        raise DataError(f"`data` should be a square of tasks [K, K], found the shape {list(matrices[0].shape)}.")
    if isinstance(relation, CosineAffinity):
        _check_cosines(matrices)
    return tasks, seen_in_affinities(relation, matrices, tasks)


def _of_features(data: object) -> tuple[list[str], Seen]:
    """Names of the tasks and their features of one's own."""
    tasks, matrices = _matrices(data)
    return tasks, Seen(matrices)


def _frames(data: object) -> tuple[list[str], list[dict[str, pd.DataFrame]]]:
    """Names of the tasks, and the data map of each in every run."""
    given = data if isinstance(data, list | tuple) else [data]
    runs = [run for run in given if isinstance(run, Mapping) and run]
    if not runs or len(runs) < len(given):
        raise DataError(
            "`data` should map names of tasks to their data maps, frames of `mtl.data_map`, or be a list of such "
            f"mappings, one for each run, found {type(data).__name__}."
        )
    tasks = [str(task) for task in runs[0]]
    for run in runs:
        if [str(task) for task in run] != tasks:
            raise DataError(f"`data` should hold the same tasks in every run, found {tasks} and {[*run]}.")
    return tasks, [{str(task): _frame(str(task), values) for task, values in run.items()} for run in runs]


def _frame(task: str, values: object) -> pd.DataFrame:
    """[S, 3] the data map of a task."""
    where = f"data[{task!r}]"
    if isinstance(values, pd.DataFrame):
        absent = [name for name in VALUES if name not in values.columns]
        if absent:
            raise DataError(f"`{where}` should have the columns {', '.join(VALUES)}, found none named {absent[0]}.")
        if not values.index.is_unique:
            raise DataError(f"`{where}` should name each sample once, found its index with repeats.")
        values = values[list(VALUES)]
    cells = numbers_of(values, where, missing=True)
    if cells.ndim != 2 or cells.shape[1] != len(VALUES):
        raise DataError(f"`{where}` should be a data map [S, 3] ({', '.join(VALUES)}), found {list(cells.shape)}.")
    if np.isnan(cells).all() or np.nanmin(cells) < 0 or np.nanmax(cells) > 1:
        raise DataError(f"`{where}` should hold numbers from 0 to 1: it is no data map.")
    return pd.DataFrame(cells, index=values.index if isinstance(values, pd.DataFrame) else None, columns=list(VALUES))


def _on_the_same_samples(run: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Data maps whose samples stand in the order of those of the first task."""
    (first, frame), *others = run.items()
    for task, other in others:
        if len(other) != len(frame) or set(other.index) != set(frame.index):
            raise DataError(
                f"`relation` should be 'summary' for tasks on different samples ({first}: {len(frame):,}; {task}: "
                f"{len(other):,}), found 'map'."
            )
    return {task: other.loc[frame.index] for task, other in run.items()}


def _task_map(task: str, frame: pd.DataFrame) -> TaskMap:
    columns = (frame[name].to_numpy(dtype=np.float32) for name in VALUES)
    return TaskMap(task, SOURCE, 0, np.arange(len(frame), dtype=np.int64), *columns)


def _matrices(data: object) -> tuple[list[str], list[Array]]:
    """Names of the tasks, and a row of numbers of each in every run: [K, F], or a list, or [r, K, F]."""
    frames = data if isinstance(data, list | tuple) else [data]
    named = [part for part in frames if isinstance(part, pd.DataFrame)]
    if named:
        tasks = [str(name) for name in named[0].index]
        if any([str(name) for name in frame.index] != tasks for frame in named) or len(named) < len(frames):
            raise DataError("`data` should be frames of the same tasks in every run, in one order.")
        if len(set(tasks)) < len(tasks):
            raise DataError("`data` should name each task once, in the index of the frame.")
        arrays = [numbers_of(frame, "data") for frame in named]
    else:
        array = numbers_of(data, "data")
        if array.ndim not in (2, 3):
            raise DataError(f"`data` should be [K, F], or [runs, K, F], found the shape {list(array.shape)}.")
        arrays = [array] if array.ndim == 2 else list(array)
        tasks = names_for(array.shape[-2])
    if not arrays or any(part.shape != arrays[0].shape for part in arrays) or arrays[0].size == 0:
        raise DataError("`data` should hold numbers of as many tasks and columns in every run.")
    return tasks, arrays


def _check_cosines(matrices: Sequence[Array]) -> None:
    for matrix in matrices:
        even = np.allclose(matrix, matrix.T, atol=ROUNDING) and np.allclose(np.diag(matrix), 1, atol=ROUNDING)
        if not even or abs(matrix).max() > 1 + ROUNDING:
            raise DataError(
                "`data` should be cosines: symmetric, from −1 to 1, with 1 on the diagonal. Other affinities go with "
                "`relation='lookahead'`."
            )
