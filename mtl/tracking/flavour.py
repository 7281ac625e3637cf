"""Models in the form of MLflow: from code, without pickle, with signature, example and pinned packages."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtl.tracking.quiet import silent

MODEL_FOLDER, TASKS = "model", "tasks"
"""Name of the artefact that holds the networks, and of the setting that names the tasks."""
PACKAGES = (
    "mlflow", "torch", "numpy", "pandas", "pyarrow", "scipy", "pydantic", "PyYAML", "ruamel.yaml", "safetensors",
    "jaxtyping",
)  # fmt: skip
"""Packages that a model needs where it is loaded; the code of mtl lies in it."""
OF_TEXTS = ("tokenizers", "scikit-learn")
"""Packages that a model of texts needs besides."""
TYPES = {"number": "double", "text": "string", "date": "datetime", "words": "string"}


@dataclass(frozen=True)
class Flavour:
    """Facts that MLflow is told of a model.

    Args:
        code: file that it runs to load the model.
        package: folder of mtl, which travels with the model.
        folder: of the deployed model.
        tasks: that are answered.
        columns: (name, kind, may be missing) of a row; None where samples are arrays.
        array: type and shape of such samples.
        example: samples.
        answers: to the example.
        metadata: plain facts.
        packages: that it needs besides `PACKAGES`.
    """

    code: Path
    package: Path
    folder: Path
    tasks: Sequence[str]
    columns: Sequence[tuple[str, str, bool]] | None
    array: tuple[np.dtype[Any], tuple[int, ...]] | None
    example: pd.DataFrame | np.ndarray
    answers: pd.DataFrame
    metadata: dict[str, Any]
    packages: tuple[str, ...] = ()


def requirements(more: Sequence[str] = ()) -> list[str]:
    """The packages and some more, pinned to the versions that are installed here, without marks of a build."""
    return [f"{name}=={version(name).partition('+')[0]}" for name in (*PACKAGES, *more)]


def save_flavour(folder: Path, flavour: Flavour) -> None:
    """Writes the model to a folder that is not there yet."""
    from mlflow import pyfunc

    with quiet():
        pyfunc.save_model(path=str(folder), **arguments(flavour))
    _forget_this_machine(folder)


def _forget_this_machine(folder: Path) -> None:
    """Takes the places where the model was made out of its description; only their names are read."""
    from mlflow.models import Model
    from mlflow.models.model import MLMODEL_FILE_NAME

    made = Model.load(str(folder))
    facts = made.flavors["python_function"]
    facts["model_code_path"] = Path(facts["model_code_path"]).name
    for artefact in facts["artifacts"].values():
        artefact["uri"] = artefact["path"]
    made.save(str(folder / MLMODEL_FILE_NAME))


def load_flavour(folder: Path) -> Any:
    """A model as MLflow loads it."""
    from mlflow import pyfunc

    with quiet():
        return pyfunc.load_model(str(folder))


def arguments(flavour: Flavour) -> dict[str, Any]:
    """Arguments of MLflow's functions that save or log a model."""
    return {
        "python_model": str(flavour.code),
        "artifacts": {MODEL_FOLDER: str(flavour.folder)},
        "code_paths": [str(flavour.package)],
        "model_config": {TASKS: list(flavour.tasks)},
        "signature": signature(flavour),
        "input_example": flavour.example,
        "pip_requirements": requirements(flavour.packages),
        "metadata": flavour.metadata,
    }


def signature(flavour: Flavour) -> Any:
    """Inputs and outputs of the model."""
    from mlflow.models import ModelSignature, infer_signature
    from mlflow.types import ColSpec, Schema, TensorSpec

    if flavour.columns is not None:
        inputs = Schema([ColSpec(TYPES[kind], name) for name, kind, _ in flavour.columns])
    else:
        assert flavour.array is not None
        dtype, shape = flavour.array
        inputs = Schema([TensorSpec(dtype, (-1, *shape))])
    return ModelSignature(inputs=inputs, outputs=infer_signature(flavour.answers, flavour.answers).outputs)


@contextmanager
def quiet() -> Iterator[None]:
    """Silence about what MLflow would rather have guessed, and no news sent."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    with silent("mlflow"):
        yield
