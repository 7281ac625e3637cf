"""Stage `baseline`: every task of `baseline.tasks` trained alone (STL), for every start and seed."""

import sys
from collections.abc import Collection

from mtl.config import Config
from mtl.experiment.recipe import single_task
from mtl.stages.common import stage
from mtl.stages.fan_out import Runs, fan_out

SECTIONS = ("base", "tasks", "encoder", "train", "pretrain", "baseline")


def main(tasks: Collection[str] = ()) -> None:
    """Writes outputs/baseline/<task>/<start>/seed-S/; with names of tasks, these alone."""
    with stage(SECTIONS) as config:
        fan_out("baseline", runs(config), config.base, tasks)


def runs(config: Config) -> Runs:
    """Single-task runs: every task that is trained alone, start and seed."""
    return {
        f"stl / {task} / {start.label} / seed {seed}": single_task(config, task, start, seed)
        for task in config.baseline_tasks
        for start in config.baseline.starts
        for seed in config.base.seeds
    }


if __name__ == "__main__":
    main(sys.argv[1:])
