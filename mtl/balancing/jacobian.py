"""Gradient aggregation: the shared weights follow a combination of the tasks' gradients, each head its own task's.

Exact: from the Jacobian of the losses on the shared weights, K backward passes, through torchjd's autojac.
Surrogate: from the Gramian of the gradients on the features (as MGDA-UB, Sener & Koltun 2018, arXiv 1810.04650) and
one backward pass with the weights that it gives; only where all tasks read one batch's features.

A task that has no sample with a target in a step has no gradient in it; the others' are combined.
"""

import copy
import math
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Float64
from torch import Tensor
from torchjd.aggregation import GramianWeightedAggregator, Weighting
from torchjd.autojac import backward, jac, jac_to_grad

from mtl.balancing.aggregation import Direction, Weigher
from mtl.balancing.base import Balancer, NonFiniteGradientError, Step, placed
from mtl.balancing.feature_gramian import feature_gramian
from mtl.balancing.gradients import look, task_gradients
from mtl.errors import UserError
from mtl.tasks.base import TaskSpec


class JacobianDescent(Balancer):
    """A method of aggregation at work on a network.

    Args:
        specs: the tasks of the run.
        method: what combines the gradients.
        surrogate: whether it sees the gradients on the features instead of those on the shared weights.
    """

    def __init__(self, specs: list[TaskSpec], method: Weigher | Direction, surrogate: bool = False) -> None:
        super().__init__(specs)
        self.method, self.surrogate = method, surrogate
        self.needs_passes = surrogate

    def backward(self, step: Step) -> Float[Tensor, " K"]:
        if self.surrogate and isinstance(self.method, Weigher):
            gramian = self._on_features(step)
            weights = self._weigh(self.method, gramian, step).to(step.losses)
            torch.autograd.backward(step.losses, weights, inputs=list(step.shared))
            return placed(weights, step, len(self.specs))
        if step.heads:
            ones = torch.ones_like(step.losses)
            torch.autograd.backward(step.losses, ones, inputs=list(step.heads), retain_graph=True)
        if isinstance(self.method, Direction):
            weights = self._follow(self.method, step)
        elif self.method.needs_gramian:
            weights = self._descend(self.method, step)
        else:
            weights = self.method(torch.eye(len(step.losses)).double(), list(step.present)).to(step.losses)
            torch.autograd.backward(step.losses, weights, inputs=list(step.shared))
        return placed(weights, step, len(self.specs))

    def agreement(
        self, gramian: Float[Tensor, "k k"], weights: Float[Tensor, " K"], present: Sequence[int]
    ) -> float | None:
        if not self.surrogate or not isinstance(self.method, Weigher) or gramian.trace() == 0:
            return None
        g = gramian.double().cpu()
        used = weights.detach().double().cpu()[list(present)]
        # A copy: what the method remembers and draws is left to the training.
        exact = copy.deepcopy(self.method)(g, list(present))
        squares = float((used @ g @ used) * (exact @ g @ exact))
        return float(used @ g @ exact) / math.sqrt(squares) if squares > 0 else None

    def _weigh(self, method: Weigher, gramian: Float[Tensor, "k k"], step: Step) -> Float64[Tensor, " k"]:
        """The method's weights; the same for all when no task has a gradient."""
        g = gramian.detach().double().cpu()
        self._check(g.diagonal(), step)
        if g.trace() == 0:
            return torch.full((len(g),), 1 / len(g), dtype=torch.float64)
        weights: Tensor = method(g, list(step.present))
        return weights

    def _descend(self, method: Weigher, step: Step) -> Float[Tensor, " k"]:
        """Sets the shared gradients from the exact Gramian."""
        weighting = _Called(lambda gramian: self._weigh(method, gramian, step).to(gramian))
        reach = look(step.losses)
        shared = reach.reached(list(step.shared))
        backward(step.losses, inputs=shared, parallel_chunk_size=reach.at_once)
        return jac_to_grad(shared, GramianWeightedAggregator(weighting), optimize_gramian_computation=True)

    def _follow(self, method: Direction, step: Step) -> Float[Tensor, " k"]:
        """Sets the shared gradients from the exact Jacobian."""
        reach = look(step.losses)
        blocks = jac(step.losses, step.shared, parallel_chunk_size=reach.at_once)
        jacobian = torch.cat([block.flatten(1) for block in blocks], dim=1)
        self._check(jacobian.norm(dim=1), step)
        direction: Tensor
        weights: Tensor
        direction, weights = method(jacobian, list(step.present))
        parts = torch.split(direction, [parameter.numel() for parameter in step.shared])
        for parameter, part in zip(step.shared, parts, strict=True):
            if id(parameter) in reach.leaves:
                parameter.grad = part.view_as(parameter).clone()
        return weights

    def _on_features(self, step: Step) -> Float[Tensor, "k k"]:
        """Gramian of the gradients on the features; sets the heads' gradients."""
        only = step.passes[0]
        if len(step.passes) > 1 or len(only.predictions.features) > 1:
            raise UserError(
                "`features: features` needs tasks that read the same features of the same batch, found "
                f"{len(step.passes)} batches and {len(only.predictions.features)} tensors of features; use `exact`."
            )
        place = {position: number for number, position in enumerate(step.present)}
        number = {task: place[position] for task, position in only.places.items()}
        ones = torch.ones_like(step.losses)
        if sum(len(tasks) for tasks in only.linear) < len(number):
            torch.autograd.backward(step.losses, ones, inputs=list(step.heads), retain_graph=True)
            at_once = look(step.losses).at_once
            rows = task_gradients(step.losses, only.predictions.features, at_once)
            return rows @ rows.T
        predictions = only.predictions
        own = [tasks[0] for tasks in only.linear if tasks[0] in predictions.own]
        stacks = [
            (stack, [tasks for tasks in only.linear if tasks[0] in stack.tasks])
            for stack in predictions.stacks.values()
        ]
        outputs = [predictions.own[task] for task in own] + [stack.values for stack, _ in stacks]
        heads = list(step.heads)
        gradients = torch.autograd.grad(step.losses, [*outputs, *heads], ones, retain_graph=True, allow_unused=True)
        for parameter, gradient in zip(heads, gradients[len(outputs) :], strict=True):
            parameter.grad = gradient
        deltas = [gradient.flatten(1) for gradient in gradients[: len(outputs)]]
        task = [number[name] for name, delta in zip(own, deltas, strict=False) for _ in range(delta.shape[1])]
        weights = [only.linear[name,] for name in own]
        for position, (stack, linear) in enumerate(stacks, start=len(own)):
            names = [name for tasks in linear for name in tasks]
            if names != list(stack.tasks):
                deltas[position] = deltas[position][:, [stack.tasks.index(name) for name in names]]
            task += [number[name] for name in names]
            weights += [only.linear[tasks] for tasks in linear]
        delta = deltas[0] if len(deltas) == 1 else torch.cat(deltas, dim=1)
        weight = weights[0] if len(weights) == 1 else torch.cat(weights)
        return feature_gramian(delta, weight, task, len(step.losses))

    def _check(self, sizes: Float[Tensor, " k"], step: Step) -> None:
        """Raises if a task's gradient, of which `sizes` holds a measure, is not finite."""
        bad = (~torch.isfinite(sizes)).nonzero().flatten().tolist()
        if bad:
            raise NonFiniteGradientError([self.specs[step.present[place]].name for place in bad])


class _Called(Weighting[Tensor]):
    """A function from Gramian to weights, as torchjd calls it."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, gramian: Tensor, /) -> Tensor:
        return self.function(gramian)
