"""Losses brought to a common scale before any method sees them; no gradient flows through the scale.

initial: divided by the task's first loss above 0. log_classes: by the loss of a guess, log k for a task of k classes
and 1 for z-scored values in squared error. ema: by the running mean of the task's loss.
"""

import dataclasses
from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mtl.balancing.base import Balancer, Step
from mtl.tasks.base import TaskSpec

Normalisation = Literal["initial", "log_classes", "ema"]
DECAY = 0.99
"""Decay of the running mean; it is corrected for its start, so that the first scale is the first loss."""
SMALLEST = 1e-8
"""A loss is divided by at least this."""


class Normalised(Balancer):
    """A method on scaled losses; the weights it reports are those of the losses as they are.

    Args:
        specs: the tasks.
        inner: the method.
        kind: how losses are scaled.
    """

    def __init__(self, specs: list[TaskSpec], inner: Balancer, kind: Normalisation) -> None:
        super().__init__(specs)
        self.inner, self.kind = inner, kind
        self.needs_passes = inner.needs_passes
        self.sums: Tensor  # log_classes: the scale. Others: sum of losses, each DECAY^age times (ema), or the first
        self.counts: Tensor
        guesses = [spec.guess for spec in specs]
        self.register_buffer("sums", torch.tensor(guesses) if kind == "log_classes" else torch.zeros(len(specs)))
        self.register_buffer("counts", torch.full((len(specs),), float(kind == "log_classes")))

    def backward(self, step: Step) -> Float[Tensor, " K"]:
        self._see(step.losses.detach(), list(step.present))
        scale = self._scale()
        weights = self.inner.backward(dataclasses.replace(step, losses=step.losses * scale[list(step.present)]))
        return weights * scale

    def share(self, progress: float) -> float | None:
        return self.inner.share(progress)

    def agreement(
        self, gramian: Float[Tensor, "k k"], weights: Float[Tensor, " K"], present: Sequence[int]
    ) -> float | None:
        scale = self._scale()
        here = scale[list(present)]
        inner = torch.where(scale > 0, weights / scale, 0)
        return self.inner.agreement(gramian * here[:, None] * here, inner, present)

    def _scale(self) -> Float[Tensor, " K"]:
        """Factor of each loss; 0 for a task that was never seen with a loss above 0."""
        return torch.where(self.counts > 0, 1 / (self.sums / self.counts).clamp_min(SMALLEST), 0)

    def _see(self, losses: Float[Tensor, " k"], present: list[int]) -> None:
        match self.kind:
            case "log_classes":
                return
            case "initial":
                new = (self.counts[present] == 0) & (losses > 0)
                self.sums[present] = torch.where(new, losses, self.sums[present])
                self.counts[present] = torch.where(new, 1.0, self.counts[present])
            case "ema":
                self.sums[present] = DECAY * self.sums[present] + losses
                self.counts[present] = DECAY * self.counts[present] + 1
