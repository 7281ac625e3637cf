"""A trunk and a head a task; a single-task network is the same with one head."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from mtl.config.training import Precision
from mtl.models.features import Features
from mtl.models.heads import LinearHead, StackedHeads
from mtl.models.linear_map import LinearMap
from mtl.models.normalisation import normalise
from mtl.models.predictor import Predictor
from mtl.models.rows import OneHot
from mtl.models.sharing import Trunk
from mtl.tasks.base import TaskSpec
from mtl.types import Predictions, Stack


@dataclass(frozen=True)
class _Route:
    """Modules that a pass over some of the tasks calls, worked out once for each set of tasks."""

    rates: dict[str, float]
    own: tuple[str, ...]
    """Tasks with a module of their own as head."""
    stacks: tuple[tuple[int, tuple[str, ...], Int[Tensor, " J"] | None], ...]
    """(stack, its tasks among those asked for, their rows; None when they are all of its rows)."""
    numbers: dict[str, tuple[str, ...]]
    """Kind of tasks that predict one number a sample → those asked for, in order."""


class MultiTaskModel(Predictor):
    """Passes a batch once through the trunk for all the tasks that share its samples.

    Args:
        trunk: from a batch to each task's features.
        heads: task → head, for all tasks but those of `stacks`.
        stacks: heads of one number a sample that are one linear layer together, each of one kind of task.
        tasks: the tasks of the run, in order.
        maps: task → map of the raw sample that the prediction of its head is added to, for tasks that have one.
        normalised: tasks whose encoder is shown instance-normalised windows: all tasks of a source or none.
        expanded: task → module that gives each category of a row a column of its own, for tasks on such rows whose
            encoder reads numbers alone: all tasks of a source or none.
    """

    def __init__(
        self,
        trunk: Trunk,
        heads: Mapping[str, nn.Module],
        stacks: Sequence[StackedHeads],
        tasks: Sequence[TaskSpec],
        maps: Mapping[str, LinearMap] | None = None,
        normalised: Sequence[str] = (),
        expanded: Mapping[str, OneHot] | None = None,
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.heads = nn.ModuleDict()
        # Entered directly: ModuleDict refuses names of its own methods, and a task may be called `keys` or `type`.
        self.heads._modules.update(heads)
        self.linear_maps = dict(maps or {})
        self.maps = nn.ModuleDict()
        self.maps._modules.update(self.linear_maps)
        self._stacks = list(stacks)
        self.stacks = nn.ModuleList(self._stacks)
        self.tasks = {task.name: task for task in tasks}
        self.normalised = frozenset(normalised)
        self.expanded = dict(expanded or {})
        self.expansions = nn.ModuleList({id(module): module for module in self.expanded.values()}.values())
        self.frozen = False
        self.precision: Precision = "float32"
        self._routes: dict[tuple[tuple[str, ...], tuple[str, ...] | None], _Route] = {}

    def dropout_of(self, task: str) -> float:
        """The task's own dropout rate, else the encoder's."""
        own = self.tasks[task].dropout
        return self.trunk.encoders()[0].dropout if own is None else own

    def forward(
        self, x: Float[Tensor, "B C *S"], tasks: Sequence[str], asked: Sequence[str] | None = None
    ) -> Predictions:
        """Predictions for samples that `tasks` share.

        Args:
            x: the samples.
            tasks: all that share them; they set the dropout rate of a common encoder.
            asked: whose predictions are wanted; None for all. The heads of the others are not called.
        """
        route = self._route(tuple(tasks), None if asked is None else tuple(asked))
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            trunk_features = self._features(x, route.rates)
        own = {task: self.heads[task](trunk_features[task]) for task in route.own}
        own |= {task: own[task] + linear(x) for task, linear in self.linear_maps.items() if task in own}
        parts: dict[str, list[tuple[tuple[str, ...], Tensor]]] = {kind: [] for kind in route.numbers}
        for number, chosen, rows in route.stacks:
            values = self._stacks[number]([trunk_features[task] for task in chosen], rows)
            parts[self.tasks[chosen[0]].kind].append((chosen, values))
        for task in route.own:
            if self.tasks[task].stacked:
                parts[self.tasks[task].kind].append(((task,), own.pop(task)))
        stacks = {kind: _side_by_side(parts[kind], tasks) for kind, tasks in route.numbers.items()}
        read = [trunk_features[task].places if self.tasks[task].at_positions else None for task in trunk_features]
        tensors = [
            f.tokens if places is None else places for f, places in zip(trunk_features.values(), read, strict=True)
        ]
        features = tuple({id(tensor): tensor for tensor in tensors}.values())
        return Predictions(own, stacks, features)

    def _features(self, x: Float[Tensor, "B C *S"], rates: Mapping[str, float]) -> dict[str, Features]:
        """Features of each task, of samples as its source is looked at, with the statistics of raw windows."""
        expand = self.expanded.get(next(iter(rates))) if self.expanded else None
        if expand is not None:
            x = expand(x)
        if self.normalised.isdisjoint(rates):
            return self._of_trunk(x, rates)
        normalised, mean, std = normalise(x)
        features = self._of_trunk(normalised, rates)
        return {task: replace(own, mean=mean, std=std) for task, own in features.items()}

    def _of_trunk(self, x: Float[Tensor, "B C *S"], rates: Mapping[str, float]) -> dict[str, Features]:
        """Features in float32, computed in the numbers of `precision`."""
        features: dict[str, Features]
        if self.precision == "float32":
            features = self.trunk(x, rates)
            return features
        with torch.autocast(x.device.type, torch.bfloat16):
            features = self.trunk(x, rates)
        # Tasks that share a tensor go on sharing it: its gradients are asked for once.
        single = {id(own.tokens): own.tokens.float() for own in features.values()}
        places = {id(own.places): own.places.float() for own in features.values() if own.places is not None}
        return {
            task: replace(own, tokens=single[id(own.tokens)], places=places.get(id(own.places)))
            for task, own in features.items()
        }

    def _route(self, tasks: tuple[str, ...], asked: tuple[str, ...] | None) -> _Route:
        key = (tasks, asked)
        if key not in self._routes:
            device = next(self.parameters()).device
            rates = {task: self.dropout_of(task) for task in tasks}
            tasks = tasks if asked is None else asked
            stacks = []
            for number, stack in enumerate(self._stacks):
                chosen = tuple(task for task in tasks if task in stack.tasks)
                rows = [stack.tasks.index(task) for task in chosen]
                if chosen:
                    whole = rows == list(range(len(stack.tasks)))
                    stacks.append((number, chosen, None if whole else torch.tensor(rows, device=device)))
            self._routes[key] = _Route(
                rates,
                tuple(task for task in tasks if task in self.heads),
                tuple(stacks),
                {
                    kind: tuple(task for task in tasks if self.tasks[task].kind == kind)
                    for kind in dict.fromkeys(self.tasks[task].kind for task in tasks if self.tasks[task].stacked)
                },
            )
        return self._routes[key]

    def _apply(self, fn: Any, recurse: bool = True) -> "MultiTaskModel":
        self._routes.clear()  # they hold indices on the device that is left
        nn.Module._apply(self, fn, recurse)
        return self

    def freeze_encoder(self) -> None:
        """Leaves the encoder without gradient and in eval mode from now on: a probe of what it already knows."""
        self.frozen = True
        self.trunk.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "MultiTaskModel":
        super().train(mode)
        if self.frozen:
            self.trunk.eval()
        return self

    def shared_parameters(self) -> list[nn.Parameter]:
        """Parameters that several tasks train together; none once the encoder is frozen."""
        return [] if self.frozen else [p for p in self.trunk.shared_parameters() if p.requires_grad]

    def shared_columns(self) -> list[list[nn.Parameter]]:
        """Same lists as `Trunk.columns_of_all`; none once the encoder is frozen."""
        if self.frozen:
            return []
        return [[p for p in column if p.requires_grad] for column in self.trunk.columns_of_all()]

    def head_parameters(self, tasks: Sequence[str]) -> list[nn.Parameter]:
        """Parameters that the heads of `tasks` alone train; a stack of heads belongs to all its tasks."""
        own = [p for task in tasks if task in self.heads for p in self.heads[task].parameters()]
        return own + [p for stack in self._stacks if set(stack.tasks) & set(tasks) for p in stack.parameters()]

    def tasks_of_broken_heads(self) -> list[str]:
        """Tasks whose own head has a gradient that is not finite: what no other task's loss reaches."""
        broken = {
            task
            for task, head in self.heads.items()
            if any(p.grad is not None and not torch.isfinite(p.grad).all() for p in head.parameters())
        }
        for stack in self._stacks:
            if stack.weight.grad is not None:
                rows = torch.isfinite(stack.weight.grad).all(dim=1).tolist()
                broken |= {task for task, whole in zip(stack.tasks, rows, strict=True) if not whole}
        return [task for task in self.tasks if task in broken]

    def linear_heads(self, tasks: Sequence[str]) -> dict[tuple[str, ...], Float[Tensor, "o D"]]:
        """Weights of those of the tasks' heads that are one linear layer on the features; a stack's in one matrix."""
        weights: dict[tuple[str, ...], Tensor] = {}
        wanted = set(tasks)
        for stack in self.stacks:
            assert isinstance(stack, StackedHeads)
            rows = [row for row, task in enumerate(stack.tasks) if task in wanted]
            if rows:
                weight = stack.weight.detach()
                whole = len(rows) == len(stack.tasks)
                weights[tuple(stack.tasks[row] for row in rows)] = weight if whole else weight[rows]
        for task in wanted & set(self.heads):
            head = self.heads[task]
            if isinstance(head, LinearHead):
                weights[task,] = head.linear.weight.detach()
        return weights

    def parameter_counts(self) -> dict[str, Any]:
        """Numbers of weights: `total`, `shared`, `trunk`, `heads` (by task, with its linear map) and `trainable`."""
        maps = {task: linear.numbers for task, linear in self.linear_maps.items()}
        heads = {
            task: sum(p.numel() for p in self.heads[task].parameters())
            if task in self.heads
            else next(stack.weight.shape[1] + 1 for stack in self._stacks if task in stack.tasks)
            for task in self.tasks
        }
        return {
            "total": sum(p.numel() for p in self.parameters()) + sum(maps.values()),
            "shared": sum(p.numel() for p in self.trunk.shared_parameters()),
            "trunk": sum(p.numel() for p in self.trunk.parameters()),
            "heads": {task: number + maps.get(task, 0) for task, number in heads.items()},
            "trainable": sum(p.numel() for p in self.parameters() if p.requires_grad),
        }


def _side_by_side(parts: Sequence[tuple[tuple[str, ...], Tensor]], tasks: tuple[str, ...]) -> Stack:
    """The numbers of some tasks, in their order."""
    names = tuple(name for chosen, _ in parts for name in chosen)
    values = parts[0][1] if len(parts) == 1 else torch.cat([part for _, part in parts], dim=1)
    if names != tasks:
        values = values.index_select(1, torch.tensor([names.index(task) for task in tasks], device=values.device))
    return Stack(tasks, values)
