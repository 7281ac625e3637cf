"""Finished runs that answer the tasks of a project together."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mtl.config import Config
from mtl.config.common import Extent
from mtl.config.metrics import METRICS
from mtl.data.loading.tasks import TaskSet
from mtl.errors import UserError
from mtl.evaluation.choose import Choice
from mtl.experiment.objects import load_tasks
from mtl.experiment.recipe import Recipe, joint, simple, single_task
from mtl.experiment.specialise import model_recipe, planned
from mtl.paths import MODELS, RunPath
from mtl.results.deployment import Seeds
from mtl.results.model import SavedModel
from mtl.results.reading import read_run
from mtl.results.serving import Serving

BASELINE = "baseline/"
"""Beginning of the name of a model of a grouping that the stage `baseline` has trained."""
Shares = dict[RunPath, float]
"""Run → its share in the prediction of a task; they sum to 1."""


def members(config: Config, choices: Mapping[str, Choice], seeds: Seeds, root: Path = Path()) -> dict[str, Shares]:
    """Task → the runs that answer it.

    Args:
        config: the whole configuration.
        choices: task → its model, for all seeds.
        seeds: `best` takes for each model the seed with the best mean validation metric over the tasks that it answers,
            each metric relative to its mean over the seeds; `ensemble` all of them; a number that seed.
        root: folder of the project.

    Raises:
        UserError: a run is missing, or the seed is none of the configuration's.
    """
    if isinstance(seeds, int) and seeds not in config.base.seeds:
        told = ", ".join(map(str, config.base.seeds))
        raise UserError(f"--seeds should be best, ensemble or one of {told} (base.seeds), found {seeds}.")
    models = {task: _models(choice, task, config, root) for task, choice in choices.items()}
    answers: dict[RunPath, list[str]] = {}
    for task, shares in models.items():
        for model in shares:
            answers.setdefault(model, []).append(task)
    chosen = {model: _seeds(model, tasks, config, seeds, root) for model, tasks in answers.items()}
    answered = {}
    for task, shares in models.items():
        parts: Shares = {}
        for model, share in shares.items():
            for seed in chosen[model]:
                parts[replace(model, seed=seed)] = share / len(chosen[model])
        answered[task] = _each_once(parts, root)
    return answered


def _models(choice: Choice, task: str, config: Config, root: Path) -> Shares:
    """The models of a task, at the first seed."""
    seed = config.base.seeds[0]
    match choice.how:
        case "joint":
            return {RunPath("finetune", choice.name, None, seed): 1.0}
        case "single-task":
            return {RunPath("baseline", task, choice.name, seed): 1.0}
        case "simple":
            return {RunPath("simple", task, None, seed): 1.0}
        case "cluster":
            serving = Serving.read(root / MODELS, "mtl repro specialise")
            shares = next(c.serve[task] for c in serving.candidates if c.name == choice.name)
            start = config.finetune.methods[str(config.cluster.source)].label
            return {
                RunPath("baseline", task, start, seed)
                if name.startswith(BASELINE)
                else RunPath("specialise", name, None, seed): share
                for name, share in shares.items()
            }


def _seeds(model: RunPath, tasks: Sequence[str], config: Config, seeds: Seeds, root: Path) -> list[int]:
    every = config.base.seeds
    if seeds == "ensemble":
        return list(every)
    if seeds != "best":
        return [seeds]
    runs = [read_run(replace(model, seed=seed), root) for seed in every]
    gains = [0.0] * len(every)
    for task in tasks:
        metric = config.tasks[task].primary_metric
        values = [run.value(task, metric, "val") for run in runs]
        mean = sum(values) / len(values)
        sign = -1 if METRICS[metric].lower_is_better else 1
        for number, value in enumerate(values):
            gains[number] += sign * (value - mean) / (abs(mean) or 1.0)
    return [every[gains.index(max(gains))]]  # the first of equal ones


def _each_once(parts: Shares, root: Path) -> Shares:
    """Runs of equal weights count once: simple models of seeds with the same samples are one model."""
    kept: Shares = {}
    first: dict[str, RunPath] = {}
    for path, share in parts.items():
        weights = SavedModel.of_folder(root / path.folder, f"mtl repro {path.target}").weights
        same = first.setdefault(weights, path) if path.stage == "simple" else path
        kept[same] = kept.get(same, 0.0) + share
    return kept


def runs_of(
    config: Config, answers: Mapping[str, Shares], root: Path, extent: Extent
) -> Iterator[tuple[TaskSet, Recipe]]:
    """Every run that takes part, with the data of its seed, seed after seed."""
    paths = list(dict.fromkeys(path for shares in answers.values() for path in shares))
    for seed in dict.fromkeys(path.seed for path in paths):
        data, _ = load_tasks(config, seed, root, extent)
        for path in paths:
            if path.seed == seed:
                yield data, recipe_of(config, path, root)


def recipe_of(config: Config, path: RunPath, root: Path = Path()) -> Recipe:
    """The recipe of a run by its place."""
    name = str(path.name)
    match path.stage:
        case "finetune":
            return joint(config, name, path.seed)
        case "baseline":
            start = next(start for start in config.baseline.starts if start.label == path.start)
            return single_task(config, name, start, path.seed)
        case "simple":
            return simple(config, name, path.seed)
        case "specialise":
            plan = planned(config, root)
            assert plan is not None, "there are models of groups"
            return model_recipe(config, plan, name, path.seed)
        case "pretrain":
            raise AssertionError("a pretraining predicts no task")
