"""`mtl export`: a deployed model or a run in the format of another runtime."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from mtl.cli.predict import only_model
from mtl.errors import UserError
from mtl.serving.export.describe import name_of
from mtl.serving.export.mlflow_folder import write_mlflow
from mtl.serving.export.write import ENDINGS, beside, write_file
from mtl.serving.load import load_model

FORMATS = ("onnx", "torch", "mlflow")


@dataclass(frozen=True)
class Wish:
    """An export as it is asked for.

    Args:
        form: `onnx`, `torch` or `mlflow`.
        model: folder of the model; None: the only one below models/.
        out: None: the model's name in the current folder.
        tasks: which are answered; None: all.
    """

    form: str
    model: Path | None = None
    out: Path | None = None
    tasks: list[str] | None = None


def export(wish: Wish, root: Path = Path()) -> Path:
    """Writes the export, and says what it takes and how it was checked.

    Raises:
        UserError: there is no model, it has no such form, or the export would be wrong.
    """
    if wish.form not in FORMATS:
        raise UserError(f"--to should be one of {', '.join(FORMATS)}, found {wish.form!r}.")
    torch.set_num_threads(1)
    folder = only_model(root) if wish.model is None else wish.model
    model = load_model(folder)
    if wish.form == "mlflow":
        out = wish.out or Path(f"{name_of(model)}-mlflow")
        service = write_mlflow(model, folder, out, wish.tasks)
        print(
            f"{out}: {', '.join(service.tasks)}; `mlflow.pyfunc.load_model` loads it, and it answers as the model does"
        )
        return out
    form: Literal["onnx", "torch"] = "onnx" if wish.form == "onnx" else "torch"
    out = wish.out or Path(f"{name_of(model)}{ENDINGS[form]}")
    told = write_file(model, form, out, wish.tasks)
    checked = told["checked"]
    sizes = ", ".join(map(str, checked["samples_at_once"]))
    print(f"{out}: {', '.join(told['outputs'])}")
    print(f"inputs and outputs: {beside(out)}")
    print(
        f"checked against the model at {sizes} samples at once: largest relative error {checked['largest_error']:.1g}"
    )
    return out
