"""A finished model in a file of another runtime, and what it takes and gives beside it; both or neither."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch

from mtl.errors import UserError
from mtl.files import replaced, write_json
from mtl.serving.export.check import TOLERANCE
from mtl.serving.export.describe import Json, describe
from mtl.serving.export.graph import graph_of
from mtl.serving.export.onnx_file import ML_OPSET, OPSET, check_packages, onnx_bytes
from mtl.serving.export.program import program_bytes
from mtl.serving.model import Model

ENDINGS = {"onnx": ".onnx", "torch": ".pt2"}


def write_file(model: Model, form: Literal["onnx", "torch"], out: Path, tasks: Sequence[str] | None) -> Json:
    """Writes the file and OUT.json, and returns the content of this.

    Args:
        model: finished.
        form: of the file.
        out: the file.
        tasks: which are answered; None: all.

    Raises:
        UserError: the model cannot be exported, the file would be wrong, or cannot be written; nothing is left.
    """
    ending = ENDINGS[form]
    if out.suffix.lower() != ending:
        raise UserError(f"-o should end in {ending}, found {out.name!r}.")
    if out.is_dir() or not out.absolute().parent.is_dir():
        what = "a folder of this name" if out.is_dir() else f"no folder {out.parent}"
        raise UserError(f"-o {out}: should be a file in a folder that is there, found {what}.")
    if form == "onnx":
        check_packages()
    graph = graph_of(model, tasks)
    if form == "onnx":
        content, error = onnx_bytes(model, graph)
        facts: Json = {"name": "ONNX", "opset": OPSET, "opset_ai_onnx_ml": ML_OPSET, "tolerance": TOLERANCE}
    else:
        content, error = program_bytes(model, graph)
        version = torch.__version__.partition("+")[0]
        facts = {"name": "torch.export", "torch": version, "tolerance": TOLERANCE, "sample_inputs": False}
    told = describe(model, graph, facts, texts=form == "onnx", error=error)
    try:
        with replaced(out) as fresh:
            fresh.write_bytes(content)
            write_json(beside(out), told, ascii_only=False)
    except OSError as problem:
        raise UserError(f"{out} cannot be written: {problem.strerror or problem}.") from problem
    return told


def beside(out: Path) -> Path:
    """The JSON beside a file."""
    return out.with_name(f"{out.name}.json")
