"""The way in: a folder that holds one finished model, or a deployment of several."""

from pathlib import Path

from mtl.results.deployment import DEPLOYMENT
from mtl.serving.deployed import load_deployed
from mtl.serving.model import LoadedModel, Model


def load_model(folder: Path) -> Model:
    """The model of a folder; as `mtl.load_model`, which is the way in."""
    return load_deployed(folder) if (folder / DEPLOYMENT).exists() else LoadedModel.of_folder(folder)
