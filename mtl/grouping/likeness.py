"""Likeness of the data maps of two tasks: the correlation of their confidence over the samples that both have.

Two tasks whose samples are hard for the same reasons have alike maps; two that have nothing in common do not, whatever
their difficulty. Like gradients, maps tell what is related, not whether training together helps.

K tasks on windows of one source and length, S samples of any of them.
"""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mtl.config import Config
from mtl.grouping.maps import FILE, TaskMap, read_maps
from mtl.paths import RunPath

FEWEST = 30
"""Common samples below which a correlation says nothing."""
Likeness = dict[str, dict[str, list[float]]]
"""Method → pair `a|b` of its tasks, in their order → correlation in each run."""


def map_likeness(config: Config, root: Path = Path()) -> Likeness:
    """Likeness of the tasks of all methods that record data maps; a pair that some run cannot compare is absent.

    Raises:
        UserError: a map is missing or damaged.
    """
    likeness: Likeness = {}
    for name, method in config.finetune.methods.items():
        if method.datamap is None:
            continue
        runs = [_of_run(config, name, seed, root) for seed in config.base.seeds]
        likeness[name] = {pair: [run[pair] for run in runs] for pair in runs[0] if all(pair in run for run in runs)}
    return likeness


def _of_run(config: Config, method: str, seed: int, root: Path) -> dict[str, float]:
    maps = read_maps(root / RunPath("finetune", method, None, seed).folder / FILE).last
    groups: dict[tuple[str, int | None], list[str]] = {}
    for task in config.method_tasks(method):
        spec = config.tasks[task]
        groups.setdefault((spec.source, spec.input_len), []).append(task)
    likeness: dict[str, float] = {}
    for tasks in groups.values():
        values = _aligned([maps[task] for task in tasks])
        for (i, first), (j, other) in combinations(enumerate(tasks), 2):
            both = ~np.isnan(values[i]) & ~np.isnan(values[j])
            if both.sum() < FEWEST:
                continue
            a, b = values[i][both], values[j][both]
            spread = a.std() * b.std()
            if spread > 0:
                likeness[f"{first}|{other}"] = float(((a - a.mean()) * (b - b.mean())).mean() / spread)
    return likeness


def _aligned(maps: Sequence[TaskMap]) -> NDArray[np.float64]:
    """[K, S] confidence, NaN where a task does not have a sample."""
    samples = np.unique(np.concatenate([task_map.sample for task_map in maps]))
    values = np.full((len(maps), len(samples)), np.nan)
    for row, task_map in zip(values, maps, strict=True):
        row[np.searchsorted(samples, task_map.sample)] = task_map.confidence
    return values
