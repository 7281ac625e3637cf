"""Which models the stage `specialise` trains, and which of them serve which tasks in each grouping.

A *candidate* is a way to serve all tasks: each by one model (hard), or by several, weighted (soft). Models that several
candidates share are trained once; a task that a candidate leaves alone is served by its single-task baseline.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from mtl.config.grouping import SpecialiseConfig
from mtl.grouping.partitions import FEW, Partition, every_partition, from_labels, random_partitions

NEGLIGIBLE = 1e-6
"""A membership below it counts as none: the model is trained without the task."""
LONGEST_NAME = 60
BASELINE = "baseline/"
"""Prefix of a model that the stage `baseline` has trained."""


@dataclass(frozen=True)
class Model:
    """One network to train: its tasks with the weights of their losses."""

    tasks: list[str]
    weights: list[float]
    groups: Partition | None = None
    """Branched sharing by these groups; None: one trunk."""


@dataclass(frozen=True)
class Candidate:
    """A way to serve all tasks."""

    name: str
    kind: str
    """stl | together | hard | soft | branched | random | partition"""
    serve: dict[str, dict[str, float]]
    """Task → model → its share in the prediction."""


@dataclass
class Plan:
    """Models to train and candidates to compare."""

    models: dict[str, Model] = field(default_factory=dict)
    candidates: list[Candidate] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)

    def content(self) -> dict[str, Any]:
        """As models.json holds it."""
        return {
            "models": {name: asdict(model) for name, model in self.models.items()},
            "tasks": self.tasks,
            "candidates": [asdict(candidate) for candidate in self.candidates],
        }


def plan_models(groups: dict[str, Any], settings: SpecialiseConfig, baselines: Sequence[str], seed: int) -> Plan:
    """What to train for the groups found.

    Args:
        groups: content of groups.json.
        settings: the section `specialise`.
        baselines: tasks that have a single-task baseline.
        seed: draws the random groupings.
    """
    tasks, found = list(groups["tasks"]), from_labels(groups["tasks"], groups["labels"])
    plan = Plan(tasks=tasks)

    def grouping(name: str, kind: str, partition: Partition) -> None:
        serve: dict[str, dict[str, float]] = {}
        for members in partition:
            alone = len(members) == 1 and members[0] in baselines
            model = BASELINE + members[0] if alone else _add(plan, Model(members, [1.0] * len(members)))
            serve |= {task: {model: 1.0} for task in members}
        plan.candidates.append(Candidate(name, kind, {task: serve[task] for task in tasks}))

    grouping("stl", "stl", [[task] for task in tasks])
    grouping("together", "together", [tasks])
    _clusters(plan, groups, settings)
    count = len(found)
    if settings.branched_stages is not None and count > 1:
        model = _add(plan, Model(tasks, [1.0] * len(tasks), found))
        plan.candidates.append(Candidate("branched", "branched", {task: {model: 1.0} for task in tasks}))
    if 1 < count < len(tasks):
        for number, partition in enumerate(random_partitions(tasks, count, settings.random_draws, seed), start=1):
            grouping(f"random_{number}", "random", partition)
        if settings.every_partition and len(tasks) <= FEW:
            for number, partition in enumerate(every_partition(tasks, count), start=1):
                grouping(f"partition_{number}", "partition", partition)
    return plan


def _clusters(plan: Plan, groups: dict[str, Any], settings: SpecialiseConfig) -> None:
    """The specialised models: hard serving by the cluster a task belongs to most, soft by all, weighted."""
    memberships = groups["memberships"]
    names: dict[int, str] = {}
    for c in range(groups["clusters"]):
        column = {t: row[c] for t, row in zip(groups["tasks"], memberships, strict=True) if row[c] > NEGLIGIBLE}
        if c not in groups["labels"]:
            continue  # nobody's first choice serves nobody, and a model of remainders trains no task well
        scale = len(column) / sum(column.values()) if settings.weights == "mean_one" else 1.0
        names[c] = _add(plan, Model(list(column), [weight * scale for weight in column.values()]), f"cluster_{c + 1}")
    hard = {t: {names[label]: 1.0} for t, label in zip(groups["tasks"], groups["labels"], strict=True)}
    plan.candidates.append(Candidate("clusters", "hard", hard))
    soft: dict[str, dict[str, float]] = {}
    for task, row in zip(groups["tasks"], memberships, strict=True):
        shares = {model: row[c] for c, model in names.items() if row[c] > NEGLIGIBLE}
        soft[task] = {model: share / sum(shares.values()) for model, share in shares.items()}
    plan.candidates.append(Candidate("ensemble", "soft", soft))


def _add(plan: Plan, model: Model, name: str | None = None) -> str:
    """Name of the model in the plan: of the one that is there already, when there is one."""
    for known, other in plan.models.items():
        if other == model:
            return known
    if name is None:
        name = ("branched_" if model.groups else "set_") + "_".join(model.tasks)
        if len(name) > LONGEST_NAME:
            digest = hashlib.sha256("\x1f".join(model.tasks).encode()).hexdigest()[:10]
            name = f"{'branched' if model.groups else 'set'}_{len(model.tasks)}_tasks_{digest}"
    plan.models[name] = model
    return name
