"""The one interface of the loop to balancing: a step's losses in, gradients set, weights out for the log.

K tasks of the run, k ≤ K of them with a sample in the step, B samples of a pass, D width of the features.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from mtl.tasks.base import TaskSpec
from mtl.types import Predictions


class NonFiniteGradientError(ArithmeticError):
    """The gradients of some tasks became NaN or infinite; the heads have theirs already.

    Args:
        tasks: all that it can be; one broken task spoils the others' gradients on what they share.
    """

    def __init__(self, tasks: Sequence[str]) -> None:
        super().__init__(f"the gradients of {', '.join(tasks)} are not finite")
        self.tasks = list(tasks)


@dataclass(frozen=True)
class Pass:
    """Tensors between the shared part and the heads that one pool's pass through the network left."""

    places: Mapping[str, int]
    """Task → its position among the run's, of those that the pass served."""
    predictions: Predictions
    """`features`: all tensors (with their graph) through which the losses depend on the shared parameters, one [B, …]
    that every head reads under hard sharing, one a task when each has a trunk of its own. `logits` [B, J] of the
    `binary` tasks in one matrix, `own` of the others."""
    linear: Mapping[tuple[str, ...], Float[Tensor, "o D"]]
    """Tasks → weight of their heads, where these are one linear layer on features [B, …] of D numbers: of a single task
    with o outputs, or of o binary tasks with a row each. Tasks with other heads are absent."""


@dataclass(frozen=True)
class Step:
    """One joint step, after the forward pass and before any backward pass."""

    losses: Float[Tensor, " k"]
    """Loss of each task that has a sample in the step, with its graph."""
    present: tuple[int, ...]
    """Position of each of them among the run's K tasks, ascending."""
    progress: float
    """∈ [0, 1) of the training."""
    passes: Sequence[Pass] = ()
    shared: Sequence[nn.Parameter] = ()
    """Parameters that all tasks train together; empty when the encoder is frozen or each task has its own network."""
    heads: Sequence[nn.Parameter] = ()
    """Every other parameter of the network; each depends on the loss of one task, row by row if heads are stacked."""
    epoch: int = 1
    """The epoch that the step is part of, from 1."""
    columns: Sequence[Sequence[nn.Parameter]] = ()
    """Parameters that every task trains, in the order of layers: one list, or one for each mixed column. Branches of
    some of the tasks are left out. Empty: as `shared`."""


def placed(values: Float[Tensor, " k"], step: Step, count: int) -> Float[Tensor, " K"]:
    """The present tasks' values among those of all `count` tasks, without a graph; 0 for absent ones."""
    values = values.detach()
    if len(values) == count:
        return values
    everyone = values.new_zeros(count)
    everyone[list(step.present)] = values
    return everyone


class Balancer(nn.Module):
    """Turns the task losses of a step into gradients. What it learns or remembers are parameters and buffers, so that
    a saved state restores it.

    Args:
        specs: the tasks of the run, in order.
    """

    needs_passes = False
    """True when the method reads `Step.passes`."""

    def __init__(self, specs: list[TaskSpec]) -> None:
        super().__init__()
        self.specs = specs

    @abstractmethod
    def backward(self, step: Step) -> Float[Tensor, " K"]:
        """Sets the gradients of every parameter; returns each task's weight, for the log.

        Raises:
            NonFiniteGradientError: the method cannot combine what the tasks give. Those that do not look at the
                gradients set what they are.
        """

    def share(self, progress: float) -> float | None:
        """λ at `progress`, the share of the labels; None for methods that have none."""
        del progress
        return None

    def agreement(
        self, gramian: Float[Tensor, "k k"], weights: Float[Tensor, " K"], present: Sequence[int]
    ) -> float | None:
        """Cosine of a surrogate's direction with the one that its method takes from the exact gradients.

        Args:
            gramian: of the gradients on the shared parameters.
            weights: what `backward` returned in the same step.
            present: positions of the tasks in the Gramian among the run's.

        Returns:
            None for methods without a surrogate, or where one of the directions is 0.
        """
        del gramian, weights, present
        return None


class LossWeighting(Balancer):
    """Methods that need nothing but the losses: one weighted sum, one backward pass."""

    @abstractmethod
    def combine(self, step: Step) -> tuple[Float[Tensor, ""], Float[Tensor, " K"]]:
        """(objective, weight of each task)."""

    def backward(self, step: Step) -> Float[Tensor, " K"]:
        objective, weights = self.combine(step)
        objective.backward()
        return weights.detach()
