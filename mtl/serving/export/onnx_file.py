"""A finished model as an ONNX file, with names of categories and classes inside."""

import importlib
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mtl.data.inputs.traced import CATEGORIES, Asked
from mtl.errors import UserError
from mtl.serving.export.check import check
from mtl.serving.export.graph import SEPARATOR, Given, Graph
from mtl.serving.export.program import program_of
from mtl.serving.model import Model
from mtl.tasks.traced import VALUE
from mtl.tracking.quiet import silent

OPSET, ML_OPSET = 20, 3
"""Versions of ONNX's operators, and of those for texts (ai.onnx.ml)."""
CODES, NUMBER = f"{CATEGORIES}{SEPARATOR}codes", f"{SEPARATOR}number"
PACKAGES = ("onnx", "onnxscript", "onnxruntime")
MOST_BYTES = (1 << 31) - 1


def check_packages() -> None:
    """Checks that the optional packages are there.

    Raises:
        UserError: one is not.
    """
    for name in PACKAGES:
        try:
            importlib.import_module(name)
        except ImportError:
            raise UserError(
                f"`--to onnx` needs the package {name}, which is not there: install the extra `export`, as with "
                "`pip install 'mtl[export]'`."
            ) from None


def onnx_bytes(model: Model, graph: Graph) -> tuple[bytes, float]:
    """Content of an .onnx, and the largest error of it in onnxruntime.

    Raises:
        UserError: a package is missing, the model cannot be exported, is too large, or the file would be wrong.
    """
    check_packages()
    import onnx
    import onnxruntime

    program = program_of(graph)
    inside = [CODES if asked.names else name for name, asked in graph.asked.items()]
    outside = [given.name + (NUMBER if _is_class(given) else "") for given in graph.given]
    with silent("torch.onnx"):  # of packages of other fields that are not installed, and of what it does inside
        try:
            exported = torch.onnx.export(
                program, dynamo=True, verbose=False, opset_version=OPSET, input_names=inside, output_names=outside,
                external_data=False,
            )  # fmt: skip
        except torch.onnx.errors.OnnxExporterError as error:
            told = str(error).strip().partition("\n")[0]
            raise UserError(
                f"the network has no form in ONNX ({told}): export it with `--to torch` or `--to mlflow`."
            ) from None
    assert exported is not None
    proto = exported.model_proto
    _tidy(proto)
    if proto.ByteSize() > MOST_BYTES:
        raise UserError("the network is larger than the 2 GB of one ONNX file: export it with `--to torch`.")
    for asked in graph.asked.values():
        if asked.names:
            _read_texts(proto, asked)
    for given in graph.given:
        if _is_class(given):
            _give_texts(proto, given)
    order = [given.name for given in graph.given]
    outputs = {output.name: output for output in proto.graph.output}
    del proto.graph.output[:]
    proto.graph.output.extend(outputs[name] for name in order)
    onnx.checker.check_model(proto, full_check=True)
    content: bytes = proto.SerializeToString(deterministic=True)
    session = onnxruntime.InferenceSession(content, _one_thread(onnxruntime), providers=["CPUExecutionProvider"])

    def run(samples: dict[str, Tensor]) -> list[np.ndarray]:
        feeds = {
            name: asked.texts(samples[name]) if asked.names else samples[name].numpy()
            for name, asked in graph.asked.items()
        }
        results: list[np.ndarray] = session.run(order, feeds)
        return results

    return content, check(model, graph, run, "onnxruntime")


def _is_class(given: Given) -> bool:
    return given.classes is not None and given.part == VALUE


def _one_thread(onnxruntime: Any) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return options


def _tidy(proto: Any) -> None:
    """Takes out what names the machine and its folders."""
    proto.doc_string = ""
    del proto.metadata_props[:]
    for part in (proto.graph, *proto.graph.node, *proto.graph.initializer, *proto.graph.value_info, *proto.functions):
        part.doc_string = ""
        del part.metadata_props[:]
    for function in proto.functions:
        for node in function.node:
            node.doc_string = ""
            del node.metadata_props[:]


def _read_texts(proto: Any, asked: Asked) -> None:
    """Puts in front what turns names of categories [n, G] into their codes."""
    from onnx import TensorProto, helper

    graph, nodes, columns = proto.graph, [], []
    for place, names in enumerate(asked.names):
        at, text, code = (f"{CATEGORIES}{SEPARATOR}{part}{place}" for part in ("place", "text", "code"))
        graph.initializer.append(helper.make_tensor(at, TensorProto.INT64, [1], [place]))
        nodes.append(helper.make_node("Gather", [CATEGORIES, at], [text], axis=1))
        nodes.append(helper.make_node(
            "LabelEncoder", [text], [code], domain="ai.onnx.ml", keys_strings=["", *names],
            values_int64s=[1, *range(2, 2 + len(names))], default_int64=0,
        ))  # fmt: skip
        columns.append(code)
    nodes.append(helper.make_node("Concat", columns, [CODES], axis=1))
    for number, node in enumerate(nodes):
        graph.node.insert(number, node)
    kept = [
        helper.make_tensor_value_info(CATEGORIES, TensorProto.STRING, ["n", len(asked.names)])
        if given.name == CODES
        else given
        for given in graph.input
    ]
    del graph.input[:]
    graph.input.extend(kept)
    _with_texts(proto)


def _give_texts(proto: Any, given: Given) -> None:
    """Puts behind what turns numbers of classes, [n] or [n, L], into their names."""
    from onnx import TensorProto, helper

    assert given.classes is not None
    proto.graph.node.append(helper.make_node(
        "LabelEncoder", [given.name + NUMBER], [given.name], domain="ai.onnx.ml",
        keys_int64s=list(range(len(given.classes))), values_strings=given.classes, default_string="",
    ))  # fmt: skip
    proto.graph.output.append(helper.make_tensor_value_info(given.name, TensorProto.STRING, list(given.shape)))
    _with_texts(proto)


def _with_texts(proto: Any) -> None:
    from onnx import helper

    if not any(opset.domain == "ai.onnx.ml" for opset in proto.opset_import):
        proto.opset_import.append(helper.make_opsetid("ai.onnx.ml", ML_OPSET))
