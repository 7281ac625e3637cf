"""Permutation importance (Breiman 2001, Machine Learning 45, section 10): what each task loses without each input.

An input of the test samples is dealt among them anew, so that it tells nothing of the sample that has it while its
values stay those of the data, and the network predicts once more. Nothing is trained and nothing is chosen by it, so
the test part is the place: all other figures are of it. The permutations of a seed are the same for every model,
simple models among them. A simple model is the same for all seeds that have the same samples; its interval is then over
permutations alone.

Of mixed inputs each part is left out besides: the features that its encoder gives are replaced by their mean over
training samples. Features, since the mean of tokens or categories is none, and the mean of images is an image that no
network has seen; the layer above is given what it sees of the part on average.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from mtl.config import Config
from mtl.config.budgets import STL
from mtl.config.metrics import METRICS
from mtl.data.inputs.permuted import Permuted, input_places
from mtl.data.loading.pools import Pool
from mtl.data.loading.tasks import TaskSet
from mtl.evaluation.intervals import t_interval
from mtl.experiment.objects import load_tasks
from mtl.experiment.recipe import SIMPLE, Recipe, joint, simple, single_task
from mtl.experiment.saved import load_network
from mtl.models.fusion import mean_features, part_features, without
from mtl.models.predictor import Predictor
from mtl.paths import IMPORTANCE
from mtl.results.importance import Arm, Importance, Lost
from mtl.seeding import generator, make_deterministic, resolve_device, stable_seed
from mtl.tasks.base import TaskSpec
from mtl.training.measure import CHUNK, measure

MOST = 2000
"""Test samples of a task that are looked at, spread evenly: more make the intervals hardly narrower."""
USUAL = ""
"""Input that is permuted where none is."""
Key = tuple[str, str, str]
"""(task, method, start)."""
Value = tuple[Key, str, float]
"""(arm, input or part, primary metric without it)."""
MOST_TRAINED = 20_000
"""Training samples of a pool over which features are averaged, spread evenly."""


def write_importance(config: Config, root: Path = Path()) -> None:
    """Writes results/importance.json of the models that the config names; without arms where it asks for none.

    One model and one batch are in memory at a time.

    Args:
        config: the whole configuration.
        root: folder of the project.

    Raises:
        UserError: a run is not finished.
    """
    permutations = config.evaluate.importance
    arms = _arms(config, partial(_measured, permutations=permutations, root=root), root) if permutations else []
    parts = _arms(config, partial(_without_parts, root=root), root) if config.encoder.fuses else []
    Importance(permutations=permutations, most=MOST, arms=arms, parts=parts).write(root / IMPORTANCE)


def _arms(config: Config, measured: Callable[[Recipe, TaskSet], Iterable[Value]], root: Path) -> list[Arm]:
    """The arms of all models and seeds, from what is measured of each."""
    values: dict[Key, dict[str, list[float]]] = {}
    make_deterministic(stable_seed(config.base.seeds[0], "importance"), config.base.threads)
    for seed in config.base.seeds:
        data, _ = load_tasks(config, seed, root)
        for recipe in _models(config, seed):
            for key, name, value in measured(recipe, data):
                values.setdefault(key, defaultdict(list))[name].append(value)
    return [arm for key, by_input in values.items() if (arm := _arm(config, key, by_input)) is not None]


def samples_passed(recipe: Recipe, data: TaskSet) -> int:
    """Test samples that a network predicts for the importance that its configuration asks for; 0 where it asks for
    none."""
    permutations, count = recipe.config.evaluate.importance, 0
    if recipe.config.encoder.fuses:
        for pool in data.select(recipe.judged, "test"):
            count += len(pool) * (1 + len(data.specs[pool.tasks[0]].parts or ()))
    for pool in data.select(recipe.judged, "test") if permutations else ():
        inputs = len(_places(data.specs[pool.tasks[0]]))
        count += min(len(pool), MOST) * (1 + inputs * permutations if inputs else 0)
    return count


def _places(spec: TaskSpec) -> dict[str, list[int]]:
    return input_places(spec.input, spec.columns, spec.layout)


def _models(config: Config, seed: int) -> Iterator[Recipe]:
    if config.simple.enabled:
        for task in config.tasks:
            yield simple(config, task, seed)
    for task in config.baseline_tasks:
        for start in config.baseline.starts:
            yield single_task(config, task, start, seed)
    for method in config.finetune.methods:
        yield joint(config, method, seed)


def _method(recipe: Recipe) -> str:
    return {"baseline": STL, "simple": SIMPLE}.get(recipe.where.stage, str(recipe.where.name))


def _loaded(recipe: Recipe, root: Path) -> Predictor:
    """The network of a run on the device that it is measured on."""
    device = resolve_device("cpu" if recipe.where.stage == SIMPLE else recipe.config.base.device)
    model: Predictor = load_network(recipe, root).model.to(device)
    return model


def _without_parts(recipe: Recipe, data: TaskSet, root: Path) -> Iterator[Value]:
    """(arm, part, primary metric while its features are their mean over training samples) of a run; `USUAL` first."""
    model, specs = _loaded(recipe, root), {name: data.specs[name] for name in recipe.judged}
    stages = part_features(model.eval())
    if not stages:
        return
    train = [pool.at_most(MOST_TRAINED).to(model.device) for pool in data.select(recipe.judged, "train")]
    chunks = ((pool, index) for pool in train for index in torch.split(torch.arange(len(pool)), CHUNK))
    means = mean_features(stages, (pool.batch(index.to(model.device)).x for pool, index in chunks))
    for pool in data.select(recipe.judged, "test"):
        pool = pool.to(model.device)
        for task, value in _metrics(model, pool, specs).items():
            yield (task, _method(recipe), recipe.start.label), USUAL, value
        for part in means[0]:
            with without(stages, part, means):
                lacking = _metrics(model, pool, specs)
            for task, value in lacking.items():
                yield (task, _method(recipe), recipe.start.label), part, value


def _measured(recipe: Recipe, data: TaskSet, permutations: int, root: Path) -> Iterator[Value]:
    """(arm, input, primary metric while it is permuted) of a run; `USUAL` first."""
    specs, method = {name: data.specs[name] for name in recipe.judged}, _method(recipe)
    model = _loaded(recipe, root)
    device = model.device
    for whole in data.select(recipe.judged, "test"):
        pool = whole.at_most(MOST)
        places = _places(data.specs[pool.tasks[0]])
        if not places:
            continue
        pool = pool.to(device)
        for task, value in _metrics(model, pool, specs).items():
            yield (task, method, recipe.start.label), USUAL, value
        for name, inputs in places.items():
            sums: dict[str, list[float]] = defaultdict(list)
            for number in range(permutations):
                drawer = generator(recipe.seed, "importance", pool.name, name, number)
                others = torch.randperm(len(pool), generator=drawer).to(device)
                mixed = replace(pool, samples=Permuted(pool.samples, others, torch.tensor(inputs, device=device)))
                for task, value in _metrics(model, mixed, specs).items():
                    sums[task].append(value)
            for task, each in sums.items():
                if len(each) == permutations:
                    yield (task, method, recipe.start.label), name, sum(each) / permutations


def _metrics(model: Predictor, pool: Pool, specs: dict[str, TaskSpec]) -> dict[str, float]:
    """Task → primary metric on a pool, of the tasks that have a target there and a metric."""
    able = [name for name, target in pool.targets.items() if target.valid is None or bool(target.valid.any())]
    kept = pool.only(able)
    if kept is None:
        return {}
    metrics, _ = measure(model, [kept], specs)
    return {name: of[specs[name].metric] for name, of in metrics.items() if specs[name].metric in of}


def _arm(config: Config, key: Key, by_input: dict[str, list[float]]) -> Arm | None:
    """The losses of an arm, of the inputs that all seeds have a number of; None where some lack the metric itself."""
    task, method, start = key
    metric, seeds = config.tasks[task].primary_metric, len(config.base.seeds)
    usual = by_input.pop(USUAL, [])
    if len(usual) < seeds:
        return None
    sign = 1 if METRICS[metric].lower_is_better else -1
    losses = []
    for name, values in by_input.items():
        if len(values) == seeds:
            lost = [sign * (value - before) for value, before in zip(values, usual, strict=True)]
            losses.append(Lost(input=name, lost=t_interval(lost, config.evaluate.confidence), values=lost))
    return Arm(task=task, metric=metric, method=method, start=start, usual=usual, inputs=losses)
