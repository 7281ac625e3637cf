"""All runs of a stage side by side, the longest first; those that are there as they should be are kept."""

import json
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from mtl import tracking
from mtl.config import BaseConfig
from mtl.config.balancing import GradientMethod
from mtl.config.pretrained import PretrainedEncoder
from mtl.data.inputs.pretrained import folder_of
from mtl.errors import UserError
from mtl.experiment.easing import curriculum_models
from mtl.experiment.identity import run_identity, run_key
from mtl.experiment.objects import pretrained_seed
from mtl.experiment.recipe import Recipe
from mtl.experiment.runs import run
from mtl.experiment.states import release
from mtl.jobs.local import Job
from mtl.jobs.rooms import run_jobs
from mtl.paths import PREPARED, REFERENCE, RunPath
from mtl.plugins import FOLDER as PLUGINS
from mtl.results.kept import AGAIN, ALONE, EVERYTHING, INCOMPLETE
from mtl.results.timing import Timing, timing_file
from mtl.stages.kept import Kept

Runs = dict[str, Recipe]
"""Label → recipe."""


def jobs(runs: Runs) -> list[Job]:
    """Runs as jobs, in their order."""
    return [Job(label, recipe.where, run, (recipe,), reads(recipe)) for label, recipe in runs.items()]


def reads(recipe: Recipe) -> tuple[Path, ...]:
    """Files and folders below the project's that a run reads, whether or not they are there."""
    config = recipe.config
    paths = [PREPARED / name for name in sorted({task.source for task in config.tasks.values()})]
    paths += [Path(PLUGINS), REFERENCE]
    if isinstance(config.encoder, PretrainedEncoder) and not Path(config.encoder.model).is_absolute():
        paths.append(folder_of(config.encoder.model, config.encoder.revision))
    if recipe.start.init == "pretrained":
        paths.append(RunPath("pretrain", None, None, pretrained_seed(config, recipe.seed)).folder)
    return (*paths, *(alone.where.folder for alone in curriculum_models(recipe).values()))


def fan_out(stage: str, runs: Runs, base: BaseConfig, names: Collection[str] = ()) -> None:
    """Brings the output of a stage to what the configuration asks for: just these runs, each with its key.

    Runs that are there, or that the store remembers, are kept; the others are trained.

    Args:
        stage: its name, and that of its folder below outputs/.
        runs: every run that the configuration asks for.
        base: how many processes, and on which device.
        names: tasks or methods whose runs alone are trained, whatever others lack; none is all, or those that
            `mtl repro` asks for.

    Raises:
        UserError: a name is no task or method of the stage, a run failed, or a file cannot be written.
        SystemExit: with INCOMPLETE, when `mtl repro` asked for some names and runs of others lack.
    """
    known = list(dict.fromkeys(str(recipe.where.name) for recipe in runs.values()))
    for name in names:
        if name not in known:
            raise UserError(f"`{stage}` should be run for some of {', '.join(known)}, found {name!r}.")
    alone = set(names) or asked_alone(stage) or set(known)
    again = asked_again(stage, known)
    kept = Kept(Path("outputs", stage))
    keys = _keys(runs)
    with _writing(stage):
        lacking = set()
        for label, recipe in runs.items():
            where = recipe.where
            if where.name in again:
                kept.forget(where.folder, keys[label])
            elif kept.holds(where.folder, keys[label]) or kept.bring_back(where.folder, keys[label]):
                continue
            lacking.add(label)
        todo = {label: recipe for label, recipe in runs.items() if label in lacking and recipe.where.name in alone}
        if len(lacking) < len(runs):
            print(f"{stage}: {len(runs) - len(lacking)} of {len(runs)} runs are kept", flush=True)
        for recipe in todo.values():
            kept.set_aside(recipe.where.folder)
    folders = run_jobs(jobs(longest_first(todo)), base) if todo else []
    complete = len(todo) == len(lacking)
    with _writing(stage):
        for label in (label for label in runs if label in todo or label not in lacking):
            release(runs[label].where, Path())
            kept.note(runs[label].where.folder)
        if complete:
            kept.leave_only([recipe.where.folder for recipe in runs.values()])
        kept.settle()
    if folders:
        tracking.publish_stage(stage, folders)
    if not complete and not names:
        raise SystemExit(INCOMPLETE)


def _keys(runs: Runs) -> dict[str, str]:
    try:
        return {label: run_key(recipe, run_identity(recipe, Path()), Path()) for label, recipe in runs.items()}
    except FileNotFoundError as error:
        source = Path(error.filename).parent.name
        raise UserError(f"{error.filename} is missing: run `dvc repro prepare@{source}`.") from None


def longest_first(runs: Runs, root: Path = Path()) -> Runs:
    """Runs in the order of their cost, so that none is left to itself at the end; equals stay in their order.

    Args:
        runs: that are to be trained.
        root: folder of the project.
    """
    last = {label: _last_seconds(recipe, root) for label, recipe in runs.items()}
    if any(seconds is None for seconds in last.values()):  # of another scale than what is computed
        last = {label: work(recipe, root) for label, recipe in runs.items()}
    return {label: runs[label] for label in sorted(runs, key=lambda label: -(last[label] or 0.0))}


def work(recipe: Recipe, root: Path = Path()) -> float:
    """Training samples that pass through the network of a run, counted once for each backward pass."""
    tasks = recipe.config.tasks
    total = 0
    for phase in recipe.phases:
        sources = {tasks[name].source for name in phase.tasks}
        samples = sum(_training_samples(root / PREPARED / name / "meta.json") for name in sources)
        passes = len(phase.tasks) if isinstance(phase.method, GradientMethod) else 1
        total += recipe.config.train.epochs * samples * passes
    return total * recipe.start.width**2


def _training_samples(meta: Path) -> int:
    return int(json.loads(meta.read_bytes())["splits"][0]["count"]["train"])


def _last_seconds(recipe: Recipe, root: Path) -> float | None:
    """Seconds that a run took when it was made before, with these settings or others."""
    try:
        return Timing.read(root / timing_file(recipe.where)).train_seconds
    except UserError:
        return None


@contextmanager
def _writing(stage: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"outputs/{stage} cannot be written: {error.strerror or error}.") from error


def asked_alone(stage: str) -> set[str]:
    """Tasks or methods whose runs alone `mtl repro` asks a stage for, as in `mtl repro finetune@joint`; none is all."""
    return {name for kind, name in _asked(ALONE) if kind == stage}


def asked_again(stage: str, known: Collection[str]) -> set[str]:
    """Names among some tasks or methods whose runs `mtl repro --force` wants made again, whatever their key."""
    if os.environ.get(AGAIN) == EVERYTHING:
        return set(known)
    return {name for kind, name in _asked(AGAIN) if kind == stage}


def _asked(variable: str) -> Iterator[tuple[str, str]]:
    """(stage, name) of the targets in a variable of the environment, which holds them with spaces between."""
    for target in os.environ.get(variable, "").split():
        kind, _, name = target.partition("@")
        yield kind, name
