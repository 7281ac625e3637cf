"""Plan of a study: its arms, what each of them searches and is judged by, and what its values depend on."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mtl.cli.study import search_space
from mtl.cli.study.objective import Goal, goal_of
from mtl.cli.study.search_space import STL, Space, start_of
from mtl.config import Config
from mtl.errors import UserError
from mtl.experiment.identity import code_digest, data_digest, digest, settings
from mtl.experiment.objects import pretrained_weights
from mtl.experiment.recipe import single_task
from mtl.experiment.saved import saved_weights
from mtl.paths import REFERENCE, TRIALS
from mtl.seeding import resolve_device


@dataclass(frozen=True)
class Plan:
    """A study before it is stored."""

    name: str
    config: Config
    root: Path
    """Folder of the project."""
    trials: int
    """Finished trials of each arm."""
    seeds: list[int]
    spaces: dict[str, Space]
    """Arm → what is searched."""
    goals: dict[str, Goal]
    parallel: bool
    """Several workers: the sampler is told of trials that still run."""

    @property
    def arms(self) -> list[str]:
        return list(self.spaces)

    def stored_name(self, arm: str) -> str:
        """Name of the arm's study in the storage."""
        return f"{self.name}/{arm}"

    def folder(self, arm: str, number: int) -> Path:
        """Where a trial's runs stand; one that is tried again keeps the folder of its first attempt."""
        return self.root / TRIALS / self.name / arm / f"trial-{number}"

    def spec(self, arm: str) -> dict[str, Any]:
        """Conditions that the values of an arm's trials depend on, as JSON."""
        tune, goal = self.config.tune, self.goals[arm]
        return {
            "arm": arm,
            "space": {path: dimension.model_dump(mode="json") for path, dimension in self.spaces[arm].items()},
            "objectives": list(goal.objectives),
            "tolerance": goal.tolerance,
            "baseline": goal.baseline,
            "sampler": tune.sampler,
            "sampler_seed": tune.sampler_seed,
            "pruner": tune.pruner.model_dump(mode="json"),
            "seeds": self.seeds,
        } | conditions(self.config, arm, self.spaces[arm], self.seeds, self.root)


def conditions(config: Config, arm: str, space: Space, seeds: list[int], root: Path) -> dict[str, Any]:
    """The part of a spec that says by what, and from what, the runs of an arm are computed."""
    return {
        "settings": _settings_digest(config, arm, space),
        "data": data_digest(sorted({task.source for task in config.tasks.values()}), root),
        "pretrained": _pretrained(config, arm, seeds, root),
        "single_task": _single_task(config, arm, seeds, root),
        "code": code_digest(root),
        "torch": torch.__version__,
        "device": resolve_device(config.base.device).type,
    }


MEANS = {
    "space": "another search space", "objectives": "other objectives", "tolerance": "another tolerance",
    "baseline": "other single-task runs", "sampler": "another sampler", "sampler_seed": "another sampler seed",
    "pruner": "another pruner", "seeds": "other seeds", "settings": "other settings", "data": "other data",
    "pretrained": "other pretrained weights", "single_task": "other single-task runs",
    "code": "other code", "torch": "another version of torch",
    "device": "another device", "arm": "another arm",
}  # fmt: skip


def plan_of(config: Config, name: str, trials: int | None, arms: list[str], parallel: bool, root: Path) -> Plan:
    """Checks everything that a study needs before any of it is stored.

    Args:
        config: the whole configuration.
        name: of the study.
        trials: finished trials of each arm; None: as the configuration says.
        arms: what is tuned.
        parallel: more than one worker.
        root: folder of the project.

    Raises:
        UserError: something is missing, or cannot be used.
    """
    if not name or not all(c.isascii() and (c.isalnum() or c in "-_.") for c in name) or name.startswith("."):
        raise UserError(f"`--study` should be of letters, digits, '-', '_' and '.', found {name!r}.")
    spaces = search_space.check(config, arms)
    seeds = config.tune.seeds or config.base.seeds[:1]
    wanted = config.tune.trials if trials is None else trials
    if config.tune.sampler == "grid":
        for arm, space in spaces.items():
            size = search_space.grid_size(space)
            if wanted > size:
                raise UserError(
                    f"`--trials` should be at most {size}, the points of the grid of {arm}, found {wanted}."
                )
    try:
        for arm in spaces:
            data_digest([task.source for task in config.tasks.values()], root)
            _pretrained(config, arm, seeds, root)
    except FileNotFoundError as error:
        raise UserError(f"{error.filename} is missing; run `mtl repro pretrain` first.") from None
    goals = {arm: goal_of(config, arm, seeds, root) for arm in spaces}
    return Plan(name, config, root, wanted, seeds, spaces, goals, parallel)


def _settings_digest(config: Config, arm: str, space: Space) -> str:
    """Hash of the settings that a run of the arm depends on, without those that are searched."""
    plain = settings(config, "base", "tasks", "encoder", "train")
    if arm != STL:
        method = config.finetune.methods[arm].model_dump(mode="json", by_alias=True)
        plain["finetune"] = {"methods": {arm: method}}
    for path in space:
        *parents, last = path.split(".")
        here = plain
        for part in parents:
            here = here[part]
        del here[last]
    plain["default_lambda"] = config.train.stopping.default_lambda
    return digest([plain, start_of(config, arm).label if arm == STL else None])


def _pretrained(config: Config, arm: str, seeds: list[int], root: Path) -> str | None:
    """Hash of the pretrained weights that the arm's runs start from; None where they start from random ones."""
    if start_of(config, arm).init != "pretrained":
        return None
    return digest([pretrained_weights(config, seed, root).read_bytes().hex() for seed in seeds])


def _single_task(config: Config, arm: str, seeds: list[int], root: Path) -> str | None:
    """Hash of the single-task runs that the arm's runs read; None where they read none."""
    if not search_space.reads_single_task_runs(config, arm):
        return None
    method = config.finetune.methods[arm]
    reference = root / REFERENCE
    weights = [
        saved_weights(single_task(config, task, method, seed), root).read_bytes().hex()
        for task in config.method_tasks(arm)
        for seed in seeds
        if task in config.baseline_tasks
    ]
    return digest([reference.read_text(encoding="utf-8") if reference.exists() else None, weights])


def shared_stages(config: Config, arms: list[str]) -> list[str]:
    """The stages whose results the trials of some arms share."""
    stages = [f"prepare@{name}" for name in dict.fromkeys(task.source for task in config.tasks.values())]
    if any(start_of(config, arm).init == "pretrained" for arm in arms):
        stages.append("pretrain")
    if any(search_space.reads_single_task_runs(config, arm) for arm in arms):
        stages += ["baseline", "reference"]
    return stages
