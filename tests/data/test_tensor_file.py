"""Tensors on disk: the bytes of the library, whatever their layout in memory."""

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save
from torch import Tensor

from mtl.data.loading import tensor_file
from mtl.data.loading.tensor_file import write_tensors

BASE = torch.arange(60, dtype=torch.float64).reshape(12, 5)


@pytest.mark.parametrize("piece", [1, 100, 1 << 24], ids=["rows", "some rows", "at once"])
@pytest.mark.parametrize(
    "tensors",
    [
        {"values": BASE, "fold": torch.arange(12), "labels.good": torch.arange(12), "categories": BASE[:, :2].int()},
        {"values": BASE.T.contiguous().T, "again": BASE[:, 1], "one": BASE[:, 3:4], "other": BASE[3:9, 1:3]},
        {'labels.Größe 1"\\\n\x1f': torch.arange(3), "mask": BASE > 7, "small": BASE.half(), "none": BASE[:0]},
        {
            "images": torch.arange(48, dtype=torch.uint8).reshape(2, 3, 8),
            "scalar": torch.tensor(2.0),
            "b": BASE.bfloat16(),
        },
    ],
    ids=["a table", "views", "names and types", "shapes"],
)
def test_the_bytes_are_those_of_the_library(
    tensors: dict[str, Tensor], piece: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensor_file, "PIECE", piece)
    digest = write_tensors(tmp_path / "t", tensors)
    assert (tmp_path / "t").read_bytes() == save(
        {name: tensor.clone().contiguous() for name, tensor in tensors.items()}
    )
    assert digest == hashlib.sha256((tmp_path / "t").read_bytes()).hexdigest()
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in load_file(tmp_path / "t").items())
