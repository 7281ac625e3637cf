"""A finished model as a folder of MLflow, which holds the code of mtl, so that the packages it names are enough."""

import shutil
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from mtl.errors import UserError
from mtl.files import whole_folder
from mtl.serving.export.check import BATCHES
from mtl.serving.export.describe import name_of
from mtl.serving.model import Model
from mtl.serving.service import Service
from mtl.tracking.flavour import OF_TEXTS, Flavour, load_flavour, save_flavour
from mtl.version import __version__

CODE = Path("serving/model_code.py")
LEFT_OUT = ("__pycache__", "cli", "stages", "project", "report", "jobs")
"""Rooms of mtl that no model needs."""


def write_mlflow(model: Model, folder: Path, out: Path, tasks: Sequence[str] | None) -> Service:
    """Writes the folder, after MLflow has loaded it and it has answered as the model does.

    Args:
        model: finished.
        folder: that it was loaded from.
        out: the folder of MLflow; one that is there must be empty.
        tasks: which are answered; None: all.

    Raises:
        UserError: it cannot be written, or would be wrong; nothing is left.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"-o {out}: should be a folder that is not there yet, found one with files in it.")
    service = Service(model, tasks)
    with flavour_of(service, folder) as flavour, whole_folder(out) as fresh:
        made = fresh / "model"
        save_flavour(made, flavour)
        _check(service, made)
        for file in made.iterdir():
            file.rename(fresh / file.name)
        made.rmdir()
    return service


@contextmanager
def flavour_of(service: Service, folder: Path) -> Iterator[Flavour]:
    """The facts that MLflow is told, while the code that travels with the model lies in a temporary folder.

    Raises:
        UserError: the model needs code of the user's own.
    """
    own = [member.network.saved.code for task in service.tasks for member in service.model.members_of(task)]
    targets = dict.fromkeys(code.target for code in own if code is not None)
    if targets:
        raise UserError(
            f"the network is built by code of its own ({', '.join(targets)}), which a folder of MLflow would not hold: "
            "export it with `--to onnx` or `--to torch`, which need no code, or name other tasks by --tasks."
        )
    pictures = [column.name for column in service.columns if column.kind == "image"] if service.tabular else []
    if pictures:
        raise UserError(
            f"the column {pictures[0]!r} holds images, for which a folder of MLflow has no type beside other columns: "
            "serve the model with `mtl serve`, or export it with `--to onnx` or `--to torch` where it reads no texts."
        )
    here = Path(__file__).parents[2]
    example = service.example()
    with tempfile.TemporaryDirectory() as temporary:
        package = Path(temporary) / here.name
        shutil.copytree(here, package, ignore=shutil.ignore_patterns(*LEFT_OUT))
        yield Flavour(
            code=here / CODE,
            package=package,
            folder=folder,
            tasks=service.tasks,
            columns=[(column.name, column.kind, column.may_lack) for column in service.columns]
            if service.tabular
            else None,
            array=None if service.tabular else (service.dtype, service.shape),
            example=example,
            answers=service.predict(example),
            packages=OF_TEXTS if service.tabular and any(column.kind == "words" for column in service.columns) else (),
            metadata={"mtl": __version__, "model": name_of(service.model), "tasks": service.tasks},
        )


def _check(service: Service, made: Path) -> None:
    """Raises a UserError unless the model that MLflow loads gives the same answers."""
    loaded, drawer = load_flavour(made), torch.Generator().manual_seed(0)
    for count in BATCHES:
        samples = service.draw(count, drawer)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # some categories are unknown on purpose
            right, got = service.predict(samples), loaded.predict(samples)
        if not right.equals(got):
            raise UserError(
                f"the export is wrong and was not written: loaded by MLflow, it answers {count} samples otherwise than "
                "the model does. Export it with `--to onnx` or `--to torch`."
            )
