"""Clean passes over pools of samples: predictions, metrics and their details. Every sample counts once."""

import math
from collections.abc import Iterable, Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from mtl.data.loading.pools import Pool
from mtl.models.predictor import Predictor
from mtl.results.numbers import TaskMetrics
from mtl.tasks.base import Detail, TaskSpec

CHUNK = 256
"""Windows in one pass: enough to fill the arithmetic units, little enough to stay in the cache."""


def predict(model: Predictor, pools: list[Pool]) -> dict[str, tuple[Tensor, Tensor]]:
    """Task → (predictions, targets) on the CPU, over all samples of the pools that have a target, in order."""
    device = model.device
    measured: dict[str, tuple[Tensor, Tensor]] = {}
    for pool in pools:
        ahead: dict[str, list[Tensor]] = {}
        whole = outputs(model, _inputs(pool, device, ahead), pool.tasks)
        targets = {name: torch.cat(parts) for name, parts in ahead.items()}
        for table in pool.tables:
            values = table.values.cpu() if table.values.is_floating_point() else table.values.cpu().long()
            targets |= dict(zip(table.tasks, values.unbind(1), strict=True))
        targets |= {name: values.cpu().long() for name, values in pool.positions.items()}
        masks = {} if pool.valid_on_cpu is None else dict(zip(pool.tasks, pool.valid_on_cpu.unbind(1), strict=True))
        for name in pool.tasks:
            mask = masks.get(name)
            every = mask is None or bool(mask.all())
            measured[name] = (whole[name], targets[name]) if every else (whole[name][mask], targets[name][mask])
    return measured


def _inputs(pool: Pool, device: torch.device, ahead: dict[str, list[Tensor]]) -> Iterator[Float[Tensor, "B *S"]]:
    """Inputs of a pool in order; the rows that follow them, where a task predicts those, are put into `ahead`."""
    for index in torch.split(torch.arange(len(pool)), CHUNK):
        batch = pool.batch(index.to(device))
        for name, target in batch.ahead.items():
            ahead.setdefault(name, []).append(target.cpu())
        yield batch.x


@torch.no_grad()
def outputs(model: Predictor, batches: Iterable[Float[Tensor, "B *S"]], tasks: Sequence[str]) -> dict[str, Tensor]:
    """Task → predictions on the CPU, z-scored or logits, over all batches in order.

    Args:
        model: the network; left in eval mode.
        batches: inputs on its device.
        tasks: all that share them.
    """
    model.eval()
    own: dict[str, list[Tensor]] = {}
    stacked: dict[tuple[str, ...], list[Tensor]] = {}
    for x in batches:
        predictions = model(x, tasks)
        for name, prediction in predictions.own.items():
            own.setdefault(name, []).append(prediction.cpu())
        for stack in predictions.stacks.values():
            stacked.setdefault(stack.tasks, []).append(stack.values.cpu())
    whole = {name: torch.cat(as_long(parts)) for name, parts in own.items()}
    for names, columns in stacked.items():
        whole |= dict(zip(names, torch.cat(columns).t().contiguous(), strict=True))
    return whole


def as_long(parts: Sequence[Tensor]) -> list[Tensor]:
    """Predictions at positions, of batches of which each is as long as its longest sample: all as long as the longest
    [B, P, k], NaN behind the end. Others as they are."""
    longest = max(part.shape[1] if part.ndim == 3 else 0 for part in parts)
    return [
        functional.pad(part, (0, 0, 0, longest - part.shape[1]), value=math.nan) if part.ndim == 3 else part
        for part in parts
    ]


def measure(
    model: Predictor, pools: list[Pool], specs: dict[str, TaskSpec], detailed: bool = False
) -> tuple[TaskMetrics, dict[str, Detail]]:
    """(task → metrics, task → details) of a model on some pools.

    Args:
        model: the network; left in eval mode.
        pools: samples; their tasks are all in `specs`.
        specs: the tasks.
        detailed: every metric and its detail, errors in original units among them; else what an epoch is judged by.
    """
    metrics: TaskMetrics = {}
    details: dict[str, Detail] = {}
    for name, (prediction, target) in predict(model, pools).items():
        metrics[name], details[name] = specs[name].score(prediction, target, detailed)
    return metrics, details
