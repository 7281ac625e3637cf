"""Maps of the raw window or row that a task starts from: what its network then learns is what the map leaves.

Their numbers are solved for, and no step moves them.

B samples, C channels, T target channels, L rows of a window, H horizon, W numbers of a row, k classes.
"""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtl.config.inputs import RowLayout
from mtl.models.rows import one_hot
from mtl.models.simple.features import Kernels
from mtl.models.simple.forecasts import RidgeForecast
from mtl.models.simple.kernels import kernel_groups
from mtl.models.simple.scores import LinearScores, OnFeatures


class LinearMap(nn.Module, ABC):
    """A map whose prediction is added to what a head predicts."""

    @property
    @abstractmethod
    def numbers(self) -> int:
        """Numbers that were solved for."""

    @abstractmethod
    def forward(self, x: Float[Tensor, "B *S"]) -> Float[Tensor, "B *P"]:
        """Prediction that the head's is added to."""


class KernelMap(LinearMap):
    """Logits by ridge regression on random kernels, as the simple model `kernels` gives them.

    Args:
        kernels: number of kernels.
        shape: (C, L).
        classes: k.
    """

    def __init__(self, kernels: int, shape: tuple[int, int], classes: int) -> None:
        super().__init__()
        self.kernels = kernels
        scores = LinearScores(2 * kernels, classes, single=False)
        self.body = OnFeatures(Kernels(kernel_groups(kernels, shape), shape[0]), scores)
        self.numbers_solved = scores.weight.numel() + scores.bias.numel()

    @property
    def numbers(self) -> int:
        return self.numbers_solved

    def forward(self, x: Float[Tensor, "B C L"]) -> Float[Tensor, "B k"]:
        with torch.no_grad():  # nothing below is trained
            logits: Tensor = self.body(x)
        return logits.to(x.dtype)


class RowMap(LinearMap):
    """A number by ridge regression, or logits by logistic regression, of a row of a table, as the simple models of
    these names give them.

    Args:
        width: W, numbers of a row.
        layout: their meaning; None where each is a number.
        outputs: numbers that are predicted, 1 where one logit stands for two classes.
    """

    def __init__(self, width: int, layout: RowLayout | None, outputs: int) -> None:
        super().__init__()
        expand = one_hot(layout)
        scores = LinearScores(width if layout is None else layout.expanded, outputs, single=False)
        self.body = OnFeatures(nn.Identity() if expand is None else expand, scores)
        self.numbers_solved = scores.weight.numel() + scores.bias.numel()

    @property
    def numbers(self) -> int:
        return self.numbers_solved

    def forward(self, x: Float[Tensor, "B W"]) -> Float[Tensor, "B _"]:
        with torch.no_grad():  # nothing below is trained
            predicted: Tensor = self.body(x)
        return predicted.to(x.dtype)


class ForecastMap(LinearMap):
    """A ridge forecast.

    Args:
        ridge: the forecast.
        repeats: numbers that are predicted of each step; all of them start from the same prediction.
        restores: the head adds the window's mean to what it predicts, so this map leaves it out.
    """

    def __init__(self, ridge: RidgeForecast, repeats: int, restores: bool) -> None:
        super().__init__()
        self.ridge, self.repeats, self.restores = ridge, repeats, restores

    @property
    def numbers(self) -> int:
        return self.ridge.weight.numel()

    def forward(self, x: Float[Tensor, "B C L"]) -> Float[Tensor, "B T _"]:
        predicted: Tensor = self.ridge(x)
        if self.restores:
            predicted = predicted - x[:, self.ridge.targets].mean(dim=-1, keepdim=True)
        return predicted.repeat_interleave(self.repeats, dim=-1) if self.repeats > 1 else predicted
