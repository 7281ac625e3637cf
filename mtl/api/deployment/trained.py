"""Samples that the models of a deployment were trained or validated on, as hashes that new ones are held against."""

from collections.abc import Mapping
from pathlib import Path

from mtl.config import Config
from mtl.config.common import Extent
from mtl.data.loading.tasks import TaskSet
from mtl.experiment.objects import load_tasks
from mtl.results.deployment import Deployment, Member
from mtl.serving.copies import Kept, key_of
from mtl.types import Split

LEARNT_FROM: tuple[Split, ...] = ("train", "val")
"""Parts that fit a network, or choose its epoch."""


def trained_samples(
    config: Config, deployment: Deployment, root: Path, extent: Extent = "train"
) -> dict[str, list[Kept]]:
    """Source → what is kept of each form of its samples, such as windows of one length.

    Without folds of their own for testing, all seeds are trained and validated on the same samples; where seeds test on
    folds of their own, several of them have learnt from all.

    Args:
        config: the whole configuration.
        deployment: its content.
        root: folder of the project.
        extent: parts that its members were trained on.
    """
    seeds: dict[int, TaskSet] = {}
    kept: dict[str, list[Kept]] = {name: [] for name in deployment.sources}
    forms: dict[object, list[str]] = {}
    for name in deployment.order:
        member = _first(deployment, name)[1]
        if member.seed not in seeds:
            seeds[member.seed], _ = load_tasks(config, member.seed, root, extent)
        spec = seeds[member.seed].specs[name]
        forms.setdefault(spec.samples, []).append(name)
    for names in forms.values():
        first, member = _first(deployment, names[0])
        data = seeds[member.seed]
        source = data.specs[names[0]].source
        learnt = LEARNT_FROM
        if data.sources[source].crossed and len(_seeds(deployment, names)) > 1:
            learnt = (*LEARNT_FROM, "test")
        tested: list[Split] = ["test"] if "test" not in learnt else []
        parts = {split: [pool.samples for pool in data.select(names, split)] for split in (*learnt, *tested)}
        trained = [samples for split in learnt for samples in parts[split]]
        others = [samples for split in tested for samples in parts[split]]
        kept[source].append(Kept.of(names[0], first, trained, others, key_of(deployment.data)))
    return kept


def _first(deployment: Deployment, task: str) -> tuple[str, Member]:
    """The first of the members that answer a task, with its name."""
    name = next(iter(deployment.tasks[task].members))
    return name, deployment.members[name]


def _seeds(deployment: Deployment, tasks: list[str]) -> set[int]:
    """Seeds of all members that answer some tasks."""
    return {deployment.members[name].seed for task in tasks for name in deployment.tasks[task].members}


def with_samples(deployment: Deployment, kept: Mapping[str, list[Kept]]) -> Deployment:
    """The deployment with the facts on what its members were trained on."""
    sources = {
        name: origin.model_copy(update={"samples": [of.facts for of in kept[name]]})
        for name, origin in deployment.sources.items()
    }
    return deployment.model_copy(update={"sources": sources})
