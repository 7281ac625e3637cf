"""Plan of the stage `specialise`: models to train, and the tasks that each of them serves in each grouping.

A *candidate* is a way to serve all tasks: each by one model (hard), or by several, weighted (soft). Models that several
candidates share are trained once; a task that a candidate leaves alone is served by its single-task baseline.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from mtl.config.grouping import SpecialiseConfig
from mtl.config.methods import Start
from mtl.grouping.partitions import FEW, Partition, every_partition, from_labels, random_partitions
from mtl.results.groups import Groups
from mtl.results.serving import Candidate, Form, Model

NEGLIGIBLE = 1e-6
"""A membership below it counts as none: the model is trained without the task."""
LONGEST_NAME = 60
BASELINE = "baseline/"
"""Prefix of a model that the stage `baseline` has trained."""


@dataclass
class Plan:
    """Models to train and candidates to compare."""

    models: dict[str, Model] = field(default_factory=dict)
    candidates: list[Candidate] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)
    start: Start = field(default_factory=Start)
    """Start of every model: that of the runs which the groups were found by."""


def plan_models(groups: Groups, settings: SpecialiseConfig, baselines: Sequence[str], seed: int) -> Plan:
    """Lists the models to train for the groups that were found.

    Args:
        groups: the groups that were found.
        settings: the section `specialise`.
        baselines: tasks that have a single-task baseline.
        seed: draws the random groupings.
    """
    tasks, clusters = groups.tasks, from_labels(groups.tasks, groups.labels)
    plan = Plan(tasks=tasks, start=groups.start)

    def grouping(name: str, kind: Form, partition: Partition) -> None:
        serve: dict[str, dict[str, float]] = {}
        for members in partition:
            alone = len(members) == 1 and members[0] in baselines
            model = BASELINE + members[0] if alone else _add(plan, Model(tasks=members, weights=[1.0] * len(members)))
            serve |= {task: {model: 1.0} for task in members}
        plan.candidates.append(Candidate(name=name, kind=kind, serve={task: serve[task] for task in tasks}))

    grouping("stl", "stl", [[task] for task in tasks])
    grouping("together", "together", [tasks])
    _clusters(plan, groups, settings)
    count = len(clusters)
    if settings.branched_stages is not None and count > 1:
        model = _add(plan, Model(tasks=tasks, weights=[1.0] * len(tasks), groups=clusters))
        serve = {task: {model: 1.0} for task in tasks}
        plan.candidates.append(Candidate(name="branched", kind="branched", serve=serve))
    if 1 < count < len(tasks):
        for number, partition in enumerate(random_partitions(tasks, count, settings.random_draws, seed), start=1):
            grouping(f"random_{number}", "random", partition)
        if settings.every_partition and len(tasks) <= FEW:
            for number, partition in enumerate(every_partition(tasks, count), start=1):
                grouping(f"partition_{number}", "partition", partition)
    return plan


def _clusters(plan: Plan, groups: Groups, settings: SpecialiseConfig) -> None:
    """The specialised models: hard serving by the cluster a task belongs to most, soft by all, weighted."""
    names: dict[int, str] = {}
    for c in range(groups.clusters):
        column = {t: row[c] for t, row in zip(groups.tasks, groups.memberships, strict=True) if row[c] > NEGLIGIBLE}
        if c not in groups.labels:
            continue  # nobody's first choice serves nobody, and a model of remainders trains no task well
        scale = len(column) / sum(column.values()) if settings.weights == "mean_one" else 1.0
        model = Model(tasks=list(column), weights=[weight * scale for weight in column.values()])
        names[c] = _add(plan, model, f"cluster_{c + 1}")
    hard = {t: {names[label]: 1.0} for t, label in zip(groups.tasks, groups.labels, strict=True)}
    plan.candidates.append(Candidate(name="clusters", kind="hard", serve=hard))
    soft: dict[str, dict[str, float]] = {}
    for task, row in zip(groups.tasks, groups.memberships, strict=True):
        shares = {model: row[c] for c, model in names.items() if row[c] > NEGLIGIBLE}
        soft[task] = {model: share / sum(shares.values()) for model, share in shares.items()}
    plan.candidates.append(Candidate(name="ensemble", kind="soft", serve=soft))


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
