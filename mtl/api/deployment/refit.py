"""A deployment of runs that are made again from more data: the settings that the verdicts recommend, without holding
back a validation part, or without a test part as well."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from mtl.api.deployment.deploy import DEPLOYED, Answers, Wish, chosen, described, finished, name_of
from mtl.api.deployment.members import members, recipe_of
from mtl.config import PARAMS, BaseConfig, load_config
from mtl.config.common import Extent
from mtl.experiment.again import made_again, made_again_first
from mtl.experiment.recipe import SIMPLE, Recipe
from mtl.experiment.runs import run
from mtl.experiment.simple_again import run_simple_again
from mtl.jobs.local import Job
from mtl.paths import VERDICTS, RunPath
from mtl.results.deployment import Deployment
from mtl.results.verdicts import Verdicts

WORK = Path(".mtl/refit")
"""NAME/: runs that are made again, with their states; below each of them as below the folder of a project."""
EXTENTS: tuple[Extent, ...] = tuple(extent for extent in get_args(Extent) if extent != "train")
ENDINGS: dict[Extent, str] = {"train+val": "-refit", "all": "-refit-all"}
Work = Callable[[list[Job], BaseConfig, Path], object]
"""Does jobs; given the settings of processes, and the folder below which states stand."""


@dataclass(frozen=True)
class Refit:
    """A refit as it is asked for.

    Args:
        wish: methods, seeds, tasks and name, as of `mtl deploy`; without a name the folder is METHOD-refit, of
            everything METHOD-refit-all.
        extent: parts that are trained on.
    """

    wish: Wish = field(default_factory=Wish)
    extent: Extent = "train+val"


def refit(asked: Refit, work: Work, root: Path = Path()) -> tuple[Path, Deployment]:
    """Trains the runs that a deployment would take once more, and writes models/NAME of them.

    Runs that were begun are gone on with; their folder below .mtl/refit goes when the deployment stands.

    Args:
        asked: the refit.
        work: does the runs.
        root: folder of the project.

    Returns:
        Place of the folder, relative to the project, and its content.

    Raises:
        UserError: nothing was evaluated yet, a run is missing or is not that of the present settings, or there is no
            such method, seed or task.
    """
    wish, extent = asked.wish, asked.extent
    name = name_of(wish, ENDINGS[extent])
    config = load_config(root / PARAMS)
    verdicts = Verdicts.read(root / VERDICTS)
    choices = chosen(wish, config, verdicts)
    shares = members(config, choices, wish.seeds, root)
    paths = list(dict.fromkeys(path for parts in shares.values() for path in parts))
    recipes = [made_again(recipe_of(config, path, root), extent, root) for path in paths]
    first = {alone.where: alone for recipe in recipes for alone in made_again_first(recipe, root)}
    made = root / WORK / name
    for several in (list(first.values()), [recipe for recipe in recipes if recipe.where not in first]):
        if several:
            work([_job(recipe, root, made) for recipe in several], config.base, made)
    answers = Answers(choices, shares, extent, made)
    deployment, folders = described(wish, name, config, verdicts, answers, root)
    deployment = finished(config, name, deployment, folders, root)
    shutil.rmtree(made, ignore_errors=True)
    return DEPLOYED / name, deployment


def one_after_another(jobs: list[Job], base: BaseConfig, root: Path) -> None:
    """Does jobs in this process."""
    for job in jobs:
        job.work(*job.arguments)


def _job(recipe: Recipe, root: Path, made: Path) -> Job:
    assert recipe.again is not None
    where: RunPath = recipe.where
    epochs = sum(recipe.again.epochs)
    label = f"{' / '.join(where.folder.parts[1:-1])} / seed {where.seed} on {recipe.again.extent}"
    label += "" if where.stage == SIMPLE else f", {epochs} epoch{'s' * (epochs != 1)}"
    return Job(label, where, again_in, (recipe, root, made))


def again_in(
    recipe: Recipe, root: Path, made: Path, tell: Callable[[int, int], None] = lambda done, total: None
) -> Path:
    """Makes a run below a folder of its own; returns its folder. Arguments as of `mtl.experiment.runs.run`."""
    if recipe.where.stage == SIMPLE:
        return run_simple_again(recipe, root, tell, made)
    return run(recipe, root, tell, made)
