"""One step and one clean pass of every network, timed on the project's data: a process of its own.

It prints a line of JSON for each network as soon as that is timed, so that whoever reads can stop waiting. Nothing that
it trains is kept, and no stage reads what it prints.
"""

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import torch

from mtl.cli.estimate.timed import Sizes, Timed, group_of
from mtl.config import Config, load_config
from mtl.data.build import read_source
from mtl.data.inputs.every import input_of
from mtl.data.loading.labels import seen_by
from mtl.data.loading.store import META, load_prepared
from mtl.data.loading.tasks import TaskSet, build_tasks, unlabelled_pools
from mtl.errors import UserError
from mtl.experiment.identity import run_identity, run_key
from mtl.experiment.importance import samples_passed
from mtl.experiment.objects import joint_plan
from mtl.experiment.recipe import Recipe, joint, single_task
from mtl.experiment.runs import prepare_phase
from mtl.experiment.saved import build_network
from mtl.experiment.specialise import model_recipe, planned
from mtl.models.build import build_pretrainer
from mtl.models.multitask import MultiTaskModel
from mtl.paths import PREPARED
from mtl.seeding import make_deterministic, resolve_device, stable_seed
from mtl.stages import baseline, finetune
from mtl.stages.kept import Kept
from mtl.training.descent import Descent
from mtl.training.forward import Forward
from mtl.training.measure import CHUNK, measure
from mtl.training.optimiser import adamw
from mtl.training.state import TrainingData, TrainingState
from mtl.types import SourceData

BUDGET = 3.0
"""Seconds of computing for all networks."""
FEWEST, MOST = 2, 20
"""Timed steps of a network."""


class Clock:
    """Seconds of computing: of the processor, which other programs do not lengthen; of the clock on a GPU."""

    def __init__(self, device: torch.device, threads: int) -> None:
        self.device, self.threads = device, threads

    def now(self) -> float:
        """Seconds since some moment."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()
            return time.perf_counter()
        return time.process_time() / self.threads


def main() -> None:
    """Prints what is kept, `Sizes`, then `Timed` for each network until the time is up."""
    began = time.process_time()
    config = load_config()
    print(json.dumps({"kept": _kept(config)}), flush=True)
    seed = config.base.seeds[0]
    make_deterministic(stable_seed(seed, "train"), config.base.threads)
    device = resolve_device(config.base.device)
    clock = Clock(device, config.base.threads)
    sources = {name: _source(config, name) for name in dict.fromkeys(task.source for task in config.tasks.values())}
    read = clock.now()
    data = build_tasks(config.tasks, sources, seed)
    load = clock.now() - read
    _tell(_sizes(config, data, sources, began))
    recipes = _recipes(config)
    end = time.perf_counter() + 2 * BUDGET  # Also where other programs take most of the machine.
    left = BUDGET
    for number, recipe in enumerate(recipes):
        share = left / (len(recipes) - number)
        start = clock.now()
        try:
            _tell(_timed(recipe, data, clock, device, share, load))
        except UserError:  # `mtl repro` says it where the run begins.
            continue
        left -= clock.now() - start
        if left <= 0 or time.perf_counter() > end:
            break
    if config.pretrain.objective.kind != "none":
        _tell(_pretraining(config, seed, clock, device))


def _kept(config: Config) -> Counter[str]:
    """Group of runs → how many of them their stage keeps, as things stand now; contents of files are not compared."""
    kept = Counter[str]()
    for stage, runs in {"baseline": baseline.runs(config), "finetune": finetune.runs(config)}.items():
        store = Kept(Path("outputs", stage))
        for recipe in runs.values():
            try:
                key = run_key(recipe, run_identity(recipe, Path()), Path())
            except (UserError, OSError):  # what it builds on is not there
                continue
            kept[group_of(recipe.where)] += store.expects(recipe.where.folder, key)
    return kept


def _tell(content: Sizes | Timed) -> None:
    print(json.dumps(content.plain()), flush=True)


def _source(config: Config, name: str) -> SourceData:
    """A source as it was prepared; read from its files where it was not."""
    if (PREPARED / name / META).exists():
        return load_prepared(name, PREPARED)
    return read_source(name, config.prepare.sources[name])


def _sizes(config: Config, data: TaskSet, sources: dict[str, SourceData], startup: float) -> Sizes:
    plain = seen_by(config.tasks, {name: input_of(source) for name, source in sources.items()})
    held = {name: source.held for name, source in plain.items()}  # without the labels that rules of tasks make
    tests = {
        name: (len(pool), config.tasks[name].predicted(name, held[pool.source]))
        for pool in data.pools["test"]
        for name in pool.tasks
    }
    models = None if config.specialise.weights is None else _models(config)
    return Sizes(startup, tests, models)


def _models(config: Config) -> int | None:
    try:
        plan = planned(config)
    except (UserError, OSError):
        return None
    return None if plan is None else len(plan.models)


def _recipes(config: Config) -> list[Recipe]:
    """A run of each group, single-task and joint ones in turn: should the time run out, some of each are timed."""
    seed = config.base.seeds[0]
    starts = config.baseline.starts
    alone = [single_task(config, task, start, seed) for task in config.baseline_tasks for start in starts]
    together = [joint(config, method, seed) for method in config.finetune.methods]
    models: list[Recipe] = []
    if _models(config):
        plan = planned(config)
        assert plan is not None
        models = [model_recipe(config, plan, name, seed) for name in plan.models]
    return [recipe for recipe in chain(*zip_longest(together, alone, models)) if recipe is not None]


def _timed(recipe: Recipe, data: TaskSet, clock: Clock, device: torch.device, share: float, load: float) -> Timed:
    """A network's step and pass, in at most about `share` seconds but always one of each."""
    train = recipe.config.train
    begin = clock.now()
    plan = joint_plan(recipe.config, data, recipe.seed)
    model = build_network(recipe, data)
    if recipe.start.freeze == "encoder":
        model.freeze_encoder()
    model = model.to(device)
    seconds = least = 0.0
    few = train.epochs if train.stopping.patience is None else min(train.epochs, train.stopping.patience + 1)
    setup = clock.now() - begin + load
    each = share / len(recipe.phases)
    for phase in recipe.phases:
        state, samples = prepare_phase(recipe, phase, model, data, plan, None)
        step, steps = _step(state, samples, clock, each)
        val = sum(len(pool) for pool in samples.val) * _pass(model, state, samples, clock)
        seconds += train.epochs * (steps * step + val) + val
        least += few * (steps * step + val) + val
    held = {split: sum(len(pool) for pool in data.select(recipe.judged, split)) for split in ("train", "val", "test")}
    measured = min(held["train"], held["test"]) + held["val"] + held["test"]
    per_sample = val / max(1, sum(len(pool) for pool in samples.val))
    weights = sum(value.numel() * value.element_size() for value in model.state_dict().values())
    end = setup + measured * per_sample
    evaluated = (held["test"] + samples_passed(recipe, data)) * per_sample
    return Timed(group_of(recipe.where), least + end, seconds + end, evaluated, weights)


