"""Features of whole parts as matrices, computed once for all tasks that read the same samples.

n samples, P features.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from mtl.data.loading.pools import Pool
from mtl.data.loading.tasks import TaskSet
from mtl.models.simple.features import build_features
from mtl.results.simple import Features, Formula
from mtl.types import Split

BLOCK = 256
"""Samples that pass at once, as many as when a finished model predicts."""


@dataclass(frozen=True)
class Described:
    """Features with their module and its numbers."""

    features: Features
    module: nn.Module
    arrays: dict[str, Tensor]


def described(features: Formula, shape: tuple[int, ...], arrays: dict[str, Tensor]) -> Described:
    """Features of samples of a shape, with the numbers that they need."""
    module = build_features(features, shape)
    module.load_state_dict(arrays)
    return Described(features, module, arrays)


class Matrices:
    """Features of the samples of tasks.

    Args:
        data: every task of the run.
    """

    def __init__(self, data: TaskSet) -> None:
        self.data = data
        self._known: dict[tuple[Split, str, str, int], Tensor] = {}

    def pool(self, task: str, split: Split) -> Pool:
        """The pool of a part that holds the samples of a task, with all of its tasks."""
        return next(pool for pool in self.data.pools[split] if task in pool.tasks)

    @torch.no_grad()
    def of(self, task: str, split: Split, what: Described, most: int) -> Float[Tensor, "n P"]:
        """Features of all samples of the task's pool, or of `most` of them spread evenly."""
        pool = self.pool(task, split)
        key = split, pool.name, what.features.kind, most
        if key not in self._known:
            few = pool.at_most(most)
            blocks = torch.split(torch.arange(len(few)), BLOCK)
            self._known[key] = torch.cat([what.module(few.batch(block).x) for block in blocks])
        return self._known[key]

    def weights(self, task: str, split: Split, most: int) -> Float[Tensor, " n"] | None:
        """Weights of the same samples; None: all weigh the same."""
        return self.pool(task, split).at_most(most).weights

    def targets(self, task: str, split: Split, most: int) -> tuple[Tensor, Int[Tensor, " m"] | None]:
        """Targets of the task for the same samples, and the places of those that have one; None: all have."""
        target = self.pool(task, split).at_most(most).targets[task]
        assert target.values is not None, "the target belongs to the sample"
        values = target.values if target.values.is_floating_point() else target.values.long()
        if target.valid is None or bool(target.valid.all()):
            return values, None
        return values, target.valid.nonzero().squeeze(1)
