"""Pools: samples that several tasks share, so that a batch of them passes the network once.

n samples of a pool, B of a batch, K tasks of the pool, J of them labels.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from mtl.data.loading.images import Images
from mtl.data.loading.windows import Windows
from mtl.types import Batch


@dataclass(frozen=True)
class Target:
    """What one task wants of a pool's samples."""

    channels: Int[Tensor, " T"] | None
    """Forecast: channels that are predicted; None for all of them, and for a label."""
    horizon: int
    labels: Int[Tensor, " n"] | None
    """Label: class of each sample of the pool; NO_LABEL where missing."""
    valid: Bool[Tensor, " n"] | None
    """Which samples have a target; None when all have."""


@dataclass(frozen=True)
class Pool:
    """Samples of one source and what each of its tasks wants of them."""

    name: str
    source: str
    samples: Windows | Images
    targets: dict[str, Target]

    @property
    def tasks(self) -> tuple[str, ...]:
        return tuple(self.targets)

    def __len__(self) -> int:
        return len(self.samples)

    @cached_property
    def label_tasks(self) -> tuple[str, ...]:
        return tuple(name for name, target in self.targets.items() if target.labels is not None)

    @cached_property
    def labels(self) -> Int[Tensor, "n J"] | None:
        """Every label in one matrix, so that a batch gathers all of them at once; 16 bits hold a class number."""
        columns = [target.labels.to(torch.int16) for target in self.targets.values() if target.labels is not None]
        return torch.stack(columns, dim=1) if columns else None

    @cached_property
    def valid(self) -> Bool[Tensor, "n K"] | None:
        """Which samples have a target, for each task; None when all have."""
        masks = [target.valid for target in self.targets.values()]
        some = next((mask for mask in masks if mask is not None), None)
        if some is None:
            return None
        every = torch.ones_like(some)
        return torch.stack([every if mask is None else mask for mask in masks], dim=1)

    @cached_property
    def valid_on_cpu(self) -> Bool[Tensor, "n K"] | None:
        """`valid`, where it can be looked at without waiting for the device."""
        return None if self.valid is None else self.valid.cpu()

    @cached_property
    def horizon(self) -> int:
        return max(target.horizon for target in self.targets.values())

    def only(self, tasks: list[str]) -> "Pool | None":
        """The same samples for some of the tasks; None when none of them is here."""
        kept = {name: target for name, target in self.targets.items() if name in tasks}
        return replace(self, targets=kept) if kept else None

    def at_most(self, count: int) -> "Pool":
        """`count` samples spread evenly over the pool, or all when it has no more."""
        if len(self) <= count:
            return self
        index = torch.linspace(0, len(self) - 1, count, dtype=torch.float64).round().long()
        targets = {
            name: replace(
                target,
                labels=None if target.labels is None else target.labels[index],
                valid=None if target.valid is None else target.valid[index],
            )
            for name, target in self.targets.items()
        }
        return replace(self, samples=self.samples.pick(index), targets=targets)

    def to(self, device: torch.device) -> "Pool":
        """The pool with its tensors on `device`."""
        targets = {
            name: Target(
                None if target.channels is None else target.channels.to(device),
                target.horizon,
                None if target.labels is None else target.labels.to(device),
                None if target.valid is None else target.valid.to(device),
            )
            for name, target in self.targets.items()
        }
        return replace(self, samples=self.samples.to(device), targets=targets)

    def batch(self, index: Int[Tensor, " B"]) -> Batch:
        """Gathers samples by their number in the pool: x, and each task's target."""
        x, future = self.samples.gather(index, self.horizon)
        forecasts: dict[str, Tensor] = {}
        for name, target in self.targets.items():
            if target.labels is None and future is not None:
                rows = future[:, :, : target.horizon]
                forecasts[name] = rows if target.channels is None else rows.index_select(1, target.channels)
        labels = None if self.labels is None else self.labels.index_select(0, index).long()
        valid = None if self.valid is None else self.valid.index_select(0, index)
        return Batch(self.name, index, x, forecasts, self.label_tasks, labels, valid)

    def present(self, index: Int[Tensor, " B"]) -> tuple[str, ...]:
        """Tasks that have a target among the samples `index` (on the CPU)."""
        if self.valid_on_cpu is None:
            return self.tasks
        found = self.valid_on_cpu.index_select(0, index).any(0).tolist()
        return tuple(name for name, has in zip(self.tasks, found, strict=True) if has)
