"""The forward half of a joint step: one pass of the network for each pool, all losses in one vector."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.func import functional_call

from mtl.balancing.base import Pass
from mtl.data.loading.pools import Pool
from mtl.models.multitask import MultiTaskModel
from mtl.tasks.base import TaskSpec
from mtl.training.augment import Augmentation
from mtl.training.losses import PoolLosses
from mtl.types import Batch, Predictions


@dataclass(frozen=True)
class Served:
    """One pool's part of a step."""

    batch: Batch
    predictions: Predictions


@dataclass(frozen=True)
class Forwarded:
    """Result of a step's passes."""

    losses: Float[Tensor, " k"] | None
    """Losses of the tasks that have a sample, in the order of the run's tasks; None when none has."""
    places: tuple[int, ...]
    """Their positions among the run's tasks."""
    passes: list[Pass]
    """Empty unless they were asked for."""
    served: list[Served]


class Forward:
    """Calls the network on the pools of a step.

    Args:
        model: the network.
        pools: training samples, on the device of the model.
        specs: the tasks of the run, in order.
        starts: task → first epoch that trains it, from 1; a task that is absent here starts at once.
        passes: whether a step's passes are kept for the balancer.
        augment: random changes of images; None: there are none.
    """

    def __init__(
        self,
        model: MultiTaskModel,
        pools: list[Pool],
        specs: Mapping[str, TaskSpec],
        starts: Mapping[str, int],
        passes: bool,
        augment: Augmentation | None = None,
    ) -> None:
        self.model, self.pools, self.starts, self.keep, self.augment = model, pools, starts, passes, augment
        self.device = next(model.parameters()).device
        self.position = {name: number for number, name in enumerate(specs)}
        self.losses_of = {pool.name: PoolLosses(pool, specs).to(self.device) for pool in pools}

    def __call__(
        self, chosen: Mapping[str, Int[Tensor, " b"]], epoch: int, instead: dict[str, Tensor] | None = None
    ) -> Forwarded:
        """The step of an epoch (from 1) that holds the samples `chosen`: pool → their numbers, on the CPU.

        `instead`: parameters and buffers of the network, by name, that take the place of its own in this pass.
        """
        names: list[str] = []
        parts: list[Tensor] = []
        passes: list[Pass] = []
        served: list[Served] = []
        for pool in self.pools:
            if pool.name not in chosen:
                continue
            present = pool.present(chosen[pool.name])
            if self.starts:
                present = tuple(name for name in present if epoch >= self.starts.get(name, 1))
            if not present:
                continue
            batch, mixed = pool.batch(chosen[pool.name].to(self.device)), None
            if self.augment is not None:
                batch, mixed = self.augment(batch, epoch, chosen[pool.name])
            inputs = (batch.x, pool.tasks, present)
            predictions = self.model(*inputs) if instead is None else functional_call(self.model, instead, inputs)
            predicted, values = self.losses_of[pool.name](predictions, batch, present)
            if mixed is not None:
                _, others = self.losses_of[pool.name](predictions, mixed.others, present)
                values = torch.lerp(others, values, mixed.share)
            names += predicted
            parts.append(values)
            served.append(Served(batch, predictions))
            if self.keep:
                where = {name: self.position[name] for name in predicted}
                passes.append(Pass(where, predictions, self.model.linear_heads(predicted)))
        if not parts:
            return Forwarded(None, (), [], [])
        losses = parts[0] if len(parts) == 1 else torch.cat(parts)
        places = [self.position[name] for name in names]
        if any(a > b for a, b in pairwise(places)):
            order = sorted(range(len(places)), key=places.__getitem__)
            losses, places = losses[order], [places[number] for number in order]
        return Forwarded(losses, tuple(places), passes, served)
