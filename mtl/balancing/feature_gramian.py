"""The Gramian of the task gradients on the features that all heads read, without a pass through the encoder.

B samples, D numbers of a sample's features, O outputs of all heads together, k tasks. For a linear head on features
Z [B, D] task i's gradient on Z is Δ_i·W_i, with Δ_i [B, o_i] its loss's gradient on the head's outputs and W_i
[o_i, D]. The inner product of two of them is the sum over a block of (ΔᵀΔ) ∘ (WWᵀ) [O, O]: no loop over tasks.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def feature_gramian(
    delta: Float[Tensor, "B O"], weight: Float[Tensor, "O D"], task: list[int], count: int
) -> Float[Tensor, "k k"]:
    """Inner products of the tasks' gradients on the features.

    Args:
        delta: the gradient of each task's loss on its own outputs, side by side.
        weight: the heads' matrices, one below the other in the same order.
        task: to which of the `count` tasks an output belongs.
        count: k.
    """
    products = (delta.T @ delta) * (weight @ weight.T)
    if task == list(range(count)):
        return products
    of = torch.tensor(task, device=products.device)
    rows = products.new_zeros(count, len(products)).index_add_(0, of, products)
    return products.new_zeros(count, count).index_add_(1, of, rows)
