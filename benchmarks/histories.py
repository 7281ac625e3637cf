"""Networks of many seeds on many test histories: what `benchmarks.coverage` draws its experiments from.

They are trained once on one plant of `sensors`, whose history then goes on and is cut into test histories with gaps.
Networks, and their errors added up over blocks, stay in a folder, and are read again there.

M histories, R windows of each, B blocks of a history.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from safetensors.numpy import load_file, save_file
from torch import Tensor

from mtl.config import Config, parse_config
from mtl.config.budgets import STL
from mtl.data.build import read_source
from mtl.data.loading.store import write_prepared
from mtl.data.loading.tasks import TaskSet
from mtl.experiment import run_baseline, run_finetune
from mtl.experiment.objects import load_tasks
from mtl.experiment.recipe import Recipe, joint, single_task
from mtl.experiment.saved import load_network
from mtl.files import replaced
from mtl.paths import PREPARED
from mtl.tasks.base import TaskSpec
from mtl.training.measure import outputs

SOURCE, METHOD = "sensors", "equal"
PLANT = 1
"""Seed of the source; that of the default preset is 0."""
SHORTEST = 800
"""Rows of the test part that the networks are trained beside; a longer one leaves the rows before it as they are."""
LENGTH, AHEAD = 32, 6
"""Rows of a window, and rows that are forecast."""
GAP = 190
"""Rows from the last start of a window in a history to the first one in the next: 150 rows lie between the windows of
both, in which the regime stays the same once in twenty times."""
CHUNK = 4096
"""Windows in one pass of a network."""
JUDGED = (("next_6h", "mse"), ("fault", "accuracy"), ("fault", "auc"))
"""Task and metric of each comparison."""
Key = tuple[str, str]


@dataclass(frozen=True)
class Size:
    """Number of everything in the benchmark."""

    networks: int
    """Pairs of networks."""
    histories: int
    rows: int
    """Windows of a test history."""
    draws: int
    """Experiments on each history."""

    @property
    def test_rows(self) -> int:
        """Rows after the training and validation parts."""
        return max(SHORTEST, self.histories * (self.rows + GAP) + LENGTH + AHEAD)

    @property
    def starts(self) -> Int[Tensor, "M R"]:
        """Windows of each history, by their distance from the first one of the test part."""
        begin = torch.arange(self.histories) * (self.rows + GAP)
        return begin[:, None] + torch.arange(self.rows)


@dataclass(frozen=True)
class Measured:
    """One network on all histories, by one metric."""

    whole: float
    """The metric of all samples together."""
    sums: Float[np.ndarray, "M B"]
    """Errors of each history, added up over its blocks."""


def settings(seeds: Sequence[int], test_rows: int | None) -> Config:
    """The default plant's kind with small networks."""
    window = {"source": SOURCE, "input_len": LENGTH}
    return parse_config({
        "base": {"seeds": list(seeds), "device": "cpu"},
        "prepare": {"sources": {SOURCE: {"kind": "sensors", "seed": PLANT, "max_horizon": AHEAD,
                                         "fault_labels": 2000, "test_rows": test_rows}}},
        "tasks": {"next_6h": {"kind": "forecast", "horizon": AHEAD, "targets": ["vibration", "temperature", "flow"],
                              **window},
                  "fault": {"kind": "binary", "label": "fault", **window}},
        "encoder": {"kind": "timedart", "patch_len": LENGTH, "d_model": 8, "heads": 1, "layers": 1, "d_ff": 16,
                    "classification": {"hidden": None}},
        "train": {"epochs": 6, "lr": 2e-3},
        "finetune": {"methods": {METHOD: {"kind": "equal"}}},
    })  # fmt: skip


def prepare(config: Config, root: Path) -> None:
    """Generates the source, where that was not done before."""
    if not (root / PREPARED / SOURCE / "meta.json").exists():
        write_prepared(read_source(SOURCE, config.prepare.sources[SOURCE], Path()), root / PREPARED / SOURCE, {})


def recipes(config: Config, seed: int) -> dict[str, Recipe]:
    """Name → the runs of a seed: one for each task alone, and the joint one."""
    alone = {task: single_task(config, task, config.baseline.starts[0], seed) for task in config.tasks}
    return alone | {METHOD: joint(config, METHOD, seed)}


