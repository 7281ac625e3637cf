"""The losses of a pool's tasks, each as its kind says; masked samples do not count, weighted ones by their weights.

B samples of a batch, J tasks of a kind.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtl.balancing.gradients import look, task_gradients
from mtl.data.loading.pools import Pool
from mtl.tasks.base import TaskSpec
from mtl.tasks.criterion import Criterion, weighted_mean_of
from mtl.tasks.every import by_kind
from mtl.types import Batch, Predictions, Stack

SIDE_BY_SIDE = 64
"""Number of tasks whose gradients are computed side by side, where there are more than so many."""


class PoolLosses(nn.Module):
    """The losses of all tasks of one pool, worked out together: tasks of one number a sample in one call for each kind,
    however many.

    Args:
        pool: its samples' masks and targets.
        specs: task → spec.
    """

    def __init__(self, pool: Pool, specs: Mapping[str, TaskSpec]) -> None:
        super().__init__()
        self.place = {name: number for number, name in enumerate(pool.tasks)}
        self._own: dict[str, Criterion] = {}
        self._stacked: dict[str, StackedLoss] = {}
        for kind, names in by_kind(pool.tasks, specs):
            if kind.stacked:
                self._stacked[kind.kind] = StackedLoss(pool, names, kind.criterion([specs[name] for name in names]))
                self.add_module(f"stacked/{kind.kind}", self._stacked[kind.kind])
            else:
                for name in names:
                    self._own[name] = kind.criterion([specs[name]])
                    self.add_module(f"own/{name}", self._own[name])

    def forward(
        self, predictions: Predictions, batch: Batch, present: tuple[str, ...]
    ) -> tuple[tuple[str, ...], Float[Tensor, " j"]]:
        """(tasks, mean loss of each over its samples of the batch); only those in `present`, which have samples."""
        names: list[str] = []
        parts: list[Tensor] = []
        for name in present:
            if name not in self._own:
                continue
            prediction, target, weights = predictions.own[name], batch.target(name), batch.weights
            if batch.valid is not None:
                chosen = batch.valid[:, self.place[name]].nonzero().squeeze(1)
                prediction, target = prediction.index_select(0, chosen), target.index_select(0, chosen)
                weights = None if weights is None else weights.index_select(0, chosen)
            criterion = self._own[name]
            loss = criterion(prediction, target) if weights is None else criterion.weighted(prediction, target, weights)
            parts.append(loss[None])
            names.append(name)
        for kind, stack in predictions.stacks.items():
            parts.append(self._stacked[kind](stack, batch))
            names += stack.tasks
        return tuple(names), parts[0] if len(parts) == 1 else torch.cat(parts)


class StackedLoss(nn.Module):
    """The losses of all tasks of one kind that predict one number a sample.

    Args:
        pool: its samples' masks and targets.
        tasks: the J tasks.
        criterion: gives the loss of each sample.
    """

    def __init__(self, pool: Pool, tasks: tuple[str, ...], criterion: Criterion) -> None:
        super().__init__()
        self.tasks, self.criterion = tasks, criterion
        self.table = next(number for number, table in enumerate(pool.tables) if tasks[0] in table.tasks)
        self.column = {name: number for number, name in enumerate(pool.tables[self.table].tasks)}
        self.place = {name: number for number, name in enumerate(pool.tasks)}
        self.columns: Tensor | None
        self.places: Tensor | None
        self.register_buffer("columns", _index([self.column[n] for n in tasks], len(self.column)), persistent=False)
        self.register_buffer("places", _index([self.place[n] for n in tasks], len(self.place)), persistent=False)

    def forward(self, stack: Stack, batch: Batch) -> Float[Tensor, " j"]:
        """Losses of all tasks that were predicted."""
        columns, places, which = self.columns, self.places, None
        if stack.tasks != self.tasks:  # some have no sample in this batch
            device = stack.values.device
            columns = torch.tensor([self.column[name] for name in stack.tasks], device=device)
            places = torch.tensor([self.place[name] for name in stack.tasks], device=device)
            which = [self.tasks.index(name) for name in stack.tasks]
        losses: Tensor = self.criterion(stack.values, _columns(batch.tables[self.table].values, columns), which)
        mask = None if batch.valid is None else _columns(batch.valid, places)
        if batch.weights is not None:
            weights = batch.weights[:, None].expand_as(losses)
            if mask is not None:
                losses, weights = torch.where(mask, losses, 0.0), torch.where(mask, weights, 0.0)
            return weighted_mean_of(losses, weights)
        if mask is None:
            return losses.mean(dim=0)
        # `where`, not a product: the loss of a missing target is a number, but its gradient must not be.
        return torch.where(mask, losses, 0.0).sum(dim=0) / mask.sum(dim=0)


def _index(wanted: list[int], of: int) -> Tensor | None:
    """Column numbers; None when they are all of them in order."""
    return None if wanted == list(range(of)) else torch.tensor(wanted, dtype=torch.int64)


def _columns(matrix: Tensor, wanted: Tensor | None) -> Tensor:
    return matrix if wanted is None else matrix.index_select(1, wanted)


def gradient_geometry(
    losses: Float[Tensor, " k"], parameters: list[torch.nn.Parameter]
) -> tuple[Float[Tensor, " k"], Float[Tensor, "k k"]]:
    """Norm of each task's gradient on the shared parameters, and their cosines; the graph is kept.

    Cost: one backward pass of the shared part for each task, so it is called on a few steps an epoch only. Those of
    many tasks go side by side where the network allows it.
    """
    reach = look(losses)
    reached = reach.reached(parameters)
    rows: list[Tensor] = []
    if len(losses) > SIDE_BY_SIDE and reach.at_once is None and reached:
        basis = torch.eye(len(losses), dtype=losses.dtype, device=losses.device)
        for some in torch.split(basis, SIDE_BY_SIDE):
            rows += task_gradients(losses, reached, None, some)
    else:
        for loss in losses.unbind():
            gradients = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
            whole = [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, gradients, strict=True)]
            rows.append(torch.cat([gradient.flatten() for gradient in whole]))
    matrix = torch.stack(rows)
    norms = matrix.norm(dim=1)
    unit = matrix / norms.clamp_min(torch.finfo(matrix.dtype).tiny)[:, None]
    return norms, unit @ unit.T
