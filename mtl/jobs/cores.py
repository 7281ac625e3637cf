"""Number of processes that this machine has room for."""

import os

from mtl.config import BaseConfig


def workers(base: BaseConfig) -> int:
    """Number of processes side by side: `base.jobs`, or as many as the cores have room for."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // base.threads) if base.jobs == "auto" else base.jobs
