"""What is said of a trained model besides its metrics: the optimum it could have reached, and examples to look at."""

from typing import Any

import torch

from mtl.data.loading.pools import Pool
from mtl.data.loading.tasks import TaskSet
from mtl.data.loading.windows import Windows
from mtl.models.build import MultiTaskModel
from mtl.models.sharing import CrossStitchTrunk
from mtl.results.record import Stitches
from mtl.tasks.forecast_scores import forecast_optimum
from mtl.tasks.label_scores import label_optimum
from mtl.training.measure import predict
from mtl.types import Prepared, SourceData, TaskSpec

EXAMPLES = 3


def optimum(data: TaskSet, sources: dict[str, SourceData], tasks: list[str]) -> dict[str, dict[str, float]]:
    """Task → metrics of the optimal predictor on the task's own test samples, where the source knows it."""
    found: dict[str, dict[str, float]] = {}
    for pool in data.select(tasks, "test"):
        source = sources[pool.source]
        if not isinstance(source, Prepared) or source.oracle_forecast is None:
            continue
        assert isinstance(pool.samples, Windows)
        mean, std = data.scalers[pool.source]
        batch = pool.batch(torch.arange(len(pool)))
        last_rows = pool.samples.starts + pool.samples.input_len - 1
        for number, name in enumerate(pool.tasks):
            spec = data.specs[name]
            chosen = torch.ones(len(pool), dtype=torch.bool) if batch.valid is None else batch.valid[:, number]
            rows, target = last_rows[chosen], batch.target(name)[chosen]
            if spec.kind == "forecast":
                found[name] = forecast_optimum(
                    source.oracle_forecast, source.oracle_from, rows, target, spec.targets, mean, std
                )
            else:
                label = data.labels[name]
                if label in source.oracle_labels:
                    p, binary = source.oracle_labels[label], spec.kind == "binary"
                    found[name] = label_optimum(p, source.oracle_from, rows, target, binary)
    return found


def stitches(model: MultiTaskModel) -> Stitches | None:
    """The units of a cross-stitched model, for each stage α [K, K], the mean over channels where each has its own.
    None for other forms of sharing."""
    trunk = model.trunk
    if not isinstance(trunk, CrossStitchTrunk):
        return None
    units = [unit.detach().cpu() for unit in trunk.stitches]
    stages = [(unit if unit.ndim == 2 else unit.mean(dim=2)).tolist() for unit in units]
    return Stitches(tasks=list(trunk.place), stages=stages)


def examples(model: MultiTaskModel, data: TaskSet, specs: dict[str, TaskSpec]) -> dict[str, Any]:
    """Forecast → EXAMPLES test windows spread over the test part: input, truth and prediction in original units."""
    device = next(model.parameters()).device
    shown: dict[str, Any] = {}
    for pool in data.select(list(specs), "test"):
        for name in pool.tasks:
            spec = specs[name]
            if spec.kind != "forecast":
                continue
            chosen = pool.only([name])
            assert chosen is not None
            few = chosen.at_most(EXAMPLES)
            shown[name] = _windows(model, few.to(device), data, spec)
    return shown


def _windows(model: MultiTaskModel, pool: Pool, data: TaskSet, spec: TaskSpec) -> dict[str, Any]:
    prediction, target = predict(model, [pool])[spec.name]
    assert isinstance(pool.samples, Windows)
    batch = pool.batch(torch.arange(len(pool), device=pool.samples.starts.device))
    mean, std = (part[spec.targets].float()[:, None] for part in data.scalers[spec.source])

    def original(values: torch.Tensor) -> Any:
        return (values.cpu() * std + mean).tolist()

    x = batch.x[:, spec.targets] if batch.valid is None else batch.x[batch.valid[:, 0]][:, spec.targets]
    columns = [spec.columns[i] for i in spec.targets]
    units = {c: u for c, u in data.units[spec.source].items() if c in columns}
    windows = [
        {"input": original(i), "truth": original(t), "prediction": original(p)}
        for i, t, p in zip(x, target, prediction, strict=True)
    ]
    return {"columns": columns, "units": units, "windows": windows}
