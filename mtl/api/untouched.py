"""A process in which runs leave no trace: settings of torch as the caller had them, code of the project in use."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from mtl.plugins import project
from mtl.seeding import ENVIRONMENT, set_determinism


@contextmanager
def at_home(root: Path) -> Iterator[None]:
    """Lets a project's own code be found while the block runs, and puts torch back as it was when it ends.

    Args:
        root: folder of the project.
    """
    with project(root), torch_as_it_was():
        yield


@contextmanager
def torch_as_it_was() -> Iterator[None]:
    """Puts back torch's random numbers, threads and choice of kernels when the block ends, however it ends."""
    threads, kernels = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    benchmark = torch.backends.cudnn.benchmark
    filled = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]  # added at run time
    missing = [name for name in ENVIRONMENT if name not in os.environ]
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices):
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            set_determinism(kernels)
            torch.utils.deterministic.fill_uninitialized_memory = filled  # type: ignore[attr-defined]
            torch.backends.cudnn.benchmark = benchmark
            for name in missing:
                os.environ.pop(name, None)
