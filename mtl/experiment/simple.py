"""Runs of the stage `simple`: the simple model of every task, fitted once for all seeds that have the same samples."""

import hashlib
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from mtl.config import Config
from mtl.config.simple import PROBE
from mtl.data.loading.tasks import TaskSet
from mtl.experiment.execution import Tell, silent, write_timings
from mtl.experiment.identity import data_digest, digest, settings
from mtl.experiment.objects import load_sources, load_tasks
from mtl.experiment.outcome import examples, guesses, optimum
from mtl.experiment.recipe import SIMPLE, Recipe, simple
from mtl.experiment.saved import check_tokens, made_again, model_input
from mtl.experiment.states import held
from mtl.experiment.weights import write_weights
from mtl.files import whole_folder
from mtl.models.kept_features import keeping
from mtl.models.simple.network import SimpleNetwork
from mtl.paths import RunPath
from mtl.results.examples import Examples
from mtl.results.history import History
from mtl.results.model import MODEL, WEIGHTS, SavedModel
from mtl.results.reading import EXAMPLES, HISTORY, RUN
from mtl.results.record import Detail, Parameters, Run, SharingKind
from mtl.results.simple import SavedSimple
from mtl.seeding import make_deterministic, stable_seed
from mtl.simple.fit import Chosen, fit_simple
from mtl.tasks.plain import plain
from mtl.training.measure import measure
from mtl.types import SPLITS
from mtl.version import __version__

NO_EPOCHS = History(epochs=[], best_epoch=0, stopped="end")
"""A formula has none."""


@dataclass(frozen=True)
class Kept:
    """A fitted simple model.

    Args:
        network: with its numbers.
        saved: what it is.
        data: hash of the prepared data.
    """

    network: SimpleNetwork
    saved: SavedSimple
    data: str


def simple_paths(config: Config, seeds: list[int]) -> list[RunPath]:
    """Places of the simple models of some seeds."""
    return [RunPath(SIMPLE, task, None, seed) for task in config.tasks for seed in seeds]


def same_samples(config: Config, root: Path = Path()) -> list[list[int]]:
    """Seeds in groups whose tasks have the same samples in every part, so that one fit is that of all of them."""
    sources = load_sources([task.source for task in config.tasks.values()], root)
    drawn = any(task.train_fraction < 1 for task in config.tasks.values())
    groups: dict[tuple[int, ...], list[int]] = {}
    for seed in config.base.seeds:
        folds = tuple(seed % source.folds for source in sources.values())
        groups.setdefault((*folds, seed) if drawn else folds, []).append(seed)
    return list(groups.values())


def run_simple(
    config: Config, seeds: list[int], root: Path = Path(), tell: Tell = silent, out: Path | None = None
) -> Path:
    """Fits the simple models of every task and writes their folders for each of the seeds.

    Args:
        config: the whole configuration.
        seeds: of one group of `same_samples`.
        root: folder of the project; prepared data are read below it.
        tell: told the progress, in tasks.
        out: folder below which results and times are written; None: `root`.

    Returns:
        Folder of the first task and seed.

    Raises:
        UserError: the data are not there, or a folder cannot be written.
    """
    out = root if out is None else out
    began = datetime.now(UTC)
    make_deterministic(stable_seed(seeds[0], SIMPLE), config.base.threads)
    data, _ = load_tasks(config, seeds[0], root)
    if config.simple.tries(PROBE) and config.simple.probe is not None:
        check_tokens(config.simple.probe, data.fitted)
    identity = simple_identity(config, root)
    with ExitStack() as locks, keeping(root):
        for where in simple_paths(config, seeds):
            locks.enter_context(held(where, out))
        clock = perf_counter()
        for number, (task, chosen) in enumerate(fit_simple(config.simple, data, config.base.threads), start=1):
            measured = _measured(config, data, task, chosen)
            seconds, clock = perf_counter() - clock, perf_counter()
            for seed in seeds:
                where = RunPath(SIMPLE, task, None, seed)
                _write(config, data, where, chosen, _record(where, measured, identity), out)
                write_timings(where, out, began, seconds / len(seeds), 0, 0)
            tell(number, len(data.specs))
    return out / RunPath(SIMPLE, next(iter(config.tasks)), None, seeds[0]).folder


