"""Seeds, devices, threads and determinism: everything that decides whether two runs give the same bits."""

import hashlib
import os

import torch

from mtl.errors import ConfigError


def stable_seed(*parts: object) -> int:
    """A 63-bit seed from any printable parts, the same in every process (unlike `hash`)."""
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(*parts: object) -> torch.Generator:
    """A CPU generator of its own for one purpose, seeded by `stable_seed(*parts)`."""
    return torch.Generator().manual_seed(stable_seed(*parts))


def resolve_device(device: str) -> torch.device:
    """`auto` takes a GPU when there is one.

    Raises:
        ConfigError: `cuda` was asked for and there is none.
    """
    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise ConfigError("`base.device` should be auto or cpu on a machine without a GPU, found 'cuda'.")
    return torch.device("cuda" if available and device != "cpu" else "cpu")


def make_deterministic(seed: int, threads: int) -> None:
    """Seeds torch's global generator (dropout), fixes the thread count and asks for deterministic kernels."""
    # cuBLAS refuses deterministic mode without it, and reads it when it first computes.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    # By default this mode also fills all memory before a kernel writes it: 4 % of a step, and no result changes.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # torch adds it at run time
    torch.backends.cudnn.benchmark = False
    torch.manual_seed(seed)
