"""Facts about a trained model besides its metrics: the optimum it could have reached, and examples to look at."""

import torch
from torch import Tensor

from mtl.data.loading.pools import Pool
from mtl.data.loading.tasks import TaskSet
from mtl.models.multitask import MultiTaskModel
from mtl.models.predictor import Predictor
from mtl.models.sharing import CrossStitchTrunk
from mtl.results.examples import Example, Examples
from mtl.results.record import Stitches
from mtl.tasks.base import TaskSpec
from mtl.training.measure import CHUNK, predict

EXAMPLES = 3


def optimum(data: TaskSet, tasks: list[str]) -> dict[str, dict[str, float]]:
    """Task → metrics of the optimal predictor on the task's own test samples, where the source knows it."""
    best: dict[str, dict[str, float]] = {}
    for pool in data.select(tasks, "test"):
        source = data.sources[pool.source]
        oracle = source.oracle
        if oracle is None:
            continue
        batch = pool.batch(torch.arange(len(pool)))
        last_rows = source.last_rows(pool.samples.numbers, data.specs[pool.tasks[0]].input_len)
        for number, name in enumerate(pool.tasks):
            chosen = torch.ones(len(pool), dtype=torch.bool) if batch.valid is None else batch.valid[:, number]
            metrics = data.specs[name].optimum(oracle, last_rows[chosen], batch.target(name)[chosen])
            if metrics is not None:
                best[name] = metrics
    return best


def guesses(data: TaskSet, tasks: list[str]) -> dict[str, dict[str, float]]:
    """Task → test metrics of a predictor that has seen no input, only the targets of the training samples."""
    train = {name: target for pool in data.select(tasks, "train") for name, target in _targets(pool, False).items()}
    metrics: dict[str, dict[str, float]] = {}
    for pool in data.select(tasks, "test"):
        for name, target in _targets(pool, True).items():
            assert target is not None
            metrics[name] = data.specs[name].score(data.specs[name].blind(train[name], len(target)), target, True)[0]
    return metrics


def _targets(pool: Pool, following: bool) -> dict[str, Tensor | None]:
    """Task → targets of the samples that have one; those that follow a sample None unless they are asked for."""
    targets = {name: target.values for name, target in pool.targets.items()}
    if following and any(values is None for values in targets.values()):
        parts = [pool.batch(index).ahead for index in torch.split(torch.arange(len(pool)), CHUNK)]
        targets |= {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    valid = {name: target.valid for name, target in pool.targets.items()}
    return {
        name: values if values is None or (mask := valid[name]) is None else values[mask]
        for name, values in targets.items()
    }


def stitches(model: MultiTaskModel) -> Stitches | None:
    """The units of a cross-stitched model, for each stage α [K, K], the mean over channels where each has its own.
    None for other forms of sharing."""
    trunk = model.trunk
    if not isinstance(trunk, CrossStitchTrunk):
        return None
    units = [unit.detach().cpu() for unit in trunk.stitches]
    stages = [(unit if unit.ndim == 2 else unit.mean(dim=2)).tolist() for unit in units]
    return Stitches(tasks=list(trunk.place), stages=stages)


def examples(model: Predictor, data: TaskSet, specs: dict[str, TaskSpec]) -> Examples:
    """EXAMPLES test samples spread over the test part, of tasks of kinds whose samples are shown."""
    device = model.device
    shown: dict[str, Example] = {}
    for pool in data.select(list(specs), "test"):
        for name in pool.tasks:
            if not specs[name].shown:
                continue
            alone = pool.only([name])
            assert alone is not None
            few = alone.at_most(EXAMPLES)
            batch = few.batch(torch.arange(len(few)))
            x = batch.x if batch.valid is None else batch.x[batch.valid[:, 0]]
            example = specs[name].examples(x, *predict(model, [few.to(device)])[name])
            if example is not None:
                shown[name] = example
    return Examples.model_validate(shown)
