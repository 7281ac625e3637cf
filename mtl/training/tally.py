"""Sums and records of an epoch, step by step: kept on the device, saved with a state in the middle of an epoch.

S steps of the epoch, K tasks, P probes.
"""

import math

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor

from mtl.results.history import Gradients, TrainLoss
from mtl.results.pair_arrays import of_matrix


class Tally:
    """Losses, gradient norms, weights and gradient geometry of one epoch.

    Args:
        names: the tasks, in order.
        steps: S.
        probes: numbers, from 0, of the P steps on which the geometry of the task gradients is measured.
        device: where the losses come from.
    """

    def __init__(self, names: list[str], steps: int, probes: list[int], device: torch.device) -> None:
        k, p = len(names), len(probes)
        self.names, self.probes = names, probes
        self.losses: Float[Tensor, "S K"] = torch.full((steps, k), torch.nan, device=device)
        self.drawn: Bool[Tensor, "S K"] = torch.zeros(steps, k, dtype=torch.bool)
        """True where a step held a sample of a task; on the CPU."""
        self.norms: Float[Tensor, " S"] = torch.zeros(steps, device=device)
        """Norms of the combined gradient, before clipping."""
        self.weights: Float[Tensor, " K"] = torch.zeros(k, device=device)
        """Sum over steps of each task's weight in the objective."""
        self.probed: Bool[Tensor, "P K"] = torch.zeros(p, k, dtype=torch.bool)
        self.task_norms: Float[Tensor, "P K"] = torch.zeros(p, k, device=device)
        self.cosines: Float[Tensor, "P K K"] = torch.zeros(p, k, k, device=device)
        self.agreement: Float[Tensor, " P"] = torch.full((p,), torch.nan)
        """Cosine of a surrogate's direction with the exact one; NaN where there is none. On the CPU."""

    def state(self) -> dict[str, Tensor]:
        """Every tensor, by name."""
        return {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Takes over what `state` gave."""
        for name, mine in self.state().items():
            mine.copy_(state[name])

    def add_losses(self, step: int, losses: Float[Tensor, " k"], present: tuple[int, ...]) -> None:
        """Losses of the tasks at the positions `present` in one step."""
        if len(present) == len(self.names):
            self.losses[step] = losses.detach()
            self.drawn[step] = True
        else:
            self.losses[step, list(present)] = losses.detach()
            self.drawn[step, list(present)] = True

    def add_geometry(self, step: int, present: tuple[int, ...], norms: Tensor, cosines: Tensor) -> None:
        """Norms [k] and cosines [k, k] of the gradients of the tasks at the positions `present`, in a probed step."""
        places, probe = torch.tensor(present), self.probes.index(step)
        self.probed[probe, places] = True
        self.task_norms[probe, places] = norms
        self.cosines[probe, places[:, None], places] = cosines

    def add_agreement(self, step: int, cosine: float | None) -> None:
        """Cosine of the surrogate with the exact method in a probed step; None for methods without a surrogate."""
        if cosine is not None:
            self.agreement[self.probes.index(step)] = cosine

    def broken(self, first: int, end: int) -> tuple[Int[Tensor, "n 2"], Int[Tensor, " m"]]:
        """(step and task of each loss, step of each gradient norm) that is not finite in the steps [first, end)."""
        losses = ~torch.isfinite(self.losses[first:end]).cpu() & self.drawn[first:end]
        norms = ~torch.isfinite(self.norms[first:end]).cpu()
        return losses.nonzero() + torch.tensor([first, 0]), norms.nonzero().flatten() + first

    def finite(self, first: int, end: int) -> bool:
        """True when every loss and gradient norm of the steps [first, end) is finite."""
        return not any(map(len, self.broken(first, end)))

    def mean_weights(self) -> dict[str, float]:
        """Task → mean of its weight in the objective over the steps."""
        return dict(zip(self.names, (self.weights / len(self.norms)).tolist(), strict=True))

    def mean_losses(self) -> dict[str, TrainLoss]:
        """Task → mean of its loss over the steps that held a sample of it; None when none did."""
        counts = self.drawn.sum(dim=0)
        sums = torch.where(self.drawn.to(self.losses.device), self.losses, 0.0).sum(dim=0).cpu()
        means = [None if n == 0 else float(s / n) for s, n in zip(sums, counts, strict=True)]
        return {name: TrainLoss(loss=mean) for name, mean in zip(self.names, means, strict=True)}

    def mean_geometry(self) -> Gradients:
        """Means over the epoch's probes of each task's gradient norm and each pair's cosine, and of the cosine of a
        surrogate's direction with the exact one, where there is a surrogate."""
        probed = self.probed.numpy()
        both = probed[:, :, None] & probed[:, None, :]
        norms = _mean(self.task_norms.cpu().double().numpy(), probed)
        cosines = _mean(self.cosines.cpu().double().numpy(), both)
        return Gradients(
            norms={name: norm for name, norm in zip(self.names, norms.tolist(), strict=True) if not math.isnan(norm)},
            cosines=of_matrix(self.names, cosines),
            surrogate=None if self.agreement.isnan().all() else float(self.agreement.nanmean()),
        )


def _mean(values: Float64[np.ndarray, "P *n"], there: np.ndarray) -> Float64[np.ndarray, "*n"]:
    """Mean over the probes of the values that are `there`; NaN where none is."""
    count = there.sum(axis=0)
    total = np.where(there, values, 0.0).sum(axis=0)
    mean: Float64[np.ndarray, "*n"] = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return mean
