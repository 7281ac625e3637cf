"""Stage `baseline@task`: the task trained alone (STL), for every start and seed."""

import sys

from mtl import tracking
from mtl.errors import UserError
from mtl.experiment import run_baseline
from mtl.paths import RunPath
from stages.common import stage
from stages.parallel import Job, run_jobs

SECTIONS = ("base", "tasks", "encoder", "train", "pretrain", "baseline")


def main(task: str) -> None:
    """Writes outputs/baseline/<task>/<start>/seed-S/."""
    with stage(SECTIONS) as config:
        if task not in config.tasks:
            raise UserError(f"`baseline` should be run for one of {', '.join(config.tasks)}, found {task!r}.")
        jobs = [
            Job(
                f"stl / {task} / {start.label} / seed {seed}",
                RunPath("baseline", task, start.label, seed),
                run_baseline,
                (config, task, start, seed),
            )
            for start in config.baseline.starts
            for seed in config.base.seeds
        ]
        tracking.publish_stage("baseline", run_jobs(jobs, config.base))


if __name__ == "__main__":
    main(sys.argv[1])
