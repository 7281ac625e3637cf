"""The contract of a finished model: samples in, predictions of its tasks out, whoever fitted it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtl.tasks.base import TaskSpec
from mtl.types import Predictions


class Predictor(nn.Module, ABC):
    """A network, or a simple model."""

    tasks: Mapping[str, TaskSpec]
    """Name → task, in order."""

    @abstractmethod
    def forward(
        self, x: Float[Tensor, "B C *S"], tasks: Sequence[str], asked: Sequence[str] | None = None
    ) -> Predictions:
        """Predictions for samples that `tasks` share.

        Args:
            x: the samples, z-scored.
            tasks: all that share them.
            asked: whose predictions are wanted; None for all.
        """

    @abstractmethod
    def parameter_counts(self) -> dict[str, Any]:
        """Numbers of weights: `total`, `shared`, `trunk`, `heads` (by task) and `trainable`."""

    @property
    def device(self) -> torch.device:
        """Where the samples should be; the CPU for a model that holds no number."""
        first = next(chain(self.parameters(), self.buffers()), None)
        return torch.device("cpu") if first is None else first.device
