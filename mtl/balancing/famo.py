"""FAMO (Liu 2023, arXiv 2306.03792, algorithm 1): all losses shall fall at the same relative rate.

z = softmax(w) over the tasks; the step goes along c·Σ z_k·∇log L_k, with c such that the weights c·z_k/L_k of the
task gradients sum to 1. Then w is moved by Adam against how much better each task became, δ_k = log L_k before
− log L_k after. `After` is read from the next step's losses, on its own samples, so that no second forward pass is
needed; the published code measures it on the same batch. Torchjd's keeps Adam's moments out of its state.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from mtl.balancing.base import LossWeighting, Step, placed
from mtl.types import TaskSpec

EPS = 1e-8
BETAS = (0.9, 0.999)


class Famo(LossWeighting):
    """Tasks that are absent from one of two successive steps count as having improved like the others.

    Args:
        specs: the tasks.
        lr: Adam's learning rate for w.
        decay: pull of w towards 0 (γ in the paper).
    """

    def __init__(self, specs: list[TaskSpec], lr: float, decay: float) -> None:
        super().__init__(specs)
        self.lr, self.decay = lr, decay
        count = len(specs)
        self.logits: Tensor
        self.moments: Tensor  # [2, K]: Adam's first and second
        self.updates: Tensor
        self.before: Tensor  # log L of the last step, NaN for a task without a sample in it
        self.register_buffer("logits", torch.zeros(count))
        self.register_buffer("moments", torch.zeros(2, count))
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))
        self.register_buffer("before", torch.full((count,), torch.nan))

    def combine(self, step: Step) -> tuple[Float[Tensor, ""], Float[Tensor, " K"]]:
        present = list(step.present)
        losses = step.losses.detach()
        now = torch.full_like(self.before, torch.nan)
        now[present] = (losses + EPS).log()
        self._learn(self.before - now)
        self.before = now
        z = torch.softmax(self.logits[present], dim=0) / (losses + EPS)
        weights = z / z.sum()
        return (weights * step.losses).sum(), placed(weights, step, len(self.specs))

    def _learn(self, gained: Float[Tensor, " K"]) -> None:
        known = ~gained.isnan()
        if not known.any():
            return
        z = torch.softmax(self.logits, dim=0)
        share = torch.where(known, z, 0)
        mean = (share * gained.nan_to_num(nan=0.0)).sum() / share.sum()
        slope = z * torch.where(known, gained - mean, 0) + self.decay * self.logits
        self.updates += 1
        for moment, value, beta in zip(self.moments, (slope, slope.square()), BETAS, strict=True):
            moment.mul_(beta).add_(value, alpha=1 - beta)
        first, second = (m / (1 - b ** int(self.updates)) for m, b in zip(self.moments, BETAS, strict=True))
        self.logits -= self.lr * first / (second.sqrt() + EPS)
