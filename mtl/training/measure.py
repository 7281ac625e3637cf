"""Clean passes over pools of samples: predictions, metrics and their details. Every sample counts once."""

import torch
from torch import Tensor

from mtl.data.loading.pools import Pool
from mtl.models.build import MultiTaskModel
from mtl.tasks.forecast_scores import forecast_metrics
from mtl.tasks.label_scores import label_metrics
from mtl.types import TaskSpec

CHUNK = 256
"""Windows in one pass: enough to fill the arithmetic units, little enough to stay in the cache."""
Metrics = dict[str, dict[str, float]]


@torch.no_grad()
def predict(model: MultiTaskModel, pools: list[Pool]) -> dict[str, tuple[Tensor, Tensor]]:
    """Task → (predictions, targets) on the CPU, over all samples of the pools that have a target, in order."""
    model.eval()
    device = next(model.parameters()).device
    found: dict[str, tuple[Tensor, Tensor]] = {}
    for pool in pools:
        own: dict[str, tuple[list[Tensor], list[Tensor]]] = {}
        logits: list[Tensor] = []
        binary: tuple[str, ...] = ()
        for index in torch.arange(len(pool)).split(CHUNK):
            batch = pool.batch(index.to(device))
            predictions = model(batch.x, pool.tasks)
            for name, prediction in predictions.own.items():
                outputs, targets = own.setdefault(name, ([], []))
                outputs.append(prediction.cpu())
                if name in batch.forecasts:
                    targets.append(batch.forecasts[name].cpu())
            if predictions.logits is not None:
                binary = predictions.binary
                logits.append(predictions.logits.cpu())
        labels = (
            {} if pool.labels is None else dict(zip(pool.label_tasks, pool.labels.cpu().long().unbind(1), strict=True))
        )
        masks = {} if pool.valid_on_cpu is None else dict(zip(pool.tasks, pool.valid_on_cpu.unbind(1), strict=True))
        columns = torch.cat(logits).t().contiguous() if logits else ()
        whole = {name: torch.cat(outputs) for name, (outputs, _) in own.items()} | dict(
            zip(binary, columns, strict=True)
        )
        for name in pool.tasks:
            target = labels[name] if name in labels else torch.cat(own[name][1])
            mask = masks.get(name)
            every = mask is None or bool(mask.all())
            found[name] = (whole[name], target) if every else (whole[name][mask], target[mask])
    return found


def measure(
    model: MultiTaskModel,
    pools: list[Pool],
    specs: dict[str, TaskSpec],
    std: dict[str, Tensor] | None = None,
    units: dict[str, dict[str, str]] | None = None,
    detailed: bool = False,
) -> tuple[Metrics, dict[str, dict[str, object]]]:
    """(task → metrics, task → details) of a model on some pools.

    Args:
        model: the network; left in eval mode.
        pools: samples; their tasks are all in `specs`.
        specs: the tasks.
        std: source → [C] standard deviations, for errors in original units; None: z-scored only.
        units: source → column → unit; columns of one unit also get a mean error in it.
        detailed: every metric of each kind, and curves; else those that training reads.
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
            metrics[name], details[name] = label_metrics(prediction, target, spec.classes, spec.metric, detailed)
    return metrics, details
