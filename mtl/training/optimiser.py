"""AdamW with a group for each learning rate and decay, and the learning rate as a pure function of the step."""

import math
from typing import Literal

import torch
from torch import nn

from mtl.training.eager import AdamW

LrSchedule = Literal["constant", "onecycle", "cosine", "exponential"]


def lr_factor(schedule: LrSchedule, progress: float) -> float:
    """Factor on a group's learning rate at progress p ∈ [0, 1) of the training.

    onecycle: cosine from 1/25 up to 1 over the first 0.3, then cosine down to 1/250,000 (Smith & Topin 2018,
    arXiv 1708.07120, with torch's default divisors). cosine: half a period down to 0.
    """
    match schedule:
        case "constant" | "exponential":
            return 1.0
        case "cosine":
            return (1 + math.cos(math.pi * progress)) / 2
        case "onecycle":
            low, high, end = 1 / 25, 1.0, 1 / 25e4
            if progress < 0.3:
                return high + (low - high) * (1 + math.cos(math.pi * progress / 0.3)) / 2
            return end + (high - end) * (1 + math.cos(math.pi * (progress - 0.3) / 0.7)) / 2


def adamw(groups: list[tuple[list[nn.Parameter], float, float]]) -> AdamW:
    """AdamW over (parameters, learning rate, weight decay); vectors (biases, norms) are never decayed.

    Parameters of one rate and decay share a group, since each group costs a call of the fused kernel and its
    preparation in Python. A group keeps its undisturbed rate under `base_lr`, on which `lr_factor` works, and under
    `places` where its parameters stand in the order of `groups`.
    """
    merged: dict[tuple[float, float], tuple[list[nn.Parameter], list[int]]] = {}
    count = 0
    for parameters, lr, decay in groups:
        trained = [p for p in parameters if p.requires_grad]
        for chosen, weight_decay in (
            ([p for p in trained if p.ndim > 1], decay),
            ([p for p in trained if p.ndim <= 1], 0.0),
        ):
            if chosen:
                members, places = merged.setdefault((lr, weight_decay), ([], []))
                members += chosen
                places += range(count, count + len(chosen))
                count += len(chosen)
    return AdamW(
        {"params": members, "lr": lr, "base_lr": lr, "weight_decay": decay, "places": places}
        for (lr, decay), (members, places) in merged.items()
    )


def in_order(optimiser: torch.optim.Optimizer) -> list[nn.Parameter]:
    """The trained parameters in the order in which `adamw` was given them, in which norms are summed, whichever share a
    group; those of another optimiser as its groups hold them."""
    placed = [
        (place, parameter)
        for group in optimiser.param_groups
        for place, parameter in zip(group.get("places", [0] * len(group["params"])), group["params"], strict=True)
    ]
    return [parameter for _, parameter in sorted(placed, key=lambda pair: pair[0])]


def set_lr(optimiser: torch.optim.Optimizer, factor: float) -> float:
    """Sets every group's rate to `factor` × its own; returns the first group's."""
    for group in optimiser.param_groups:
        group["lr"] = factor * group["base_lr"]
    return float(optimiser.param_groups[0]["lr"])
