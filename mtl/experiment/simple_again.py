"""Simple models made once more from more data, with the settings that validation data have chosen before.

A simple model has no epochs: penalty, rounds of trees and period take their place. Samples that chose them are then
samples like the others.
"""

from pathlib import Path

from mtl.errors import UserError
from mtl.experiment.execution import Tell, silent
from mtl.experiment.objects import load_tasks
from mtl.experiment.recipe import SIMPLE, Recipe
from mtl.experiment.saved import load_network
from mtl.experiment.simple import NO_EPOCHS, Kept, simple_identity, write_model
from mtl.experiment.states import held
from mtl.files import whole_folder
from mtl.models.kept_features import keeping
from mtl.models.simple.network import SimpleNetwork
from mtl.results.reading import HISTORY
from mtl.results.simple import SavedSimple
from mtl.seeding import make_deterministic, stable_seed
from mtl.simple.again import Before, fit_again


def run_simple_again(recipe: Recipe, root: Path, tell: Tell = silent, out: Path | None = None) -> Path:
    """Fits the simple model of a task to more data and writes its folder; returns it.

    Args:
        recipe: of the model, with the parts that it is fitted to.
        root: folder of the project, in which it was chosen.
        tell: told the progress.
        out: folder below which it is written; None: `root`.

    Raises:
        UserError: it was not fitted yet, its files cannot be used, or they cannot be written.
    """
    config, where, again, out = recipe.config, recipe.where, recipe.again, root if out is None else out
    assert again is not None
    (task,) = recipe.tasks
    before = load_network(recipe, root)
    if before.saved.simple is None or not isinstance(before.model, SimpleNetwork):
        raise UserError(
            f"{where.folder} should hold a simple model, found a network: run `mtl repro {where.target} --force`."
        )
    with held(where, out), keeping(root):
        make_deterministic(stable_seed(recipe.seed, SIMPLE), config.base.threads)
        data, _ = load_tasks(config, recipe.seed, root, again.extent)
        chosen = Before(before.saved.simple, before.model, lambda: load_tasks(config, recipe.seed, root)[0])
        network, fit = fit_again(config.simple, data, task, chosen, config.base.threads)
        with whole_folder(out / where.folder) as folder:
            NO_EPOCHS.write(folder / HISTORY)
            saved = SavedSimple(model=before.saved.simple.model, fit=fit)
            write_model(folder, recipe, data, Kept(network, saved, simple_identity(config, root)["data"]))
        tell(1, 1)
    return out / where.folder
