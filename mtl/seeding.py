"""Seeds, devices, threads and determinism: everything that decides whether two runs give the same bits."""

import hashlib
import os
import sys

import torch

from mtl.errors import ConfigError

ENVIRONMENT = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8", "TORCHINDUCTOR_DETERMINISTIC": "1"}
"""Variables that cuBLAS and torch's compiler read when they are first used: they refuse, or are not, deterministic
otherwise."""
REFUSED = 2
"""Mode of torch in which operations without a deterministic kernel are errors."""


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
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    torch.set_num_threads(threads)
    set_determinism(REFUSED)
    # By default this mode also fills all memory before a kernel writes it: 4 % of a step, and no result changes.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # torch adds it at run time
    torch.backends.cudnn.benchmark = False
    torch.manual_seed(seed)


def set_determinism(mode: int) -> None:
    """Says what torch does with operations that have no deterministic kernel: 0 lets them be, 1 warns, 2 refuses.

    `torch.use_deterministic_algorithms` says so too, but it loads the compiler to tell it, which takes as long as
    loading torch. Here that is left to a compiler which is there already; one that comes later reads the environment.
    """
    torch.set_deterministic_debug_mode(mode)
    if "torch._inductor.config" in sys.modules:
        torch.use_deterministic_algorithms(mode > 0, warn_only=mode == 1)
