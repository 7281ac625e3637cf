"""A simple model of one task, called as a network is.

B samples, T target channels, H horizon, Q quantile levels, k classes.
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtl.data.inputs.words import first_of_words
from mtl.models.heads import at_positions
from mtl.models.predictor import Predictor
from mtl.tasks.base import TaskSpec
from mtl.types import Predictions, Stack


class SimpleNetwork(Predictor):
    """Predicts one task by a body: from samples to a prediction, or to point predictions with a spread added.

    Args:
        spec: the task.
        body: samples → the task's prediction; with a spread, one number for each of its targets.
        spread: module that turns such numbers into quantiles; None where the body predicts as the task does.
    """

    def __init__(self, spec: TaskSpec, body: nn.Module, spread: "Spread | None" = None) -> None:
        super().__init__()
        self.tasks = {spec.name: spec}
        self.body = body
        self.spread = spread

    def forward(
        self, x: Float[Tensor, "B *S"], tasks: Sequence[str], asked: Sequence[str] | None = None
    ) -> Predictions:
        (spec,) = self.tasks.values()
        if spec.name not in (tasks if asked is None else asked):
            return Predictions({}, {}, ())
        prediction = self.finished(self.body(x))
        if spec.stacked:
            return Predictions({}, {spec.kind: Stack((spec.name,), prediction[:, None])}, ())
        return Predictions({spec.name: prediction}, {}, ())

    def finished(self, numbers: Tensor) -> Tensor:
        """The task's prediction from what the body gives."""
        return (numbers if self.spread is None else self.spread(numbers)).float()

    def parameter_counts(self) -> dict[str, Any]:
        total = sum(part.numel() for part in self.state_dict().values())
        (name,) = self.tasks
        return {"total": total, "shared": 0, "trunk": 0, "heads": {name: total}, "trainable": total}


class Spread(nn.Module):
    """Adds quantiles of the errors to point predictions: of a number [Q], of rows ahead [T, H, Q].

    Args:
        shape: of what a point prediction is.
        levels: of the Q quantiles.
    """

    def __init__(self, shape: tuple[int, ...], levels: tuple[float, ...]) -> None:
        super().__init__()
        self.levels = levels
        self.register_buffer("errors", torch.zeros(*shape, len(levels)))
        self.errors: Tensor

    def forward(self, point: Float[Tensor, "B *P"]) -> Tensor:
        quantiles = point[..., None] + self.errors
        return quantiles if quantiles.ndim == 2 else quantiles.flatten(-2)


class Constant(nn.Module):
    """The same prediction for every sample.

    Args:
        shape: of the prediction of a sample.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("value", torch.zeros(shape))
        self.value: Tensor

    def forward(self, x: Float[Tensor, "B *S"]) -> Tensor:
        return self.value.expand(x.shape[0], *self.value.shape)


class ConstantTags(Constant):
    """The same prediction for every word of every text, or for every row of every window, [B, N, k]."""

    def forward(self, x: Float[Tensor, "B N"] | Float[Tensor, "B C N"]) -> Float[Tensor, "B N k"]:
        if x.ndim == 3:
            return self.value.expand(len(x), x.shape[2], -1)
        return at_positions(self.value.expand(*x.shape, -1), first_of_words(x))
