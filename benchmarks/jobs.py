"""Child of benchmarks/epoch.py: real baseline runs of one task, N side by side, in the project it is started in.

python -m benchmarks.jobs N                      # prints {"seconds": …} on its last line
"""

import importlib
import json
import sys
from pathlib import Path
from time import perf_counter

from mtl.config import load_config
from mtl.experiment import run_baseline
from mtl.paths import RunPath
from stages.parallel import Job, run_jobs


def main(side_by_side: int) -> None:
    """Trains every seed of the first task and prints the wall seconds that took, imports not counted."""
    config = load_config(Path("params.yaml"))
    task, start = next(iter(config.tasks)), config.baseline.starts[0]
    jobs = [
        Job(f"seed {seed}", RunPath("baseline", task, start.label, seed), run_baseline, (config, task, start, seed))
        for seed in config.base.seeds
    ]
    importlib.import_module("torch._dynamo")  # as run_jobs would, once, whatever the number of jobs
    began = perf_counter()
    run_jobs(jobs, config.base.model_copy(update={"jobs": side_by_side}))
    print(json.dumps({"seconds": perf_counter() - began, "runs": len(jobs)}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
