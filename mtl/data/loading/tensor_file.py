"""Tensors in the format of safetensors, written a piece at a time: the library makes copies of all in memory."""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

PIECE = 1 << 24
"""Bytes that are written at a time, about."""
HEAD = 8
"""Bytes of the length of the header, and the multiple of bytes that it is filled up to with blanks."""


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> str:
    """Writes the bytes that `safetensors.torch.save` would return, and returns their sha256.

    Args:
        path: of the new file.
        tensors: by name; of any layout in memory, and they may share it.
    """
    layout = _layout(tensors)
    text = json.dumps(layout, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % HEAD)
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for piece in (len(text).to_bytes(HEAD, "little"), text):
            digest.update(piece)
            file.write(piece)
        for name in layout:
            for rows in _pieces(tensors[name].detach()):
                digest.update(rows)
                file.write(rows)
    return digest.hexdigest()


def _layout(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Any]]:
    """Header: type, shape and place of each tensor, in the order in which the library lays them out."""
    small = save({name: torch.zeros(1, dtype=tensor.dtype) for name, tensor in tensors.items()})
    length = int.from_bytes(small[:HEAD], "little")
    named: dict[str, dict[str, Any]] = json.loads(small[HEAD : HEAD + length])
    layout, end = {}, 0
    for name in sorted(named, key=lambda name: named[name]["data_offsets"][0]):
        begin, end = end, end + tensors[name].numel() * tensors[name].element_size()
        layout[name] = {
            "dtype": named[name]["dtype"],
            "shape": list(tensors[name].shape),
            "data_offsets": [begin, end],
        }
    return layout


def _pieces(tensor: Tensor) -> Iterator[memoryview]:
    """Bytes of a tensor, row by row, some rows at a time."""
    if not tensor.numel():
        return
    tensor = tensor if tensor.dim() else tensor[None]
    rows = max(1, PIECE // (math.prod(tensor.shape[1:]) * tensor.element_size()))
    for begin in range(0, len(tensor), rows):
        piece = tensor[begin : begin + rows].clone(memory_format=torch.contiguous_format)
        yield piece.reshape(-1).view(torch.uint8).numpy().data.cast("B")
