"""How long a prediction of every task takes: one joint pass against the sum of the single-task passes."""

from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from mtl.config import Config
from mtl.experiment.objects import load_tasks
from mtl.files import write_json
from mtl.models.build import MultiTaskModel, build_model
from mtl.seeding import resolve_device
from mtl.types import TaskSpec

BATCH = 64
REPEATS = 9


@torch.no_grad()
def measure_latency(config: Config, root: Path = Path()) -> None:
    """Writes timings/latency.json: milliseconds for BATCH windows of every source, medians of REPEATS rounds.

    The networks are timed in turn, round by round, so that a slow moment of the machine meets all of them alike.
    Fresh weights do: the time does not depend on their values.
    """
    torch.set_num_threads(config.base.threads)
    device = resolve_device(config.base.device)
    data, _ = load_tasks(config, config.base.seeds[0], root)
    groups = {f"stl/{name}": [name] for name in data.specs}
    groups |= {f"method/{name}": config.method_tasks(name) for name in config.finetune.methods}
    models: dict[tuple[str, ...], MultiTaskModel] = {}
    seconds: dict[tuple[str, ...], list[float]] = {}
    for tasks in groups.values():
        specs = [data.specs[name] for name in tasks]
        models.setdefault(tuple(tasks), build_model(config.encoder, specs, 0).eval().to(device))
    inputs = {
        _shape(spec): torch.randn(BATCH, len(spec.columns), spec.input_len, device=device)
        for spec in data.specs.values()
    }
    for turn in range(REPEATS + 1):
        for tasks_of, model in models.items():
            began = perf_counter()
            _predict_all(model, [data.specs[name] for name in tasks_of], inputs)
            if device.type == "cuda":
                torch.cuda.synchronize()
            if turn > 0:  # the first round warms up
                seconds.setdefault(tasks_of, []).append(perf_counter() - began)
    found: dict[str, Any] = {"batch": BATCH, "stl": {}}
    for key, tasks in groups.items():
        kind, name = key.split("/")
        value = 1000 * median(seconds[tuple(tasks)])
        if kind == "stl":
            found["stl"][name] = value
        else:
            found[name] = value
    write_json(root / "timings" / "latency.json", found)


def _shape(spec: TaskSpec) -> tuple[str, int]:
    return spec.source, spec.input_len


def _predict_all(model: MultiTaskModel, specs: list[TaskSpec], inputs: dict[tuple[str, int], Tensor]) -> None:
    """One pass for each window shape: tasks on the same windows share it."""
    for shape in {_shape(spec): None for spec in specs}:
        model(inputs[shape], [spec.name for spec in specs if _shape(spec) == shape])
