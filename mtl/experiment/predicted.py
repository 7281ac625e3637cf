"""Predictions of a finished run on a part of its data: the numbers that the run measured it by, on the same device.

n samples of a task's part.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Int
from torch import Tensor

from mtl.config.budgets import STL
from mtl.data.loading.pools import Pool
from mtl.data.loading.tasks import TaskSet
from mtl.experiment.recipe import Recipe
from mtl.experiment.saved import load_network
from mtl.seeding import resolve_device
from mtl.tasks.base import TaskSpec
from mtl.training.measure import predict
from mtl.types import Split


@dataclass(frozen=True)
class Predicted:
    """Predictions of a run on a part of the data of one task, on the CPU."""

    stage: str
    method: str
    start: str
    seed: int
    spec: TaskSpec
    numbers: Int[Tensor, " n"]
    """Numbers of the samples at their source."""
    prediction: Tensor
    target: Tensor


def predicted(recipe: Recipe, data: TaskSet, root: Path, split: Split = "test") -> Iterator[Predicted]:
    """Predictions of a finished run on a part of each task that it is measured by.

    Raises:
        UserError: the run is not finished.
    """
    where = recipe.where
    network = load_network(recipe, root)
    simple = network.saved.simple
    device = resolve_device(recipe.config.base.device if simple is None else "cpu")
    model = network.model.to(device)
    pools = data.select(recipe.judged, split)
    passed = predict(model, [pool.to(device) for pool in pools])
    numbers = numbers_of(pools)
    method = STL if where.stage == "baseline" else str(where.name) if simple is None else simple.model
    start = recipe.start.label if simple is None else ""
    for name in recipe.judged:
        prediction, target = passed[name]
        yield Predicted(where.stage, method, start, recipe.seed, data.specs[name], numbers[name], prediction, target)


def numbers_of(pools: list[Pool]) -> dict[str, Int[Tensor, " n"]]:
    """Task → numbers of its samples at their source."""
    numbers = {}
    for pool in pools:
        for name, target in pool.targets.items():
            every = pool.samples.numbers
            numbers[name] = every if target.valid is None else every[target.valid]
    return numbers
