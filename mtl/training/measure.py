"""Clean passes over pools of samples: predictions, metrics and their details. Every sample counts once."""

import torch
from torch import Tensor

from mtl.data.windows import Pool
from mtl.evaluation.metrics import forecast_metrics, label_metrics
from mtl.models.build import MultiTaskModel
from mtl.types import TaskSpec

CHUNK = 256
"""Windows in one pass: enough to fill the arithmetic units, little enough to stay in the cache."""
Metrics = dict[str, dict[str, float]]


@torch.no_grad()
def predict(model: MultiTaskModel, pools: list[Pool]) -> dict[str, tuple[Tensor, Tensor]]:
    """Task → (predictions, targets) on the CPU, over all samples of the pools that have a target, in order."""
    model.eval()
    device = next(model.parameters()).device
    collected: dict[str, tuple[list[Tensor], list[Tensor]]] = {}
    for pool in pools:
        for index in torch.arange(len(pool)).split(CHUNK):
            batch = pool.batch(index.to(device))
            for name, prediction in model(batch.x, pool.tasks).items():
                target, valid = batch.targets[name], batch.valid.get(name)
                if valid is not None:
                    prediction, target = prediction[valid], target[valid]
                predictions, targets = collected.setdefault(name, ([], []))
                predictions.append(prediction.cpu())
                targets.append(target.cpu())
    return {name: (torch.cat(p), torch.cat(t)) for name, (p, t) in collected.items()}


def measure(
    model: MultiTaskModel,
    pools: list[Pool],
    specs: dict[str, TaskSpec],
    std: dict[str, Tensor] | None = None,
    units: dict[str, dict[str, str]] | None = None,
) -> tuple[Metrics, dict[str, dict[str, object]]]:
    """(task → metrics, task → details) of a model on some pools.

    Args:
        model: the network; left in eval mode.
        pools: samples; their tasks are all in `specs`.
        specs: the tasks.
        std: source → [C] standard deviations, for errors in original units; None: z-scored only.
        units: source → column → unit; columns of one unit also get a mean error in it.
    """
    metrics: Metrics = {}
    details: dict[str, dict[str, object]] = {}
    for name, (prediction, target) in predict(model, pools).items():
        spec = specs[name]
        if spec.kind == "forecast":
            columns = [spec.columns[i] for i in spec.targets]
            scale = torch.ones(len(columns)) if std is None else std[spec.source][spec.targets].float()
            metrics[name], details[name] = forecast_metrics(
                prediction, target, scale, columns, (units or {}).get(spec.source)
            )
        else:
            metrics[name], details[name] = label_metrics(prediction, target, spec.classes)
    return metrics, details
