"""Search space of a study: paths of params.yaml, checked against it before anything is trained; knows no Optuna.

An *arm* is what is tuned: a method of `finetune.methods`, or `stl`, which stands for every task trained alone.
"""

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from mtl.config import PARAMS, Choice, Config, Dimension, FloatRange, IntRange, Start, WeightedMethod, parse_config
from mtl.config.budgets import STL as STL
from mtl.config.tune import Scalar
from mtl.errors import ConfigError, UserError

Space = dict[str, Dimension]
Values = Mapping[str, Scalar]
"""Path in params.yaml → value."""

SEARCHED = ("train", "encoder", "finetune", "tasks")
"""Sections that training reads after its data and pretrained weights are there."""
OF_A_TASK = ("weight", "dropout", "head_lr", "class_weights")
"""The others change what is measured, or on which samples."""
MOST_POINTS = 10_000


def arms(config: Config, every: bool) -> list[str]:
    """The arms of a study: the method to tune, or with `every` all methods and STL."""
    if every:
        return [STL, *config.finetune.methods]
    return [config.tune.method or next(iter(config.finetune.methods))]


def start_of(config: Config, arm: str) -> Start:
    """Where an arm's runs start; STL starts where the first of `baseline.starts` does."""
    return config.baseline.starts[0] if arm == STL else config.finetune.methods[arm]


def reads_single_task_runs(config: Config, arm: str) -> bool:
    """True when an arm's runs read single-task runs: to stop by their MSE, or to order samples by their losses."""
    if arm == STL:
        return False
    curriculum = config.finetune.methods[arm].curriculum
    criterion = (config.tune.space or {}).get("train.stopping.criterion")
    constrained = [config.train.stopping.criterion, *(criterion.values if isinstance(criterion, Choice) else [])]
    return "constrained" in constrained or (curriculum is not None and curriculum.samples)


def space_of(config: Config, arm: str) -> Space:
    """Path → what is searched there, for one arm.

    Paths of another method are left out, and STL has none of any method.

    Raises:
        ConfigError: a path is none of this configuration, cannot be searched or has impossible values, or nothing is
            left.
    """
    space = _default(config, arm) if config.tune.space is None else config.tune.space
    for path in space:
        _check_path(config, arm, path)
    chosen = {path: dimension for path, dimension in space.items() if _concerns(path, arm)}
    if not chosen:
        wrong = "names only paths of others"
        if config.tune.space is None:
            wrong = (
                "is null, and this arm has no λ, and the learning rate and weight decay of the single-task runs that "
                "it reads: name other paths, such as its own"
            )
        raise ConfigError(f"{PARAMS}: `tune.space` has nothing to search for {arm}: it {wrong}.")
    for path, dimension in chosen.items():
        for value in _extremes(dimension):
            _check_value(config, path, value)
    if config.tune.sampler == "grid":
        grid(chosen)
    return chosen


def overlaid(config: Config, values: Values) -> Config:
    """The configuration with other values at some paths.

    Raises:
        ConfigError: together they cannot be used; the message names the path.
    """
    plain = config.model_dump(mode="json", by_alias=True)
    for path, value in values.items():
        *parents, last = path.split(".")
        here = plain
        for part in parents:
            if here[part] is None:  # A section that was left out.
                here[part] = {}
            here = here[part]
        here[last] = value
    return parse_config(plain)


def grid(space: Space) -> dict[str, list[Scalar]]:
    """Path → its values on the grid.

    Raises:
        ConfigError: it has more points than any study.
    """
    size = grid_size(space)
    if size > MOST_POINTS:
        raise ConfigError(
            f"{PARAMS}: `tune.space` should have at most {MOST_POINTS:,} points in a grid, found {size:,}."
        )
    return {path: _grid_values(dimension) for path, dimension in space.items()}


def grid_size(space: Space) -> int:
    """Points of the grid."""
    return prod(_size(dimension) for dimension in space.values())


def _grid_values(dimension: Dimension) -> list[Scalar]:
    match dimension:
        case FloatRange():
            spread = np.geomspace if dimension.log else np.linspace
            inner = spread(dimension.low, dimension.high, dimension.points)[1:-1].tolist()
            return [float(dimension.low), *inner, float(dimension.high)]
        case IntRange():
            return list(range(dimension.low, dimension.high + 1))
        case Choice():
            return list(dimension.values)


def _size(dimension: Dimension) -> int:
    match dimension:
        case FloatRange():
            return dimension.points
        case IntRange():
            return dimension.high - dimension.low + 1
        case Choice():
            return len(dimension.values)


