"""Stage `baseline@task`: the task trained alone (STL), for every start and seed; nothing when `baseline.tasks` leaves
it out."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mtl.config import Config
from mtl.errors import UserError
from mtl.files import whole_folder, write_json
from mtl.paths import LEFT_OUT, RunPath, baseline_folder
from mtl.stages.common import stage

if TYPE_CHECKING:
    from mtl.jobs.local import Job

SECTIONS = ("base", "tasks", "encoder", "train", "pretrain", "baseline")


def main(task: str) -> None:
    """Writes outputs/baseline/<task>/<start>/seed-S/, or outputs/baseline/<task>/left_out.json."""
    with stage(SECTIONS) as config:
        if task not in config.tasks:
            raise UserError(f"`baseline` should be run for one of {', '.join(config.tasks)}, found {task!r}.")
        if leave_out(config, task):
            print(f"{task} is not among baseline.tasks: it is not trained alone.")
            return
        # Not before they are needed: a hundred tasks that are left out would import torch a hundred times.
        from mtl import tracking
        from mtl.jobs.local import run_jobs

        tracking.publish_stage("baseline", run_jobs(jobs(config, task), config.base))


def leave_out(config: Config, task: str, root: Path = Path()) -> bool:
    """Marks a task that is not trained alone; returns False for one that is.

    Args:
        config: the whole configuration.
        task: name of the task.
        root: folder of the project.
    """
    folder = root / baseline_folder(task)
    if task in config.baseline_tasks:
        (folder / LEFT_OUT).unlink(missing_ok=True)
        return False
    with whole_folder(folder) as fresh:
        write_json(fresh / LEFT_OUT, {"left_out": True})
    return True


def jobs(config: Config, task: str) -> "list[Job]":
    """Single-task runs of a task: every start and seed."""
    from mtl.experiment import run_baseline
    from mtl.jobs.local import Job

    return [
        Job(
            f"stl / {task} / {start.label} / seed {seed}",
            RunPath("baseline", task, start.label, seed),
            run_baseline,
            (config, task, start, seed),
        )
        for start in config.baseline.starts
        for seed in config.base.seeds
    ]


if __name__ == "__main__":
    main(sys.argv[1])
