"""Time that a prediction of every task takes: one joint pass against the sum of the single-task passes."""

import json
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from torch import Tensor

from mtl.config import Config
from mtl.data.loading.tasks import TaskSet
from mtl.experiment.objects import load_tasks
from mtl.experiment.recipe import Recipe, joint, single_task
from mtl.experiment.saved import build_network
from mtl.models.multitask import MultiTaskModel
from mtl.results.timing import LATENCY, Latency
from mtl.seeding import resolve_device
from mtl.tasks.base import TaskSpec

BATCH = 64
REPEATS = 9


@torch.no_grad()
def measure_latency(config: Config, root: Path = Path()) -> None:
    """Writes timings/latency.json: milliseconds for BATCH samples of every source, medians of REPEATS rounds.

    The networks are timed in turn, round by round, so that a slow moment of the machine meets all of them alike.
    Fresh weights do: the time does not depend on their values.
    """
    torch.set_num_threads(config.base.threads)
    device = resolve_device(config.base.device)
    seed = config.base.seeds[0]
    data, _ = load_tasks(config, seed, root)
    models: dict[str, MultiTaskModel] = {}
    single: dict[str, tuple[str, list[str]]] = {}  # task → (its network, the tasks that it predicts)
    methods: dict[str, tuple[str, list[str]]] = {}
    for name in config.baseline_tasks:
        alone = single_task(config, name, config.baseline.starts[0], seed)
        single[name] = _network(alone, data, models), alone.judged
    for name in config.finetune.methods:
        together = joint(config, name, seed)
        methods[name] = _network(together, data, models), together.judged
    models = {key: model.eval().to(device) for key, model in models.items()}
    inputs = {_shape(spec): _samples(data, spec).to(device) for spec in data.specs.values()}
    timed = {(network, tuple(tasks)) for network, tasks in [*single.values(), *methods.values()]}
    seconds: dict[tuple[str, tuple[str, ...]], list[float]] = {key: [] for key in sorted(timed)}
    for turn in range(REPEATS + 1):
        for (network, tasks_of), measured in seconds.items():
            began = perf_counter()
            _predict_all(models[network], [data.specs[name] for name in tasks_of], inputs)
            if device.type == "cuda":
                torch.cuda.synchronize()
            if turn > 0:  # the first round warms up
                measured.append(perf_counter() - began)
    milliseconds = {key: 1000 * median(measured) for key, measured in seconds.items()}
    stl, together_ms = (
        {name: milliseconds[network, tuple(tasks)] for name, (network, tasks) in named.items()}
        for named in (single, methods)
    )
    Latency(batch=BATCH, stl=stl, methods=together_ms).write(root / LATENCY)


def _network(recipe: Recipe, data: TaskSet, models: dict[str, MultiTaskModel]) -> str:
    """Key in `models` of a run's network, built if it is not there: runs of one network share it."""
    key = json.dumps([recipe.tasks, recipe.start.width, recipe.method.sharing.model_dump(mode="json")])
    if key not in models:
        models[key] = build_network(recipe, data)
    return key


def _samples(data: TaskSet, spec: TaskSpec) -> Tensor:
    """Samples of noise; of those with texts, whose length counts, those of the test part."""
    if not spec.input.ragged:
        return torch.randn(BATCH, *spec.shape)
    pool = next(pool for pool in data.pools["test"] if spec.name in pool.tasks)
    return pool.samples.gather(torch.arange(BATCH) % len(pool), 0)[0]


def _shape(spec: TaskSpec) -> tuple[str, tuple[int, ...]]:
    return spec.source, spec.shape


def _predict_all(
    model: MultiTaskModel, specs: list[TaskSpec], inputs: dict[tuple[str, tuple[int, ...]], Tensor]
) -> None:
    """One pass for each shape of sample: tasks on the same samples share it."""
    for shape in {_shape(spec): None for spec in specs}:
        model(inputs[shape], [spec.name for spec in specs if _shape(spec) == shape])
