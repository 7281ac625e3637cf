"""Finished runs made once more from more data: for how long, and what is kept.

**How long.** A run is trained for as many epochs as its own validation part has chosen, seed by seed: with another
start and another order of samples another epoch was the best one, and of a mean over seeds no network was ever
validated. Of a run of several phases that holds for each. This is algorithm 7.2 of Goodfellow, Bengio and Courville,
*Deep Learning* (2016): all data, for as long as early stopping has found. An epoch is a pass as before, so more data
are more steps; the other reading, as many steps, would see each sample less often than what was validated.

**Learning rate, λ and balancing.** What was validated is the network of epoch e of a schedule over the whole budget E,
at the learning rate that it had there. So the schedule still spans E epochs and is left after epoch e: λ(t), curricula,
the times at which tasks start, and whatever a balancing method has learnt or remembers (weights of uncertainty, DWA's
last losses, GradNorm's first ones) go through the same course by epochs. A schedule pressed into e epochs would reach
learning rates that nobody has validated: of a run that was best at 30 % of `onecycle` it would go down to zero.

Everything that is fitted (z-scores, categories, quantiles, what encoders fit) is fitted anew to all that is trained on.
So are the regressions that tasks start from, with the penalty that the run's own validation part has chosen.
A pretrained start takes the weights of the pretraining that is there.

**Curricula of samples.** Samples are ordered by the losses of single-task networks of the same seed. Those of the
project have never seen the new samples, whose losses would be larger for that alone, so that they all came last. The
single-task networks are made again first, from the same samples, for their own epochs. Pacing goes by epochs as before.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mtl.config import WeightedMethod
from mtl.config.common import Extent
from mtl.errors import UserError
from mtl.experiment.easing import curriculum_models
from mtl.experiment.identity import run_identity
from mtl.experiment.objects import load_tasks
from mtl.experiment.recipe import SIMPLE, Again, Recipe
from mtl.experiment.reference import reference_of
from mtl.experiment.simple import simple_identity
from mtl.results.history import Epoch, History
from mtl.results.reading import read_history, read_run
from mtl.training.stopping import Selector


def made_again(recipe: Recipe, extent: Extent, root: Path = Path()) -> Recipe:
    """The recipe of a finished run that is to be trained on more.

    Args:
        recipe: of the run.
        extent: parts that are trained on.
        root: folder of the project, in which it is finished.

    Raises:
        UserError: it is not finished, or was made with other settings or data.
    """
    where = recipe.where
    run = read_run(where, root)
    simple = where.stage == SIMPLE
    if run.identity != (simple_identity(recipe.config, root) if simple else run_identity(recipe, root)):
        raise UserError(
            f"{where.folder} was made with other settings or data than there are now: run `mtl repro`, so that the "
            "choices of validation data are those of the present ones."
        )
    return replace(recipe, again=Again(extent, () if simple else chosen_epochs(recipe, root)))


def made_again_first(recipe: Recipe, root: Path = Path()) -> list[Recipe]:
    """The single-task runs that have to be made again before a run that is to be, which orders its samples by them.

    Raises:
        UserError: as of `made_again`.
    """
    if recipe.again is None:
        return []
    extent = recipe.again.extent
    return [made_again(alone, extent, root) for alone in curriculum_models(recipe).values()]


def chosen_epochs(recipe: Recipe, root: Path = Path()) -> tuple[int, ...]:
    """The epoch that validation data chose in each phase of a finished run; 0 is the network before its first step.

    Raises:
        UserError: it is not finished, or its history is not one of these settings.
    """
    history = read_history(recipe.where, root)
    if len(recipe.phases) == 1:
        return (history.best_epoch,)
    data, _ = load_tasks(recipe.config, recipe.seed, root)
    chosen = []
    for number, phase in enumerate(recipe.phases):
        method = phase.method
        lam = method.lam if isinstance(method, WeightedMethod) else None
        specs = [data.specs[name] for name in phase.tasks]
        selector = Selector(recipe.config.train.stopping, specs, lam, reference_of(recipe, phase, root))
        chosen.append(_replayed(selector, history, number, [e for e in history.epochs if e.phase == number + 1]))
    if chosen[-1] != history.best_epoch:
        raise UserError(
            f"{recipe.where.folder / 'history.json'} does not tell which epoch was chosen: run `mtl repro "
            f"{recipe.where.target} --force`."
        )
    return tuple(chosen)


def _replayed(selector: Selector, history: History, number: int, epochs: Sequence[Epoch]) -> int:
    """The choice of a phase, by the validation metrics that were noted; that of earlier phases is written nowhere."""
    start = history.starts[number] if number < len(history.starts) else None
    if start is not None:
        selector.update(0, start.val)
    for epoch in epochs:
        selector.update(epoch.epoch, epoch.val)
    return selector.best_epoch
