"""One encoder, a head a task (hard sharing, Caruana 1997); a single-task network is the same with one head."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtl.models.base import Encoder
from mtl.types import Predictions, TaskSpec


class MultiTaskModel(nn.Module):
    """Encodes a batch once for all the tasks that share its samples."""

    def __init__(self, encoder: Encoder, heads: Mapping[str, nn.Module], tasks: Sequence[TaskSpec]) -> None:
        super().__init__()
        self.encoder = encoder
        self.heads = nn.ModuleDict()
        # Entered directly: ModuleDict refuses names of its own methods, and a task may be called `keys` or `type`.
        self.heads._modules.update(heads)
        self.tasks = {task.name: task for task in tasks}
        self.frozen = False

    def dropout_of(self, task: str) -> float:
        """The task's own dropout rate, else the encoder's."""
        own = self.tasks[task].dropout
        return self.encoder.dropout if own is None else own

    def forward(self, x: Float[Tensor, "B C L"], tasks: Sequence[str]) -> Predictions:
        """Predictions of `tasks` for windows they share; the encoder drops at the largest of their rates."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            features = self.encoder(x, max(self.dropout_of(task) for task in tasks))
        predictions = {task: self.heads[task](features) for task in tasks}
        return {t: y.squeeze(-1) if self.tasks[t].kind == "binary" else y for t, y in predictions.items()}

    def freeze_encoder(self) -> None:
        """From now on the encoder has no gradient and stays in eval mode: a probe of what it already knows."""
        self.frozen = True
        self.encoder.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "MultiTaskModel":
        super().train(mode)
        if self.frozen:
            self.encoder.eval()
        return self

    def shared_parameters(self) -> list[nn.Parameter]:
        """What all tasks train together: the encoder, or nothing once it is frozen."""
        return [] if self.frozen else list(self.encoder.parameters())

    def head_parameters(self, task: str) -> list[nn.Parameter]:
        """What `task` alone trains."""
        return list(self.heads[task].parameters())

    def parameter_counts(self) -> dict[str, Any]:
        """Numbers of weights: `total`, `shared`, `heads` (by task) and `trainable`."""
        heads = {task: sum(p.numel() for p in self.head_parameters(task)) for task in self.tasks}
        shared = sum(p.numel() for p in self.encoder.parameters())
        return {
            "total": shared + sum(heads.values()),
            "shared": shared,
            "heads": heads,
            "trainable": sum(p.numel() for p in self.parameters() if p.requires_grad),
        }
