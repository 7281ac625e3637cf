"""The gradient of each task, one row a task."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import BackwardCFunction


def rows_at_once(losses: Float[Tensor, " k"]) -> int | None:
    """How many rows may be computed side by side by torch.vmap: None is all of them.

    It is 1, one after the other, when the graph holds an autograd function written in Python: vmap cannot enter it.
    """
    seen = set()
    waiting = [losses.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if isinstance(node, BackwardCFunction):
            return 1
        waiting += [parent for parent, _ in node.next_functions]
    return None


def task_gradients(
    losses: Float[Tensor, " k"], tensor: Float[Tensor, "*s"], at_once: int | None
) -> Float[Tensor, "k *s"]:
    """Each loss's gradient on `tensor`; the graph is kept."""
    basis = torch.eye(len(losses), dtype=losses.dtype, device=losses.device)
    if at_once is None:
        return torch.autograd.grad(losses, tensor, basis, retain_graph=True, is_grads_batched=True)[0]
    return torch.stack([torch.autograd.grad(losses, tensor, row, retain_graph=True)[0] for row in basis])