def _step(state: TrainingState, samples: TrainingData, clock: Clock, share: float) -> tuple[float, int]:
    """(seconds of a training step, steps of an epoch)."""
    steps = next(samples.epochs(1))
    forward = Forward(state.model, samples.train, state.specs, {}, state.balancer.needs_passes, samples.augment)
    descent = Descent(state.model, state.balancer, state.optimiser, 1.0)
    state.model.train()

    def once(chosen: dict[str, torch.Tensor]) -> None:
        passed = forward(chosen, 1)
        if passed.losses is not None:
            descent.backward(passed, 0.0, 1)
            descent.step(descent.gradient_norm())
            state.step_taken()

    return _repeated(once, steps, clock, share), len(steps)


def _repeated(work: Callable[[Any], None], inputs: Sequence[Any], clock: Clock, share: float) -> float:
    """Mean seconds of `work` on some of the inputs, the first of which warms up."""
    begin = clock.now()
    work(inputs[0])
    first = clock.now()
    done = 0
    for chosen in _spread(inputs):
        work(chosen)
        done += 1
        if done >= FEWEST and clock.now() - begin > 0.7 * share:
            break
    return (clock.now() - first) / done


def _spread(inputs: Sequence[Any]) -> Iterator[Any]:
    """At most MOST of the inputs, from the whole list."""
    count = min(MOST, len(inputs))
    for number in range(count):
        yield inputs[number * len(inputs) // count]


def _pass(model: MultiTaskModel, state: TrainingState, samples: TrainingData, clock: Clock) -> float:
    """Seconds of a validation sample in a clean pass."""
    pools = [pool.at_most(CHUNK) for pool in samples.val]
    begin = clock.now()
    measure(model, pools, state.specs)
    return (clock.now() - begin) / max(1, sum(len(pool) for pool in pools))


def _pretraining(config: Config, seed: int, clock: Clock, device: torch.device) -> Timed:
    """A step of the pretraining."""
    section = config.pretrain
    names = section.sources or list(config.prepare.sources)
    pools = unlabelled_pools({name: _source(config, name) for name in names}, section.input_len, seed, "train")
    pools = [pool.to(device) for pool in pools]
    lengths = {pool.batch(torch.zeros(1, dtype=torch.int64, device=device)).x.shape[-1] for pool in pools}
    pretrainer = build_pretrainer(config.encoder, section.objective, lengths, seed).to(device)
    optimiser = adamw([(list(pretrainer.parameters()), section.lr, section.weight_decay)])

    def once(pool: Any) -> None:
        optimiser.zero_grad(set_to_none=True)
        index = torch.arange(min(section.batch_size, len(pool)), device=device)
        pretrainer.loss(pool.batch(index).x).backward()
        optimiser.step()

    step = _repeated(once, pools, clock, BUDGET / 4)
    steps = -(-sum(len(pool) for pool in pools) // section.batch_size)
    weights = sum(p.numel() * p.element_size() for p in pretrainer.parameters())
    seconds = step * steps * section.epochs
    return Timed("pretrain", seconds, seconds, 0.0, weights)


if __name__ == "__main__":
    sys.path.insert(0, str(Path()))
    try:
        main()
    except UserError as error:
        print(json.dumps({"problem": str(error)}), flush=True)
