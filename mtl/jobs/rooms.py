"""Where runs are made: in processes of this machine, or on the workers of the scheduler that `mtl repro` was given."""

import os
from pathlib import Path

from mtl.config import BaseConfig
from mtl.jobs import local
from mtl.jobs.local import Job
from mtl.jobs.scheduler import SCHEDULER


def run_jobs(jobs: list[Job], base: BaseConfig) -> list[Path]:
    """Runs all jobs of a stage where the user wants them, and returns their folders in the order of `jobs`.

    Args:
        jobs: the runs; each says what it reads.
        base: how many processes, and on which device.

    Raises:
        UserError: a run failed, or the scheduler or its workers cannot do them.
    """
    scheduler = os.environ.get(SCHEDULER)
    if not scheduler:
        return local.run_jobs(jobs, base)
    from mtl.jobs import cluster  # Dask takes half a second.

    return cluster.run_jobs(jobs, base, scheduler)
