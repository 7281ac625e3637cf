"""The one interface of the loop to balancing: losses in, gradients set, weights out for the log."""

from abc import abstractmethod

from torch import Tensor, nn

from mtl.types import TaskSpec


class Balancer(nn.Module):
    """Turns the task losses of a step into gradients.

    Args:
        specs: the tasks of the run, in order.
    """

    def __init__(self, specs: list[TaskSpec]) -> None:
        super().__init__()
        self.specs = {spec.name: spec for spec in specs}

    @abstractmethod
    def combine(self, losses: dict[str, Tensor], progress: float) -> tuple[Tensor, dict[str, Tensor | float]]:
        """(objective, weight of each task) of a step at `progress` ∈ [0, 1] of the training.

        A task that has no sample in the step is absent from `losses`.
        """

    def backward(self, losses: dict[str, Tensor], progress: float) -> dict[str, Tensor | float]:
        """Sets the gradients of every parameter; returns each task's weight, for the log."""
        objective, weights = self.combine(losses, progress)
        objective.backward()
        return weights

    def share(self, progress: float) -> float | None:
        """λ at `progress`, the share of the labels; None for methods that have none."""
        del progress
        return None
