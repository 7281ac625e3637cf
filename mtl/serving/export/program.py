"""A finished model as a program of torch.export, which runs with torch alone."""

import io
import warnings

import numpy as np
import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram

from mtl.errors import UserError, one_line
from mtl.serving.export.check import check
from mtl.serving.export.graph import Graph
from mtl.serving.model import Model

TRACED = 3
"""Samples that are traced; a network must not remember how many."""


def program_of(graph: Graph) -> ExportedProgram:
    """The graph traced for any number of samples.

    Raises:
        UserError: it cannot be traced, as a network of a user's own code may not.
    """
    count = Dim("n", min=1)
    shapes = (tuple({0: count} for _ in graph.asked),)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            # Recurrent layers keep lists of their weights, which tracing fills and puts back.
            warnings.filterwarnings("ignore", "The tensor attributes .* were assigned during export", UserWarning)
            program = torch.export.export(graph, graph.arguments(TRACED), dynamic_shapes=shapes, strict=False)
    except Exception as error:  # whatever a network's own code does
        told = one_line(str(error).strip().partition("\n")[0])[:300]
        raise UserError(
            f"the network cannot be traced by torch.export for any number of samples ({type(error).__name__}: {told}): "
            "export it with `--to mlflow`, which holds it as it is, or name other tasks by --tasks."
        ) from None
    program.example_inputs = None  # they would be pickled
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # names folders of this machine
    return program


def program_bytes(model: Model, graph: Graph) -> tuple[bytes, float]:
    """Content of a .pt2, and the largest error of it.

    Raises:
        UserError: it cannot be made, or is wrong.
    """
    file = io.BytesIO()
    torch.export.save(program_of(graph), file)
    content = file.getvalue()
    loaded = torch.export.load(io.BytesIO(content)).module()

    def run(samples: dict[str, Tensor]) -> list[np.ndarray]:
        with torch.no_grad():
            return [output.numpy() for output in loaded(*(samples[name] for name in graph.asked))]

    return content, check(model, graph, run, "torch.export")
