"""Weights on disk: safetensors, nothing that could run code when it is read."""

from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor


def write_weights(path: Path, weights: dict[str, Tensor]) -> None:
    """Writes a state dict; without metadata, so that its bytes depend on the weights alone."""
    save_file({name: tensor.detach().cpu().contiguous().clone() for name, tensor in weights.items()}, path)
