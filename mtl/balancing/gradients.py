"""The gradient of each task, one row a task."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import BackwardCFunction

ALONE = ("ConvolutionBackward0", "ScaledDotProductFlashAttentionForCpuBackward0")
"""Names of nodes of a graph that vmap makes slow on a CPU: convolutions, and attention, for which it has no rule."""
CAST = "ToCopyBackward0"
"""Name of the node where numbers change, as `base.precision: bf16` makes them: side by side, both kinds would meet."""


@dataclass(frozen=True)
class Reach:
    """Properties of the graph of a step's losses."""

    at_once: int | None
    """Number of rows that torch.vmap may compute side by side: None is all. It is 1, one after the other, when the
    graph holds an autograd function written in Python or two kinds of numbers, which vmap cannot do, or on a CPU fused
    attention or a convolution, which it makes a grouped one (15 tasks on a small CNN: 33 plain steps side by side, 10
    one after the other)."""
    leaves: frozenset[int]
    """`id` of every parameter that some loss depends on."""

    def reached(self, parameters: list[nn.Parameter]) -> list[nn.Parameter]:
        """Parameters that some loss depends on; the others have no gradient, and so no update."""
        return [parameter for parameter in parameters if id(parameter) in self.leaves]


def look(losses: Float[Tensor, " k"]) -> Reach:
    """Walks the graph once."""
    seen: set[Any] = set()
    leaves: set[int] = set()
    at_once: int | None = None
    slow_side_by_side = ALONE if losses.device.type == "cpu" else ()
    waiting: list[Any] = [losses.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if isinstance(node, BackwardCFunction) or node.name() in (CAST, *slow_side_by_side):
            at_once = 1
        if hasattr(node, "variable"):  # the end of a branch, where a parameter's gradient is added up
            leaves.add(id(node.variable))
        waiting += [parent for parent, _ in node.next_functions]
    return Reach(at_once, frozenset(leaves))


def task_gradients(
    losses: Float[Tensor, " k"],
    tensors: Sequence[Tensor],
    at_once: int | None,
    basis: Float[Tensor, "m k"] | None = None,
) -> Float[Tensor, "m n"]:
    """Each loss's gradient on the n numbers of `tensors`, all of which some loss depends on; the graph is kept.

    Args:
        losses: of the k tasks.
        tensors: on which the gradients are taken.
        at_once: as `Reach` says.
        basis: weights of the losses in each of m sums, whose gradients are given; None: each loss alone.
    """
    if basis is None:
        basis = torch.eye(len(losses), dtype=losses.dtype, device=losses.device)
    if at_once is None:
        gradients = torch.autograd.grad(losses, tensors, basis, retain_graph=True, is_grads_batched=True)
        return torch.cat([part.flatten(1) for part in gradients], dim=1)
    rows = [torch.autograd.grad(losses, tensors, row, retain_graph=True) for row in basis]
    return torch.stack([torch.cat([part.flatten() for part in row]) for row in rows])
