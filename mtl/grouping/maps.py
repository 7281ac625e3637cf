"""Data maps on disk: one safetensors file a run, keyed by sample; numpy alone, so that the report can read it.

For each pool p of samples: `p/sample` [S] which sample a row is, `p/seen` [E, S] how often each was seen, and
`p/confidence`, `p/variability`, `p/correctness` [E, K, S], NaN where a task does not have a sample or never saw it. E
counts the snapshots, of which the last is the end of the training.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from mtl.errors import UserError

FILE = "datamap.safetensors"
VALUES = ("confidence", "variability", "correctness")
EASY, HARD = 2 / 3, 1 / 3


@dataclass(frozen=True)
class TaskMap:
    """The map of one task at one epoch, over the S samples of its pool."""

    task: str
    pool: str
    epoch: int
    sample: NDArray[np.int64]
    """[S] first row of the window (series, stored windows) or number of the image, in the prepared source."""
    confidence: NDArray[np.float32]
    """[S] in [0, 1]; NaN where the task has no such sample, or never saw it."""
    variability: NDArray[np.float32]
    """[S] in [0, ½]."""
    correctness: NDArray[np.float32]
    """[S] in [0, 1]."""

    @property
    def known(self) -> NDArray[np.bool_]:
        return ~np.isnan(self.confidence)

    def hardest(self, count: int) -> list[dict[str, Any]]:
        """The samples with the lowest confidence, ascending; often their label is wrong."""
        places = np.flatnonzero(self.known)
        order = places[np.argsort(self.confidence[places], kind="stable")][:count]
        return [
            {
                "sample": int(self.sample[i]),
                "confidence": float(self.confidence[i]),
                "variability": float(self.variability[i]),
                "correctness": float(self.correctness[i]),
            }
            for i in order
        ]


@dataclass(frozen=True)
class PoolArrays:
    """Tensors that the map of a pool is written from."""

    pool: str
    tasks: list[str]
    sample: NDArray[np.int64]
    seen: NDArray[np.int32]
    """[E, S]"""
    values: NDArray[np.float32]
    """[E, 3, K, S] in the order of `VALUES`."""


def write_maps(path: Path, pools: list[PoolArrays], epochs: list[int], record: str) -> None:
    """Writes a run's maps; the same maps give the same bytes.

    Args:
        path: the file.
        pools: the run's pools.
        epochs: the E epochs, ascending.
        record: `training` or `evaluation` values.
    """
    arrays: dict[str, NDArray[Any]] = {}
    for number, pool in enumerate(pools):
        arrays[f"{number}/sample"] = pool.sample
        arrays[f"{number}/seen"] = pool.seen
        for place, name in enumerate(VALUES):
            arrays[f"{number}/{name}"] = np.ascontiguousarray(pool.values[:, place])
    about = {"pools": [{"name": p.pool, "tasks": p.tasks} for p in pools], "epochs": epochs, "record": record}
    save_file(arrays, path, metadata={"datamap": json.dumps(about, sort_keys=True)})


@dataclass(frozen=True)
class RunMaps:
    """The maps of one run."""

    record: str
    epochs: list[int]
    maps: dict[int, dict[str, TaskMap]]
    """Epoch → task → map."""

    @property
    def last(self) -> dict[str, TaskMap]:
        """Maps at the end of the training."""
        return self.maps[self.epochs[-1]]


def read_maps(path: Path) -> RunMaps:
    """Reads what `write_maps` wrote.

    Raises:
        UserError: the file is missing, damaged, or holds something else.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            about = json.loads((file.metadata() or {})["datamap"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no mapping)
        maps: dict[int, dict[str, TaskMap]] = {int(epoch): {} for epoch in about["epochs"]}
        for number, pool in enumerate(about["pools"]):
            sample = arrays[f"{number}/sample"]
            values = [arrays[f"{number}/{name}"] for name in VALUES]
            shape = (len(maps), len(pool["tasks"]), len(sample))
            if any(array.shape != shape for array in values):
                raise ValueError(f"arrays of pool {pool['name']} should have the shape {shape}")
            if np.nanmin(values, initial=0) < 0 or np.nanmax(values, initial=1) > 1:
                raise ValueError(f"values of pool {pool['name']} should lie between 0 and 1")
            for e, epoch in enumerate(maps):
                for k, task in enumerate(pool["tasks"]):
                    maps[epoch][task] = TaskMap(task, pool["name"], epoch, sample, *(array[e, k] for array in values))
        return RunMaps(about["record"], list(maps), maps)
    except FileNotFoundError:
        raise UserError(
            f"{path} is missing: `finetune.methods.{path.parent.parent.name}.datamap` should ask for it, and "
            f"`mtl repro finetune@{path.parent.parent.name}` writes it."
        ) from None
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} is no usable data map ({error}); run `mtl repro --force finetune@{path.parent.parent.name}`."
        ) from None
