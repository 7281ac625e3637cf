"""The loss of one task: MSE for a forecast, (weighted) cross-entropy for a label; masked samples do not count."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from mtl.types import TaskSpec


def task_loss(
    spec: TaskSpec, prediction: Tensor, target: Tensor, valid: Bool[Tensor, " B"] | None = None
) -> Float[Tensor, ""] | None:
    """Mean loss over the samples that have a target; None when none has.

    Args:
        spec: the task.
        prediction: [B, T, H] z-scored forecast, [B, k] logits, or [B] one logit (binary).
        target: [B, T, H] z-scored, or [B] class numbers.
        valid: which samples count; None for all.
    """
    if valid is not None:
        chosen = valid.nonzero().squeeze(1)
        if len(chosen) == 0:
            return None
        prediction, target = prediction.index_select(0, chosen), target.index_select(0, chosen)
    match spec.kind:
        case "forecast":
            return functional.mse_loss(prediction, target)
        case "classification":
            weight = None if spec.class_weights is None else prediction.new_tensor(spec.class_weights)
            return functional.cross_entropy(prediction, target, weight=weight)
        case "binary":
            positive = None if spec.class_weights is None else prediction.new_tensor(spec.class_weights[0])
            return functional.binary_cross_entropy_with_logits(
                prediction, target.to(prediction.dtype), pos_weight=positive
            )


def gradient_geometry(
    losses: dict[str, Tensor], parameters: list[torch.nn.Parameter]
) -> tuple[Float[Tensor, " K"], Float[Tensor, "K K"]]:
    """Norm of each task's gradient on the shared parameters, and their cosines; the graph is kept.

    Cost: one backward pass of the shared part for each task, so it is called on a few steps an epoch only.
    """
    rows = []
    for loss in losses.values():
        gradients = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
        rows.append(
            torch.cat(
                [
                    (torch.zeros_like(p) if g is None else g).flatten()
                    for p, g in zip(parameters, gradients, strict=True)
                ]
            )
        )
    matrix = torch.stack(rows)
    norms = matrix.norm(dim=1)
    unit = matrix / norms.clamp_min(torch.finfo(matrix.dtype).tiny)[:, None]
    return norms, unit @ unit.T