def train(config: Config, root: Path) -> None:
    """Trains all networks that are not there yet."""
    prepare(config, root)
    for seed in config.base.seeds:
        for name, recipe in recipes(config, seed).items():
            if not (root / recipe.where.folder / "run.json").exists():
                if name == METHOD:
                    run_finetune(config, METHOD, seed, root)
                else:
                    run_baseline(config, name, recipe.start, seed, root)
        print(f"trained: seed {seed}", flush=True)


def block_sums(errors: Float[np.ndarray, "M R"], block: Int[np.ndarray, " R"]) -> Float[np.ndarray, "M B"]:
    """Errors of each history, added up over its blocks, which are stretches on end."""
    return np.add.reduceat(errors, np.searchsorted(block, np.arange(block[-1] + 1)), axis=1)


def measure(recipe: Recipe, data: TaskSet, size: Size, root: Path) -> dict[Key, Measured]:
    """(task, metric) → what a finished network reaches on all histories."""
    (pool,) = data.pools["test"]
    index = size.starts.flatten() + 1  # the first window of the test part has a forecast and no label yet
    targets: dict[str, list[Tensor]] = {task: [] for task in recipe.judged}

    def windows() -> Iterator[Tensor]:
        for chunk in torch.split(index, CHUNK):
            batch = pool.batch(chunk)
            for task in recipe.judged:
                targets[task].append(batch.target(task))
            yield batch.x

    predictions = outputs(load_network(recipe, root).model, windows(), recipe.judged)
    block = blocks(data, size)
    measured = {}
    for task, metric in JUDGED:
        if task in recipe.judged:
            spec = replace(data.specs[task], metric=metric)
            prediction, target = predictions[task], torch.cat(targets[task])
            mean = float(errors_of(spec, prediction, target).mean())
            pairs = zip(torch.split(prediction, size.rows), torch.split(target, size.rows), strict=True)
            errors = torch.stack([errors_of(spec, *pair) for pair in pairs]).numpy()
            measured[task, metric] = Measured(mean if spec.lower_is_better else 1 - mean, block_sums(errors, block))
    return measured


def errors_of(spec: TaskSpec, prediction: Tensor, target: Tensor) -> Tensor:
    """Errors of samples by the metric of their task, as losses.parquet holds them."""
    errors = spec.judged_errors(prediction, target)
    assert errors is not None, "every history has samples of both classes"
    return errors


def blocks(data: TaskSet, size: Size) -> Int[np.ndarray, " R"]:
    """Blocks of the samples of a history, as the pipeline makes them."""
    return data.sources[SOURCE].blocks(torch.arange(size.rows), LENGTH, AHEAD).numpy()


def all_measured(
    config: Config, size: Size, root: Path
) -> tuple[dict[Key, dict[str, list[Measured]]], Int[np.ndarray, " R"]]:
    """(task, metric) → arm → its networks on all histories, read again where they were measured before; and the blocks
    of a history."""
    further = settings(config.base.seeds, size.test_rows)
    long = root / f"histories-{size.histories}-{size.rows}"
    prepare(further, long)
    data, _ = load_tasks(further, config.base.seeds[0], long)
    by_arm: dict[Key, dict[str, list[Measured]]] = {key: {STL: [], METHOD: []} for key in JUDGED}
    for seed in config.base.seeds:
        for name, recipe in recipes(config, seed).items():
            kept = long / f"{name}-{seed}.safetensors"
            if not kept.exists():
                measured = measure(recipe, data, size, root)
                columns = {f"{task} {metric}": value for (task, metric), value in measured.items()}
                whole = {f"{name} whole": np.array([value.whole]) for name, value in columns.items()}
                with replaced(kept) as fresh:
                    save_file(whole | {name: value.sums for name, value in columns.items()}, fresh)
            arrays = load_file(kept)
            for task, metric in JUDGED:
                if (column := f"{task} {metric}") in arrays:
                    value = Measured(float(arrays[f"{column} whole"][0]), arrays[column])
                    by_arm[task, metric][METHOD if name == METHOD else STL].append(value)
        print(f"measured: seed {seed}", flush=True)
    return by_arm, blocks(data, size)
