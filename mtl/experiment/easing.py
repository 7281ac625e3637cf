"""A method's curriculum: samples in the order of their difficulty for the single-task models of the same seed."""

import hashlib
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch.nn import functional

from mtl.config import Config, Method
from mtl.data.loading.curriculum import Easing, easiest_first, shares_in_use
from mtl.data.loading.pools import Pool
from mtl.data.loading.sampling import JointPlan
from mtl.data.loading.tasks import TaskSet
from mtl.errors import UserError
from mtl.experiment.objects import run_encoder
from mtl.models.build import MultiTaskModel, build_model
from mtl.paths import RunPath
from mtl.training.measure import predict
from mtl.types import TaskSpec


def single_task_weights(method: Method, task: str, seed: int, root: Path) -> Path:
    """Weights of the task's single-task run with the seed and the start of a method.

    Raises:
        UserError: they are not there.
    """
    path = root / RunPath("baseline", task, method.label, seed).folder / "weights.safetensors"
    if not path.exists():
        raise UserError(f"{path.relative_to(root)} is missing; run `dvc repro baseline@{task}`.")
    return path


def curriculum_digests(method: Method | None, tasks: list[str], seed: int, root: Path) -> list[str]:
    """sha256 of every model that a method's curriculum is made from; none without one."""
    if method is None or method.curriculum is None or not method.curriculum.samples:
        return []
    paths = [single_task_weights(method, task, seed, root) for task in tasks]
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]


def eased_plan(
    config: Config, method: Method | None, tasks: list[str], data: TaskSet, plan: JointPlan, seed: int, root: Path
) -> JointPlan:
    """The plan with the samples of each pool of `tasks` in the order of their difficulty, if the method asks for it."""
    if method is None or method.curriculum is None or not method.curriculum.samples:
        return plan
    shares = shares_in_use(method.curriculum, config.train.epochs)
    easing: dict[str, Easing] = {}
    for pool in data.select(tasks, "train"):
        losses = torch.full((len(pool), len(pool.tasks)), torch.nan)
        for column, task in enumerate(pool.tasks):
            spec = data.specs[task]
            model = build_model(run_encoder(config, method), [spec], seed)
            model.load_state_dict(load_file(single_task_weights(method, task, seed, root)))
            alone = pool.only([task])
            assert alone is not None
            valid = pool.targets[task].valid
            rows = slice(None) if valid is None else valid
            losses[rows, column] = _sample_losses(model, alone, spec)
        easing[pool.name] = Easing(easiest_first(losses), shares)
    return replace(plan, easing=easing)


def _sample_losses(model: MultiTaskModel, pool: Pool, spec: TaskSpec) -> torch.Tensor:
    """[n] unweighted loss of each sample of a pool of one task that has a target."""
    prediction, target = predict(model, [pool])[spec.name]
    match spec.kind:
        case "forecast":
            return (prediction - target).square().flatten(1).mean(dim=1)
        case "classification":
            return functional.cross_entropy(prediction, target, reduction="none")
        case "binary":
            return functional.binary_cross_entropy_with_logits(prediction, target.float(), reduction="none")
