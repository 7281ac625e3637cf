"""Pools: samples that several tasks share, so that a batch of them passes the network once.

n samples of a pool, B of a batch, K tasks of the pool, J of them with a target of their own kind of number.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mtl.data.inputs.base import Samples
from mtl.types import Batch, Table


@dataclass(frozen=True)
class Target:
    """Target of one task for the samples of a pool: values that belong to them, or the rows that follow."""

    values: Int[Tensor, "n *P"] | Float[Tensor, " n"] | None
    """Class number or z-scored number of each sample, where missing anything, or class numbers at its P positions,
    NO_LABEL where missing; None for the rows that follow."""
    ahead: int = 0
    """Number of rows that follow."""
    channels: Int[Tensor, " T"] | None = None
    """Channels of them that are predicted; None for all."""
    valid: Bool[Tensor, " n"] | None = None
    """Mask of the samples that have a target; None when all have."""

    def pick(self, index: Int[Tensor, " m"]) -> "Target":
        """The target of some of the samples."""
        parts = (None if part is None else part[index] for part in (self.values, self.valid))
        values, valid = parts
        return replace(self, values=values, valid=valid)

    def to(self, device: torch.device) -> "Target":
        """The target with its tensors on `device`."""
        parts = (None if part is None else part.to(device) for part in (self.values, self.channels, self.valid))
        values, channels, valid = parts
        return Target(values, self.ahead, channels, valid)


@dataclass(frozen=True)
class Pool:
    """Samples of one source and what each of its tasks wants of them."""

    name: str
    source: str
    samples: Samples
    targets: dict[str, Target]
    weights: Float[Tensor, " n"] | None = None
    """Weight of each sample in the training loss; None: all weigh the same."""

    @property
    def tasks(self) -> tuple[str, ...]:
        return tuple(self.targets)

    def __len__(self) -> int:
        return len(self.samples)

    @cached_property
    def tables(self) -> tuple[Table, ...]:
        """Every target that belongs to the samples, in a matrix of class numbers (16 bits hold one) and one of numbers,
        so that a batch gathers all of them at once."""
        classes: dict[str, Tensor] = {}
        numbers: dict[str, Tensor] = {}
        for name, target in self.targets.items():
            if target.values is not None and name not in self.positions:
                if target.values.is_floating_point():
                    numbers[name] = target.values
                else:
                    classes[name] = target.values.to(torch.int16)
        return tuple(
            Table(tuple(columns), torch.stack(list(columns.values()), dim=1))
            for columns in (classes, numbers)
            if columns
        )

    @cached_property
    def positions(self) -> dict[str, Int[Tensor, "n _"]]:
        """Task → class numbers at the positions of every sample."""
        targets = {name: target.values for name, target in self.targets.items()}
        return {name: values for name, values in targets.items() if values is not None and values.ndim > 1}

    @cached_property
    def valid(self) -> Bool[Tensor, "n K"] | None:
        """Mask of the samples that have a target, for each task; None when all have."""
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
    def ahead(self) -> int:
        """The most rows that a task wants behind a sample."""
        return max(target.ahead for target in self.targets.values())

    def only(self, tasks: list[str]) -> "Pool | None":
        """The same samples for some of the tasks; None when none of them is here."""
        kept = {name: target for name, target in self.targets.items() if name in tasks}
        return replace(self, targets=kept) if kept else None

    def at_most(self, count: int) -> "Pool":
        """`count` samples spread evenly over the pool, or all when it has no more."""
        if len(self) <= count:
            return self
        index = torch.linspace(0, len(self) - 1, count, dtype=torch.float64).round().long()
        targets = {name: target.pick(index) for name, target in self.targets.items()}
        weights = None if self.weights is None else self.weights[index]
        return replace(self, samples=self.samples.pick(index), targets=targets, weights=weights)

    def to(self, device: torch.device) -> "Pool":
        """The pool with its tensors on `device`."""
        targets = {name: target.to(device) for name, target in self.targets.items()}
        weights = None if self.weights is None else self.weights.to(device)
        return replace(self, samples=self.samples.to(device), targets=targets, weights=weights)

    def batch(self, index: Int[Tensor, " B"]) -> Batch:
        """Gathers samples by their number in the pool: x, and each task's target."""
        x, following = self.samples.gather(index, self.ahead)
        ahead: dict[str, Tensor] = {}
        for name, target in self.targets.items():
            if target.values is None and following is not None:
                rows = following[:, :, : target.ahead]
                ahead[name] = rows if target.channels is None else rows.index_select(1, target.channels)
        tables = tuple(Table(table.tasks, _rows(table.values, index)) for table in self.tables)
        valid = None if self.valid is None else self.valid.index_select(0, index)
        weights = None if self.weights is None else self.weights.index_select(0, index)
        positions = {name: _rows(values, index) for name, values in self.positions.items()}
        return Batch(self.name, index, x, ahead, tables, valid, weights, positions)

    def present(self, index: Int[Tensor, " B"]) -> tuple[str, ...]:
        """Tasks that have a target among the samples `index` (on the CPU)."""
        if self.valid_on_cpu is None:
            return self.tasks
        has_target = self.valid_on_cpu.index_select(0, index).any(0).tolist()
        return tuple(name for name, has in zip(self.tasks, has_target, strict=True) if has)


def _rows(values: Tensor, index: Int[Tensor, " B"]) -> Tensor:
    rows = values.index_select(0, index)
    return rows if rows.is_floating_point() else rows.long()
