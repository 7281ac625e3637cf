"""A method's curriculum: samples in the order of their difficulty for the single-task models of the same seed."""

import hashlib
from dataclasses import replace
from pathlib import Path

import torch

from mtl.data.loading.curriculum import Easing, easiest_first, shares_in_use
from mtl.data.loading.sampling import JointPlan
from mtl.data.loading.tasks import TaskSet
from mtl.experiment.recipe import Recipe, single_task
from mtl.experiment.saved import load_network, saved_weights
from mtl.training.measure import predict


def curriculum_models(recipe: Recipe) -> dict[str, Recipe]:
    """Task → the single-task run, of the same seed and start, by which its samples are ordered; none without order."""
    curriculum = recipe.method.curriculum
    if curriculum is None or not curriculum.samples:
        return {}
    return {name: single_task(recipe.config, name, recipe.start, recipe.seed) for name in recipe.tasks}


def curriculum_digests(recipe: Recipe, root: Path) -> list[str]:
    """sha256 of every model that a run's curriculum is made from; none without one.

    Raises:
        UserError: a single-task run is not finished.
    """
    paths = [saved_weights(alone, root) for alone in curriculum_models(recipe).values()]
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]


def eased_plan(recipe: Recipe, data: TaskSet, plan: JointPlan, root: Path) -> JointPlan:
    """The plan with the samples of the run's pools in the order of their difficulty, if its method asks for it.

    Raises:
        UserError: a single-task run is not finished.
    """
    models, curriculum = curriculum_models(recipe), recipe.method.curriculum
    if curriculum is None or not models:
        return plan
    shares = shares_in_use(curriculum, recipe.config.train.epochs)
    easing: dict[str, Easing] = {}
    for pool in data.select(recipe.tasks, "train"):
        losses = torch.full((len(pool), len(pool.tasks)), torch.nan)
        for column, task in enumerate(pool.tasks):
            network = load_network(models[task], root)
            alone = pool.only([task])
            assert alone is not None
            valid = pool.targets[task].valid
            rows = slice(None) if valid is None else valid
            losses[rows, column] = network.specs[task].sample_losses(*predict(network.model, [alone])[task])
        easing[pool.name] = Easing(easiest_first(losses), shares)
    return replace(plan, easing=easing)
