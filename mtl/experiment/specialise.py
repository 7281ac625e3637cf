"""Specialised models: a run each, and what they predict together."""

from pathlib import Path
from typing import Any

from torch import Tensor

from mtl.config import Config
from mtl.config.balancing import FixedMethod
from mtl.experiment.execution import Tell, silent
from mtl.experiment.objects import load_tasks
from mtl.experiment.recipe import Recipe, trained_by
from mtl.experiment.runs import run
from mtl.experiment.saved import load_network
from mtl.grouping.models import Plan, plan_models
from mtl.paths import GROUPS, RunPath
from mtl.results.groups import Groups
from mtl.results.numbers import TaskMetrics
from mtl.results.serving import Candidate
from mtl.tasks.base import TaskSpec
from mtl.training.measure import predict
from mtl.types import Split


def model_path(name: str, seed: int) -> RunPath:
    return RunPath("specialise", name, None, seed)


def planned(config: Config, root: Path = Path()) -> Plan | None:
    """The models that `specialise` asks for, by the groups that were found; None when it asks for none.

    Raises:
        UserError: no groups were found yet.
    """
    if config.specialise.weights is None:
        return None
    groups = Groups.read(root / GROUPS, "mtl repro cluster")
    return plan_models(groups, config.specialise, config.baseline_tasks, config.cluster.seed)


def model_method(config: Config, plan: Plan, name: str) -> FixedMethod:
    """How a model of the plan is trained: each loss with its weight."""
    model = plan.models[name]
    sharing: dict[str, Any] = {"kind": "hard"}
    if model.groups is not None:
        stages = config.specialise.branched_stages
        sharing = {"kind": "branched", "groups": model.groups, "shared_stages": stages}
    settings = {"kind": "fixed", "tasks": model.tasks, "weights": model.weights, "sharing": sharing}
    return FixedMethod.model_validate(settings | plan.start.model_dump())


def model_recipe(config: Config, plan: Plan, name: str, seed: int) -> Recipe:
    """The run of one model of the plan."""
    return trained_by(config, model_method(config, plan, name), model_path(name, seed), plan.models[name].tasks)


def run_specialised(config: Config, plan: Plan, name: str, seed: int, root: Path = Path(), tell: Tell = silent) -> Path:
    """Trains one model of the plan; returns the run's folder."""
    return run(model_recipe(config, plan, name, seed), root, tell)


def ensemble_metrics(
    config: Config, plan: Plan, candidate: Candidate, seed: int, root: Path = Path()
) -> dict[str, TaskMetrics]:
    """Split → task → metrics of soft serving: forecasts and probabilities are averaged by the models' shares."""
    data, _ = load_tasks(config, seed, root)
    asked = sorted({name for shares in candidate.serve.values() for name in shares})
    networks = {name: load_network(model_recipe(config, plan, name, seed), root) for name in asked}
    splits: tuple[Split, ...] = ("val", "test")
    metrics: dict[str, TaskMetrics] = {}
    for split in splits:
        predicted = {
            name: predict(network.model, data.select(list(network.specs), split)) for name, network in networks.items()
        }
        metrics[split] = {
            task: _metrics(data.specs[task], [(share, predicted[name][task]) for name, share in shares.items()])
            for task, shares in candidate.serve.items()
        }
    return metrics


def _metrics(spec: TaskSpec, parts: list[tuple[float, tuple[Tensor, Tensor]]]) -> dict[str, float]:
    """Metrics of the mean of several models' predictions, weighted by their shares."""
    shares = [share for share, _ in parts]
    mean = spec.combine([prediction for _, (prediction, _) in parts], shares)
    return spec.score(mean, parts[0][1][1], detailed=False)[0]
