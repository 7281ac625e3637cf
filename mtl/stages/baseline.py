"""Stage `baseline@task`: the task trained alone (STL), for every start and seed; nothing when `baseline.tasks` leaves
it out."""

import sys

from mtl.config import Config
from mtl.errors import UserError
from mtl.files import whole_folder, write_json
from mtl.paths import LEFT_OUT, RunPath, baseline_folder
from mtl.stages.common import stage

SECTIONS = ("base", "tasks", "encoder", "train", "pretrain", "baseline")


def main(task: str) -> None:
    """Writes outputs/baseline/<task>/<start>/seed-S/, or outputs/baseline/<task>/left_out.json."""
    with stage(SECTIONS) as config:
        if task not in config.tasks:
            raise UserError(f"`baseline` should be run for one of {', '.join(config.tasks)}, found {task!r}.")
        folder = baseline_folder(task)
        if task not in config.baseline_tasks:
            with whole_folder(folder) as fresh:
                write_json(fresh / LEFT_OUT, {"left_out": True})
            print(f"{task} is not among baseline.tasks: it is not trained alone.")
            return
        (folder / LEFT_OUT).unlink(missing_ok=True)
        _train(config, task)


def _train(config: Config, task: str) -> None:
    # Not before they are needed: a hundred tasks that are left out would import torch a hundred times.
    from mtl import tracking
    from mtl.experiment import run_baseline
    from mtl.jobs.local import Job, run_jobs

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
