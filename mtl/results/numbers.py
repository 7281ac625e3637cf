"""Numbers of a run, and how a reader takes one that has to be there."""

import math
from collections.abc import Mapping
from typing import Literal

from mtl.errors import UserError
from mtl.paths import RunPath

Number = int | float
Metrics = dict[str, float]
"""Metric → value, of one task on one part of the data."""
TaskMetrics = dict[str, Metrics]
"""Task → metric → value, on one part of the data."""
Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")


def finite(path: RunPath, metrics: Mapping[str, Metrics], task: str, metric: str, split: Split) -> float:
    """A metric of one task of the run at `path`.

    Raises:
        UserError: the run does not hold it, or it is not a finite number.
    """
    file = path.folder / "run.json"
    value = metrics.get(task, {}).get(metric)
    if value is None:
        raise UserError(f"{file} holds no {split} {metric} of {task}; run `mtl repro` to bring it up to date.")
    if not math.isfinite(value):
        raise UserError(f"{file}: {split} {metric} of {task} is {value}: the run diverged.")
    return value
