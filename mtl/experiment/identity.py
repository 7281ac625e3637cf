"""Hashes of all that a run's result depends on: settings, prepared data, our own code, torch and the device."""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import torch

from mtl.config import BaseConfig, Config
from mtl.config.budgets import STL
from mtl.experiment.easing import curriculum_digests
from mtl.experiment.objects import pretrained_weights
from mtl.experiment.recipe import Recipe
from mtl.experiment.reference import reference_of
from mtl.paths import PREPARED, RunPath
from mtl.project.code import room_digest, rooms_of_stages
from mtl.seeding import resolve_device

HARMLESS = (
    "api", "cli", "stages", "project", "setup", "tracking", "report", "jobs", "serving", "__init__.py", "version.py",
)  # fmt: skip
"""Rooms of `mtl` that change no result: the Python API, commands and stages, which say where it is written; new
projects; those that mirror and show results, start the processes, or read finished models; and the doors and the
version of the package itself."""


def digest(value: object) -> str:
    """sha256 of a JSON-able value, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


@cache
def code_digest(root: Path) -> str:
    """sha256 over the sources that results depend on, the user's plugins among them: the same on every machine."""
    package = Path(__file__).resolve().parent.parent
    ours = [path for path in package.rglob("*.py") if path.relative_to(package).parts[0] not in HARMLESS]
    content = hashlib.sha256()
    for folder, files in ((package, ours), (root / "plugins", (root / "plugins").rglob("*.py"))):
        for path in sorted(files):
            content.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return content.hexdigest()


@cache
def stage_digest(stage: str, root: Path) -> str:
    """sha256 over the sources that results of a stage depend on, as dvc.yaml names them, and the user's plugins: an
    edit of another stage's room changes nothing. The same on every machine."""
    rooms = [room for room in rooms_of_stages()[stage] if room.partition("/")[0] not in HARMLESS]
    content = hashlib.sha256("".join(f"{room} {room_digest(room)}\n" for room in rooms).encode())
    for path in sorted((root / "plugins").rglob("*.py")):
        content.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return content.hexdigest()


def data_digest(sources: list[str], root: Path) -> str:
    """sha256 over the descriptions of prepared sources, which hold the hashes of their arrays."""
    return digest({name: (root / PREPARED / name / "meta.json").read_text() for name in sorted(sources)})


def settings(config: Config, *sections: str) -> dict[str, Any]:
    """The named sections of a config as plain values; `base` without what never changes a result."""
    chosen = config.model_dump(mode="json", by_alias=True, include=set(sections))
    if "base" in chosen:
        for harmless in (*BaseConfig.EXECUTION, "seeds"):
            chosen["base"].pop(harmless)
    if "pretrain" in chosen and chosen["pretrain"]["processes"] == 1:
        del chosen["pretrain"]["processes"]  # the results of one process are those from before there could be several
    return chosen


def pretrain_identity(config: Config, names: list[str], root: Path) -> dict[str, str]:
    """Hashes of what a pretraining on the sources `names` depends on, besides its seed and the code."""
    chosen = digest(settings(config, "base", "encoder", "pretrain"))
    chosen = digest([chosen, config.train.sampler.model_dump(mode="json")])
    return {"config": chosen, "data": data_digest(names, root)}


def run_identity(recipe: Recipe, root: Path, of_models: Path | None = None) -> dict[str, str]:
    """Hashes of what a single-task, joint or specialised run depends on, besides its tasks, seed and the code.

    Args:
        recipe: of the run.
        root: folder of the project.
        of_models: folder below which the single-task runs of a curriculum stand; None: `root`.

    Raises:
        UserError: it starts from pretrained weights, or has a curriculum by single-task runs, that are not there.
    """
    config, method, start = recipe.config, recipe.method, recipe.start
    chosen = _common_digest(config)
    if recipe.kind != STL:
        chosen = digest([chosen, method.model_dump(mode="json", by_alias=True)])
    if start.init == "pretrained":
        weights = pretrained_weights(config, recipe.seed, root).read_bytes()
        chosen = digest([chosen, hashlib.sha256(weights).hexdigest()])
    sources = sorted({task.source for task in config.tasks.values()})
    identity = {"config": digest([chosen, start.label]), "data": data_digest(sources, root)}
    if recipe.again is not None:
        identity["again"] = digest([recipe.again.extent, recipe.again.epochs])
    if models := curriculum_digests(recipe, root if of_models is None else of_models):
        identity["curriculum"] = digest(models)
    return identity


_DIGESTS: list[tuple[Config, str]] = []
"""The configurations that were asked for last, with the digest of what all their runs read: it takes its time with a
thousand tasks, of which there may be as many runs."""


def _common_digest(config: Config) -> str:
    for known, value in _DIGESTS:
        if known is config:
            return value
    value = digest(settings(config, "base", "tasks", "encoder", "train"))
    _DIGESTS.insert(0, (config, value))
    del _DIGESTS[4:]
    return value


def state_key(config: Config, where: RunPath, identity: dict[str, str], root: Path) -> str:
    """Hash in which a training state must agree with a run that goes on from it."""
    device = resolve_device(config.base.device).type
    return digest([where.folder.as_posix(), identity, code_digest(root), torch.__version__, device])


def run_key(recipe: Recipe, identity: dict[str, str], root: Path) -> str:
    """Hash of all that the files of a single-task or joint run depend on: where it agrees, the run is not made again.

    Args:
        recipe: of the run.
        identity: as `run_identity` gives it.
        root: folder of the project.

    Raises:
        UserError: the run is held against single-task runs that are not there.
    """
    config, where = recipe.config, recipe.where
    return digest([
        where.folder.as_posix(),
        identity,
        list(config.tasks),  # in whose order weights are drawn; the identity knows no order
        recipe.tasks,
        recipe.seed == config.base.seeds[0],  # which alone keeps examples
        [reference_of(recipe, phase, root) for phase in recipe.phases],
        stage_digest(where.stage, root),
        torch.__version__,
        resolve_device(config.base.device).type,
    ])  # fmt: skip
