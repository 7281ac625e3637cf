"""What a run notes of every training sample: the data maps of all its pools, filled by the loop.

B samples of a pass, J binary tasks of a pool.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from mtl.config.grouping import DataMapConfig
from mtl.data.loading.images import Images
from mtl.data.loading.pools import Pool
from mtl.grouping.datamap import PoolMap
from mtl.grouping.maps import PoolArrays, write_maps
from mtl.models.build import MultiTaskModel
from mtl.types import Batch, Predictions, TaskSpec

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
        self.kinds: dict[str, dict[str, list[str]]] = {}
        for number, pool in enumerate(pools):
            kinds = {kind: [n for n in pool.tasks if specs[n].kind == kind] for kind in ("binary", "classification")}
            forecasts = [name for name in pool.tasks if specs[name].kind == "forecast"]
            labels = kinds["binary"] + kinds["classification"]
            order = [pool.tasks.index(name) for name in [*labels, *forecasts]]
            found = PoolMap(
                labels,
                forecasts,
                len(pool),
                len(pool) if self.clean else draws[pool.name],
                None if pool.valid is None else pool.valid[:, order],
                tuple(settings.snapshots),
            )
            self.maps[pool.name] = found
            self.kinds[pool.name] = kinds | {"forecast": forecasts}
            self.add_module(f"pool-{number}", found)

    @torch.no_grad()
    def observe(self, epoch: int, batch: Batch, predictions: Predictions) -> None:
        """Notes one pass of `epoch` (from 1)."""
        kinds = self.kinds[batch.pool]
        parts = []
        if kinds["binary"]:
            assert predictions.logits is not None
            parts.append(binary_values(predictions.logits.detach(), _labels(batch, kinds["binary"])))
        for name in kinds["classification"]:
            parts.append(class_values(predictions.own[name].detach(), _labels(batch, [name]).squeeze(1)))
        errors = [
            (predictions.own[n].detach() - batch.forecasts[n]).square().mean(dim=(1, 2)) for n in kinds["forecast"]
        ]
        none = batch.x.new_zeros(len(batch.index), 0)
        p, right = (torch.cat(part, dim=1) for part in zip(*parts, strict=True)) if parts else (none, none.bool())
        self.maps[batch.pool].update(epoch, batch.index, p, right, torch.stack(errors, dim=1) if errors else none)

    @torch.no_grad()
    def end_epoch(self, epoch: int, model: MultiTaskModel, pools: Sequence[Pool]) -> None:
        """After an epoch: the clean pass where one is asked for, and what the maps do themselves."""
        if self.clean:
            model.eval()
            device = next(model.parameters()).device
            for pool in pools:
                for index in torch.arange(len(pool), device=device).split(CHUNK):
                    batch = pool.batch(index)
                    self.observe(epoch, batch, model(batch.x, pool.tasks))
        for found in self.maps.values():
            found.end_epoch(epoch)

    def write(self, path: Path, pools: Sequence[Pool], epochs: int) -> None:
        """Writes the maps of a run that trained for `epochs` epochs."""
        kept = [epoch for epoch in self.settings.snapshots if epoch < epochs]
        arrays = []
        for pool in pools:
            found = self.maps[pool.name]
            samples = pool.samples.rows if isinstance(pool.samples, Images) else pool.samples.starts
            values = torch.cat([found.kept[: len(kept)], found.values()[None]]).transpose(2, 3)
            seen = torch.cat([found.kept_count[: len(kept)], found.count[None]])
            arrays.append(
                PoolArrays(
                    pool.name,
                    found.tasks,
                    samples.cpu().numpy().astype(np.int64),
                    seen.cpu().numpy(),
                    values.cpu().contiguous().numpy(),
                )
            )
        write_maps(path, arrays, [*kept, epochs], self.settings.record)


def binary_values(
    logits: Float[Tensor, "B J"], labels: Int[Tensor, "B J"]
) -> tuple[Float[Tensor, "B J"], Bool[Tensor, "B J"]]:
    """(p of the true label, whether it was predicted), for labels 0 and 1; what stands for others means nothing."""
    return torch.sigmoid(logits * (2 * labels - 1)), (logits > 0) == (labels == 1)


def class_values(
    logits: Float[Tensor, "B k"], labels: Int[Tensor, " B"]
) -> tuple[Float[Tensor, "B 1"], Bool[Tensor, "B 1"]]:
    """(p of the true label, whether it was predicted); what stands for a missing label means nothing."""
    p = logits.softmax(dim=1).gather(1, labels.clamp(min=0)[:, None])
    return p, logits.argmax(dim=1, keepdim=True) == labels[:, None]


def _labels(batch: Batch, tasks: list[str]) -> Int[Tensor, "B j"]:
    assert batch.labels is not None
    if tuple(tasks) == batch.label_tasks:
        return batch.labels
    return batch.labels[:, [batch.label_tasks.index(name) for name in tasks]]