def simple_identity(config: Config, root: Path) -> dict[str, str]:
    """Hashes of what a simple model depends on, besides its task, seed and the code."""
    chosen = settings(config, "base", "tasks", SIMPLE)
    chosen["base"].pop("device", None)
    return {"config": digest(chosen), "data": data_digest([task.source for task in config.tasks.values()], root)}


def _measured(config: Config, data: TaskSet, task: str, chosen: Chosen) -> dict[str, Any]:
    """Fields of run.json that are the same for all seeds."""
    specs = {task: data.specs[task]}
    held_out = sum(len(pool) for pool in data.pools["test"])
    parts: dict[str, Any] = {}
    detail: dict[str, Any] = {}
    for split in SPLITS:
        pools = data.select([task], split)
        if split == "train":
            pools = [pool.at_most(held_out) for pool in pools]
        parts[split], detail = measure(chosen.network, pools, specs, detailed=True)
    size = data.train_sizes()[task]
    return parts | {
        "fold": {specs[task].source: data.fold[specs[task].source]},
        "threads": config.base.threads,
        "samples": {task: size},
        "train_size": {task: size},
        "parameters": Parameters.model_validate(chosen.network.parameter_counts()),
        "detail": {name: Detail.model_validate(content) for name, content in detail.items()},
        "optimum": optimum(data, [task]),
        "guess": guesses(data, [task]),
        "simple": chosen.choice,
    }


def _record(where: RunPath, measured: dict[str, Any], identity: dict[str, str]) -> Run:
    """run.json of one seed."""
    assert where.name is not None
    return Run(
        stage=SIMPLE, name=where.name, start="random", init="random", freeze="none", width=1.0, seed=where.seed,
        method_kind=SIMPLE, tasks=[where.name], device="cpu", epochs_run=0, best_epoch=0, stopped="end", steps=0,
        sharing=SharingKind(kind="none"), stitches=None, transfer=None, phases=None, identity=identity, **measured,
    )  # fmt: skip


def _write(config: Config, data: TaskSet, where: RunPath, chosen: Chosen, record: Run, out: Path) -> None:
    """Writes the folder of one task and seed, whole or not at all."""
    (spec,) = chosen.network.tasks.values()
    first = where.seed == config.base.seeds[0]
    with whole_folder(out / where.folder) as folder:
        record.write(folder / RUN)
        NO_EPOCHS.write(folder / HISTORY)
        shown = examples(chosen.network, data, {spec.name: spec}) if first else Examples()
        shown.write(folder / EXAMPLES)
        recipe = simple(config, spec.name, where.seed)
        write_model(folder, recipe, data, Kept(chosen.network, chosen.saved, record.identity["data"]))


def write_model(folder: Path, recipe: Recipe, data: TaskSet, kept: Kept) -> None:
    """Writes the weights of a simple model, and model.json beside them.

    Args:
        folder: of the run.
        recipe: of the run.
        data: every task of the run.
        kept: the model.
    """
    where, (spec,) = recipe.where, kept.network.tasks.values()
    write_weights(folder / WEIGHTS, kept.network.state_dict())
    SavedModel(
        stage=SIMPLE,
        name=spec.name,
        start=recipe.start.label,
        seed=where.seed,
        tasks=[plain(spec)],
        judged=[spec.name],
        sources={spec.source: model_input(data, spec.source)},
        encoder=None,
        simple=kept.saved,
        sharing=recipe.method.sharing,
        code=None,
        again=made_again(recipe),
        versions={"mtl": __version__, "torch": str(torch.__version__)},
        data=kept.data,
        weights=hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest(),
    ).write(folder / MODEL)
