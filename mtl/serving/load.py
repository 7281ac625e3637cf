"""The way in: a folder that holds one finished model, or a deployment of several."""

from pathlib import Path

from mtl.errors import UserError
from mtl.results.deployment import DEPLOYMENT
from mtl.results.model import MODEL
from mtl.serving.deployed import load_deployed
from mtl.serving.model import LoadedModel, Model


def load_model(folder: Path) -> Model:
    """The model of a folder; as `mtl.load_model`, which is the way in.

    Raises:
        UserError: there is no such folder; names those beside it that hold a model.
    """
    if not folder.exists():
        files = (file for name in (DEPLOYMENT, MODEL) for file in folder.parent.glob(f"*/{name}"))
        beside = ", ".join(sorted({file.parent.as_posix() for file in files}))
        usual = "models/NAME, which `mtl deploy` makes, or outputs/finetune/NAME/seed-0"
        remedy = f"one of {beside}" if beside else usual
        raise UserError(f"there is no folder {folder}: the model should be {remedy}.")
    return load_deployed(folder) if (folder / DEPLOYMENT).exists() else LoadedModel.of_folder(folder)
