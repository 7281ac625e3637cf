"""Stage `finetune@method`: the tasks trained together, for every seed."""

import sys

from mtl import tracking
from mtl.config import Config
from mtl.experiment import run_finetune
from mtl.jobs.local import Job, run_jobs
from mtl.paths import RunPath
from mtl.stages.common import only_method, stage

SECTIONS = ("base", "tasks", "encoder", "train", "pretrain", "finetune")


def main(method: str) -> None:
    """Writes outputs/finetune/<method>/seed-S/."""
    with stage(SECTIONS) as config:
        config = only_method(config, method)
        tracking.publish_stage("finetune", run_jobs(jobs(config, method), config.base))


def jobs(config: Config, method: str) -> list[Job]:
    """Joint runs of a method: every seed."""
    return [
        Job(f"{method} / seed {seed}", RunPath("finetune", method, None, seed), run_finetune, (config, method, seed))
        for seed in config.base.seeds
    ]


if __name__ == "__main__":
    main(sys.argv[1])
