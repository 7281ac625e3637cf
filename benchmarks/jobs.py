"""Child of benchmarks/epoch.py: real baseline runs of one task, N side by side, in the project it is started in.

python -m benchmarks.jobs N                      # prints {"seconds": …} on its last line
"""

import json
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from benchmarks.command import child_parser, count, start
from mtl.config import load_config
from mtl.experiment import run_baseline
from mtl.jobs.local import Job, run_jobs
from mtl.paths import RunPath


def main(given: Sequence[str] | None = None) -> int:
    """Trains every seed of the first task and prints the wall seconds that took, imports not counted."""
    command = child_parser("jobs", __doc__)
    command.add_argument("jobs", type=count, metavar="N", help="runs side by side")
    side_by_side: int = command.parse_args(given).jobs
    config = load_config(Path("params.yaml"))
    task, start = next(iter(config.tasks)), config.baseline.starts[0]
    jobs = [
        Job(f"seed {seed}", RunPath("baseline", task, start.label, seed), run_baseline, (config, task, start, seed))
        for seed in config.base.seeds
    ]
    began = perf_counter()
    run_jobs(jobs, config.base.model_copy(update={"jobs": side_by_side}))
    print(json.dumps({"seconds": perf_counter() - began, "runs": len(jobs)}))
    return 0


if __name__ == "__main__":
    start(main)
