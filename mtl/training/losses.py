"""The losses of a pool's tasks: MSE for a forecast, (weighted) cross-entropy for a label; masked samples do not count.

B samples of a batch, J tasks of a kind, k classes, T target channels, H horizon.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from mtl.data.loading.pools import Pool
from mtl.types import Batch, Predictions, TaskSpec


class PoolLosses(nn.Module):
    """The losses of all tasks of one pool, worked out together: binary tasks in one call, however many.

    Args:
        pool: its samples' masks and labels.
        specs: task → spec.
    """

    def __init__(self, pool: Pool, specs: Mapping[str, TaskSpec]) -> None:
        super().__init__()
        self.specs = {name: specs[name] for name in pool.tasks}
        self.binary = tuple(name for name in pool.tasks if specs[name].kind == "binary")
        self.column = {name: number for number, name in enumerate(pool.label_tasks)}
        self.place = {name: number for number, name in enumerate(pool.tasks)}
        wanted = [self.column[name] for name in self.binary]
        self.binary_columns: Tensor | None
        self.binary_places: Tensor | None
        self.positive: Tensor | None
        self.register_buffer("binary_columns", _index(wanted, len(pool.label_tasks)), persistent=False)
        places = _index([self.place[name] for name in self.binary], len(pool.tasks))
        self.register_buffer("binary_places", places, persistent=False)
        weights = [specs[name].class_weights for name in self.binary]
        positive = torch.tensor([1.0 if weight is None else weight[0] for weight in weights])
        self.register_buffer("positive", positive if any(weights) else None, persistent=False)
        for name, spec in self.specs.items():
            if spec.kind == "classification" and spec.class_weights is not None:
                self.register_buffer(f"classes/{name}", torch.tensor(spec.class_weights), persistent=False)

    def forward(
        self, predictions: Predictions, batch: Batch, present: tuple[str, ...]
    ) -> tuple[tuple[str, ...], Float[Tensor, " j"]]:
        """(tasks, mean loss of each over its samples of the batch); only those in `present`, which have samples."""
        names: list[str] = []
        parts: list[Tensor] = []
        for name in present:
            if name in self.binary:
                continue
            mask = None if batch.valid is None else batch.valid[:, self.place[name]]
            parts.append(self._own(name, predictions.own[name], batch, mask)[None])
            names.append(name)
        if predictions.binary:
            parts.append(self._binary(predictions, batch))
            names += predictions.binary
        return tuple(names), parts[0] if len(parts) == 1 else torch.cat(parts)

    def _own(self, name: str, prediction: Tensor, batch: Batch, mask: Tensor | None) -> Float[Tensor, ""]:
        spec = self.specs[name]
        if spec.kind == "forecast":
            target = batch.forecasts[name]
        else:
            assert batch.labels is not None
            target = batch.labels[:, self.column[name]]
        if mask is not None:
            chosen = mask.nonzero().squeeze(1)
            prediction, target = prediction.index_select(0, chosen), target.index_select(0, chosen)
        if spec.kind == "forecast":
            return functional.mse_loss(prediction, target)
        return functional.cross_entropy(prediction, target, weight=self._buffers.get(f"classes/{name}"))

    def _binary(self, predictions: Predictions, batch: Batch) -> Float[Tensor, " J"]:
        """Of all binary tasks that were predicted."""
        assert predictions.logits is not None and batch.labels is not None
        columns, places, positive = self.binary_columns, self.binary_places, self.positive
        if predictions.binary != self.binary:  # some have no sample in this batch
            columns = torch.tensor([self.column[name] for name in predictions.binary], device=batch.labels.device)
            places = torch.tensor([self.place[name] for name in predictions.binary], device=batch.labels.device)
            if positive is not None:
                positive = positive[[self.binary.index(name) for name in predictions.binary]]
        labels = _columns(batch.labels, columns).to(predictions.logits.dtype)
        losses = functional.binary_cross_entropy_with_logits(
            predictions.logits, labels, pos_weight=positive, reduction="none"
        )
        if batch.valid is None:
            return losses.mean(dim=0)
        mask = _columns(batch.valid, places)
        # `where`, not a product: the loss of a missing label is a number, but its gradient must not be.
        return torch.where(mask, losses, 0.0).sum(dim=0) / mask.sum(dim=0)


def _index(wanted: list[int], of: int) -> Tensor | None:
    """Column numbers; None when they are all of them in order."""
    return None if wanted == list(range(of)) else torch.tensor(wanted, dtype=torch.int64)


def _columns(matrix: Tensor, wanted: Tensor | None) -> Tensor:
    return matrix if wanted is None else matrix.index_select(1, wanted)


def gradient_geometry(
    losses: Float[Tensor, " k"], parameters: list[torch.nn.Parameter]
) -> tuple[Float[Tensor, " k"], Float[Tensor, "k k"]]:
    """Norm of each task's gradient on the shared parameters, and their cosines; the graph is kept.

    Cost: one backward pass of the shared part for each task, so it is called on a few steps an epoch only.
    """
    rows = []
    for loss in losses.unbind():
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
