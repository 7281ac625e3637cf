"""The networks of runs: freshly built, and loaded again from the folder of a finished run."""

from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from mtl.data.loading.tasks import TaskSet
from mtl.errors import UserError
from mtl.experiment.recipe import Recipe
from mtl.models.build import MultiTaskModel, build_model
from mtl.tasks.base import TaskSpec
from mtl.training.measure import predict
from mtl.types import Split


@dataclass(frozen=True)
class SavedNetwork:
    """The finished network of a run, on the CPU, with the tasks that it serves."""

    model: MultiTaskModel
    specs: dict[str, TaskSpec]

    def predict(self, data: TaskSet, split: Split) -> dict[str, tuple[Tensor, Tensor]]:
        """Task → (predictions, targets) over the samples of a split that have a target, in order."""
        return predict(self.model, data.select(list(self.specs), split))


def build_network(recipe: Recipe, data: TaskSet) -> MultiTaskModel:
    """The network of a run with its first weights, on the CPU, in train mode.

    Raises:
        UserError: a task's samples do not fit the encoder, or the encoder cannot be shared as asked.
    """
    specs = [data.specs[name] for name in recipe.tasks]
    return build_model(recipe.encoder, specs, recipe.seed, recipe.method.sharing)


def saved_weights(recipe: Recipe, root: Path) -> Path:
    """The file that holds the weights of a finished run.

    Raises:
        UserError: it is not there; says which stage writes it.
    """
    where = recipe.where
    path = root / where.folder / "weights.safetensors"
    if not path.exists():
        stage = where.stage if where.stage == "specialise" else f"{where.stage}@{where.name}"
        raise UserError(f"{path.relative_to(root)} is missing; run `dvc repro {stage}`.")
    return path


def load_network(recipe: Recipe, data: TaskSet, root: Path) -> SavedNetwork:
    """The network of a finished run, with its weights.

    Args:
        recipe: of the run.
        data: every configured task, for the seed of the run.
        root: folder of the project; results are read below it.

    Raises:
        UserError: the run is not finished.
    """
    model = build_network(recipe, data)
    model.load_state_dict(load_file(saved_weights(recipe, root)))
    return SavedNetwork(model, {name: data.specs[name] for name in recipe.tasks})
