"""ExcessMTL (He 2024, ICML, algorithm 1): tasks that are far from their optimum gain weight, noisy ones do not.

The excess risk of task k is taken from its gradient g and the sums S of its squares: Σ g²/√(S + 1e-7) (eq. 6 and 7).
"""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from mtl.balancing.aggregation import Direction

EPS = 1e-7


class ExcessMtl(Direction):
    """Exponentiated weights over the tasks' excess risks, each relative to its own mean over the first steps.

    Args:
        count: K.
        step_size: of the exponentiated update.
        warmup_steps: steps over which the weights rest and that mean is taken.
    """

    def __init__(self, count: int, step_size: float, warmup_steps: int) -> None:
        super().__init__()
        self.step_size, self.warmup_steps = step_size, warmup_steps
        self.weights: Tensor
        self.squares: Tensor  # [K, n] once n, the number of shared weights, is known
        self.initial: Tensor
        self.steps: Tensor
        self.register_buffer("weights", torch.full((count,), 1 / count))
        self.register_buffer("squares", torch.zeros(count, 0))
        self.register_buffer("initial", torch.zeros(count))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, jacobian: Float[Tensor, "k n"], present: list[int]) -> tuple[Tensor, Tensor]:
        if self.squares.shape[1] == 0:
            self.squares = jacobian.new_zeros(len(self.weights), jacobian.shape[1])
        squared = jacobian.square()
        self.squares[present] += squared
        excess = (squared / (self.squares[present] + EPS).sqrt()).sum(dim=1)
        self.steps += 1
        if self.steps <= self.warmup_steps:
            self.initial[present] += excess / self.warmup_steps
        else:
            log = self.weights.log()
            log[present] += self.step_size * excess / (self.initial[present] + EPS)
            self.weights = torch.softmax(log, dim=0)
        weights = self.weights[present]
        return weights @ jacobian, weights

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *rest: Any) -> None:
        self.squares = self.squares.new_zeros(state_dict[f"{prefix}squares"].shape)
        super()._load_from_state_dict(state_dict, prefix, *rest)