def _default(config: Config, arm: str) -> Space:
    """λ and its schedule where the arm has them, the learning rate and the weight decay where it may change them."""
    space: Space = {}
    if arm != STL and isinstance(config.finetune.methods[arm], WeightedMethod):
        space[f"finetune.methods.{arm}.lambda"] = FloatRange(kind="float", low=0.05, high=0.95)
        schedules: list[Scalar] = ["constant", "linear", "cosine", "warmup"]
        space[f"finetune.methods.{arm}.schedule"] = Choice(kind="choice", values=schedules)
    if not reads_single_task_runs(config, arm):
        space["train.lr"] = FloatRange(kind="float", low=1e-4, high=1e-2, log=True)
        space["train.weight_decay"] = FloatRange(kind="float", low=1e-4, high=1e-1, log=True)
    return space


def _concerns(path: str, arm: str) -> bool:
    parts = path.split(".")
    return parts[0] != "finetune" or parts[2] == arm


def _check_path(config: Config, arm: str, path: str) -> None:
    """Raises unless a path leads to a single value that a trial may change."""
    where = f"{PARAMS}: `tune.space.{path}`"
    here: Any = config.model_dump(mode="json", by_alias=True)
    for depth, part in enumerate(path.split(".")):
        if not isinstance(here, dict) or part not in here:
            known = f"; known there: {', '.join(here)}" if isinstance(here, dict) else ""
            inside = ".".join(path.split(".")[:depth]) or str(PARAMS)
            raise ConfigError(f"{where} is no path of this file: {inside} has no {part!r}{known}.")
        here = here[part]
    if isinstance(here, dict | list):
        raise ConfigError(f"{where} should be the path of a single value, found a {_word(here)}.")
    parts = path.split(".")
    if parts[0] not in SEARCHED:
        allowed = ", ".join(SEARCHED)
        raise ConfigError(f"{where} should be in one of the sections {allowed}: trials share data and pretraining.")
    if parts[0] == "tasks" and parts[-1] not in OF_A_TASK:
        raise ConfigError(
            f"{where} changes what is measured, so trials could not be compared; of a task, {', '.join(OF_A_TASK)} "
            "can be searched."
        )
    if path == "train.stopping.default_lambda":
        raise ConfigError(f"{where} is a part of the objective `combined`, so it cannot be searched.")
    shared = path.startswith(("encoder.", "train.sampler."))
    if shared and _concerns(path, arm) and start_of(config, arm).init == "pretrained":
        raise ConfigError(
            f"{where}: {arm} starts from pretrained weights that all trials share, and pretraining depends on this."
        )

    if parts[0] != "finetune" and _concerns(path, arm) and reads_single_task_runs(config, arm):
        raise ConfigError(
            f"{where}: runs of {arm} read single-task runs (`constrained` stopping or a curriculum), which this would "
            f"change as well; paths of finetune.methods.{arm} can be searched."
        )


def _word(value: object) -> str:
    return "section" if isinstance(value, dict) else "list"


def _extremes(dimension: Dimension) -> list[Scalar]:
    if isinstance(dimension, Choice):
        return list(dimension.values)
    return [dimension.low, dimension.high]


def _check_value(config: Config, path: str, value: Scalar) -> None:
    """One value at a time: what only some pairs of values forbid shows in the trial that draws them."""
    try:
        overlaid(config, {path: value})
    except ConfigError as error:
        reason = str(error).removeprefix(f"{PARAMS}: ")
        raise ConfigError(f"{PARAMS}: `tune.space.{path}` holds a value that cannot be used: {reason}") from None


def check(config: Config, chosen: list[str]) -> dict[str, Space]:
    """Arm → its space for the chosen arms, when the whole section `tune` can be used.

    Raises:
        ConfigError: it cannot.
        UserError: an objective needs tasks that there are not.
    """
    spaces = {arm: space_of(config, arm) for arm in chosen}
    kinds = {task.family == "regression" for task in config.tasks.values() if task.role == "main"}
    for objective, numbers in (("error", True), ("accuracy", False)):
        if objective in config.tune.objectives and numbers not in kinds:
            what = "forecast or regression" if numbers else "label"
            raise UserError(f"{PARAMS}: `tune.objectives` has {objective}, and no main task is a {what}.")
    if config.tune.tolerance is not None and True not in kinds:
        raise UserError(f"{PARAMS}: `tune.tolerance` should be null when no main task is a forecast or regression.")
    return spaces


def tuning_note(config: Config) -> list[str]:
    """A sentence on what `mtl tune` would refuse; none where nothing is. No other command reads the section."""
    try:
        check(config, arms(config, every=False))
    except UserError as error:
        return [f"`mtl tune` will stop: {str(error).removesuffix('.')}"]
    return []
