"""Balancers on problems whose gradients are given: losses L + J·θ at θ = 0."""

from collections.abc import Sequence
from typing import Any

import torch
from pydantic import TypeAdapter
from torch import Tensor, nn

from mtl.balancing.base import Balancer, Step
from mtl.balancing.build import build_balancer
from mtl.config import Method
from mtl.tasks.base import TaskSpec
from mtl.tasks.binary import Binary
from mtl.tasks.forecast import Forecast

ADAPTER: TypeAdapter[Method] = TypeAdapter(Method)


def specs(count: int, mixed: bool = False) -> list[TaskSpec]:
    """Binary tasks; `mixed` makes the first a forecast."""
    binary = [
        Binary(name=f"t{k}", source="line", shape=(1, 8), columns=["c0"], classes=["no", "yes"]) for k in range(count)
    ]
    first = Forecast(name="t0", source="line", shape=(1, 8), columns=["c0"], targets=[0], horizon=4)
    return [first, *binary[1:]] if mixed else [*binary]


def balancer(config: dict[str, Any], tasks: list[TaskSpec], seed: int = 0) -> Balancer:
    """As the pipeline builds it; a list of weights is brought to the number of tasks."""
    if "weights" in config:
        config = config | {"weights": (config["weights"] * len(tasks))[: len(tasks)]}
    return build_balancer(ADAPTER.validate_python(config), tasks, seed)


def take(
    method: Balancer, jacobian: Tensor, losses: Sequence[float] | Tensor, present: tuple[int, ...] | None = None,
    epoch: int = 1,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """One step: (weights, direction)."""
    theta = nn.Parameter(torch.zeros(1, jacobian.shape[1], dtype=jacobian.dtype))
    values = torch.as_tensor(losses, dtype=jacobian.dtype) + (jacobian @ theta.T)[:, 0]
    places = tuple(range(len(jacobian))) if present is None else present
    for parameter in method.parameters():
        parameter.grad = None
    weights = method.backward(Step(values, places, 0.5, shared=[theta], epoch=epoch))
    assert theta.grad is not None
    return weights, theta.grad[0]
