"""A process in which runs leave no trace: settings of torch as the caller had them, code of the project in use."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from mtl.plugins import project

CUBLAS = "CUBLAS_WORKSPACE_CONFIG"


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
    threads, kernels = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    only_warns, benchmark = torch.is_deterministic_algorithms_warn_only_enabled(), torch.backends.cudnn.benchmark
    filled = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]  # added at run time
    workspace = os.environ.get(CUBLAS)
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices):
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(kernels, warn_only=only_warns)
            torch.utils.deterministic.fill_uninitialized_memory = filled  # type: ignore[attr-defined]
            torch.backends.cudnn.benchmark = benchmark
            if workspace is None:
                os.environ.pop(CUBLAS, None)
