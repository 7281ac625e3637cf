"""Notes of a run on every training sample: the data maps of all its pools, filled by the loop.

B samples of a pass, J binary tasks of a pool.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mtl.config.grouping import DataMapConfig
from mtl.data.loading.pools import Pool
from mtl.grouping.datamap import PoolMap
from mtl.grouping.maps import PoolArrays, write_maps
from mtl.models.multitask import MultiTaskModel
from mtl.tasks.base import TaskSpec
from mtl.tasks.every import by_kind
from mtl.types import Batch, Predictions

CHUNK = 256
"""Samples in one clean pass."""


class Recorder(nn.Module):
    """The data maps of a run. All that it holds are buffers, which a saved state restores.

    Args:
        settings: what is recorded, and when it is kept.
        pools: the run's training pools.
        specs: task → spec.
        draws: pool → how many of its samples epoch 1 draws.
    """

    def __init__(
        self, settings: DataMapConfig, pools: Sequence[Pool], specs: Mapping[str, TaskSpec], draws: Mapping[str, int]
    ) -> None:
        super().__init__()
        self.settings = settings
        self.clean = settings.record == "evaluation"
        self.maps: dict[str, PoolMap] = {}
        self.groups: dict[str, list[tuple[TaskSpec, ...]]] = {}
        """Pool → its tasks, those of a kind together."""
        for number, pool in enumerate(pools):
            kinds = by_kind(pool.tasks, specs)
            labels = [name for kind, names in kinds if kind.family == "classification" for name in names]
            errors = [name for kind, names in kinds if kind.family == "regression" for name in names]
            order = [pool.tasks.index(name) for name in [*labels, *errors]]
            datamap = PoolMap(
                labels,
                errors,
                len(pool),
                len(pool) if self.clean else draws[pool.name],
                None if pool.valid is None else pool.valid[:, order],
                tuple(settings.snapshots),
            )
            self.maps[pool.name] = datamap
            self.groups[pool.name] = [tuple(specs[name] for name in names) for _, names in kinds]
            self.add_module(f"pool-{number}", datamap)

    @torch.no_grad()
    def observe(self, epoch: int, batch: Batch, predictions: Predictions) -> None:
        """Notes one pass of `epoch` (from 1). A task that has no sample in it may be absent from the predictions."""
        none = batch.x.new_zeros(len(batch.index), 0)
        datamap, asked = self.maps[batch.pool], set(predictions.tasks)
        parts = [
            spec.noted(prediction, target)
            for group in self.groups[batch.pool]
            for spec, prediction, target in _answers(tuple(s for s in group if s.name in asked), batch, predictions)
        ]
        certain, right, errors = (
            torch.cat([absent, *(part for part in column if part is not None)], dim=1)
            for absent, column in zip((none, none.bool(), none), zip(*parts, strict=True), strict=True)
        )
        labels, numbers = datamap.tasks[: datamap.labels.mean.shape[1]], datamap.tasks[datamap.labels.mean.shape[1] :]
        certain, right = (_spread(part, labels, asked) for part in (certain, right))
        datamap.update(epoch, batch.index, certain, right, _spread(errors, numbers, asked))

    @torch.no_grad()
    def end_epoch(self, epoch: int, model: MultiTaskModel, pools: Sequence[Pool]) -> None:
        """After an epoch: the clean pass where one is asked for, and what the maps do themselves."""
        if self.clean:
            model.eval()
            device = next(model.parameters()).device
            for pool in pools:
                for index in torch.split(torch.arange(len(pool), device=device), CHUNK):
                    batch = pool.batch(index)
                    self.observe(epoch, batch, model(batch.x, pool.tasks))
        for datamap in self.maps.values():
            datamap.end_epoch(epoch)

    def write(self, path: Path, pools: Sequence[Pool], epochs: int) -> None:
        """Writes the maps of a run that trained for `epochs` epochs."""
        kept = [epoch for epoch in self.settings.snapshots if epoch < epochs]
        arrays = []
        for pool in pools:
            datamap = self.maps[pool.name]
            values = torch.cat([datamap.kept[: len(kept)], datamap.values()[None]]).transpose(2, 3)
            seen = torch.cat([datamap.kept_count[: len(kept)], datamap.count[None]])
            arrays.append(
                PoolArrays(
                    pool.name,
                    datamap.tasks,
                    pool.samples.numbers.cpu().numpy().astype(np.int64),
                    seen.cpu().numpy(),
                    values.cpu().contiguous().numpy(),
                )
            )
        write_maps(path, arrays, [*kept, epochs], self.settings.record)


def _spread(part: Tensor, tasks: list[str], asked: set[str]) -> Tensor:
    """[B, tasks] of the columns [B, k] of those that were asked for; 0 for the others, where it means nothing."""
    places = [place for place, name in enumerate(tasks) if name in asked]
    if len(places) == len(tasks):
        return part
    whole = part.new_zeros(len(part), len(tasks))
    whole[:, places] = part
    return whole


def _answers(
    group: tuple[TaskSpec, ...], batch: Batch, predictions: Predictions
) -> Iterator[tuple[TaskSpec, Tensor, Tensor]]:
    """(task, predictions, targets) of tasks of a kind: all at once where they are stacked, else one by one."""
    if not group:
        return
    first, names = group[0], tuple(spec.name for spec in group)
    if first.stacked:
        stack = predictions.stacks[first.kind]
        values = stack.values if names == stack.tasks else stack.values[:, [stack.tasks.index(name) for name in names]]
        yield first, values.detach(), batch.targets(names)
    else:
        for spec in group:
            yield spec, predictions.own[spec.name].detach(), batch.target(spec.name)
