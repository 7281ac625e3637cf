"""FAMO (Liu 2023, arXiv 2306.03792, algorithm 1): all losses shall fall at the same relative rate.

z = softmax(w) over the tasks; the step goes along c·Σ z_k·∇log L_k, with c such that the weights c·z_k/L_k of the
task gradients sum to 1. Then w is moved by Adam against how much better each task became, δ_k = log L_k before
− log L_k after. `After` is read from the next step's losses, on its own samples, so that no second forward pass is
needed; the published code measures it on the same batch. Torchjd's keeps Adam's moments out of its state.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from mtl.balancing.base import LossWeighting, Step, placed
from mtl.tasks.base import TaskSpec

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
        losses = step.losses.detach() + EPS
        now = losses.log()
        if len(losses) < len(self.specs):
            everyone = torch.full_like(self.before, torch.nan)
            everyone[list(step.present)] = now
            now = everyone
        self._learn(self.before - now)
        self.before = now
        z = torch.softmax(self.logits, dim=0)
        weights = (z if len(losses) == len(z) else z[list(step.present)]) / losses
        weights = weights / weights.sum()
        return (weights * step.losses).sum(), placed(weights, step, len(self.specs))

    def _learn(self, gained: Float[Tensor, " K"]) -> None:
        """Adam against softmax's slope at what each task gained; NaN where that is not known."""
        z = torch.softmax(self.logits, dim=0)
        if not math.isfinite(float(gained.sum())):
            z = z * torch.isfinite(gained)
            gained = gained.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
            total = float(z.sum())
            if total == 0:
                return
            gained = gained - (z @ gained) / total
        else:
            gained = gained - z @ gained
        slope = torch.addcmul(self.decay * self.logits, z, gained)
        self.updates += 1
        first, second = self.moments
        first.lerp_(slope, 1 - BETAS[0])
        second.mul_(BETAS[1]).addcmul_(slope, slope, value=1 - BETAS[1])
        count = int(self.updates)
        scale = math.sqrt(1 - BETAS[1] ** count)
        self.logits.addcdiv_(first, second.sqrt().div_(scale).add_(EPS), value=-self.lr / (1 - BETAS[0] ** count))
