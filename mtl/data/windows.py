"""Windows of one source and the pools of samples that tasks share.

A source is one flat z-scored tensor [R, C]; a sample is the row at which its window starts. A batch is one
`index_select` on a view of the flat tensor: no copy of overlapping windows is ever kept.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mtl.types import Batch


@dataclass(frozen=True)
class Target:
    """What one task wants of a pool's samples."""

    channels: Int[Tensor, " T"] | None
    """Forecast: channels that are predicted; None for a label."""
    horizon: int
    labels: Int[Tensor, " n"] | None
    """Label: class of each sample of the pool; NO_LABEL where missing."""
    valid: Tensor | None
    """[n] bool, which samples have a target; None when all have."""


@dataclass(frozen=True)
class Pool:
    """Samples that several tasks share, so that a batch of them passes the encoder once."""

    name: str
    source: str
    flat: Float[Tensor, "R C"]
    """The source, z-scored, float32; the rows past its end that a last label's window would read are zero."""
    input_len: int
    starts: Int[Tensor, " n"]
    """First row of each sample's window."""
    targets: dict[str, Target]

    @property
    def tasks(self) -> tuple[str, ...]:
        return tuple(self.targets)

    def __len__(self) -> int:
        return self.starts.shape[0]

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
        return replace(self, starts=self.starts[index], targets=targets)

    def to(self, device: torch.device) -> "Pool":
        """The pool with its tensors on `device`; the flat tensor is not copied when it is there already."""
        targets = {
            name: Target(
                None if target.channels is None else target.channels.to(device),
                target.horizon,
                None if target.labels is None else target.labels.to(device),
                None if target.valid is None else target.valid.to(device),
            )
            for name, target in self.targets.items()
        }
        return replace(self, flat=self.flat.to(device), starts=self.starts.to(device), targets=targets)

    def batch(self, index: Int[Tensor, " B"]) -> Batch:
        """Gathers samples by their number in the pool: x [B, C, L] and each task's target."""
        horizon = max(target.horizon for target in self.targets.values())
        starts = self.starts.index_select(0, index)
        span = self.flat.unfold(0, self.input_len + horizon, 1).index_select(0, starts)
        targets: dict[str, Tensor] = {}
        valid: dict[str, Tensor] = {}
        for name, target in self.targets.items():
            if target.labels is not None:
                targets[name] = target.labels.index_select(0, index)
            else:
                future = span[:, :, self.input_len : self.input_len + target.horizon]
                targets[name] = future if target.channels is None else future.index_select(1, target.channels)
            if target.valid is not None:
                valid[name] = target.valid.index_select(0, index)
        return Batch(self.name, span[:, :, : self.input_len], targets, valid)


def pad_rows(values: Float[Tensor, "R C"], rows: int) -> Float[Tensor, "P C"]:
    """Appends `rows` zero rows, so that windows at the very end can be gathered with a horizon's span."""
    return torch.cat([values, values.new_zeros(rows, values.shape[1])]) if rows else values
