"""Stage `reference`: values that joint runs take from the single-task runs, so that they run again when these change.

The validation MSE of regressions, which `stopping: constrained` is measured by, and the hash of every model, whose
losses order the samples of a `curriculum`.
"""

import hashlib
from pathlib import Path

from mtl.config import Config
from mtl.paths import REFERENCE, RunPath
from mtl.results.reading import read_run
from mtl.results.reference import ByRun, Reference
from mtl.stages.common import stage

SECTIONS = ("base", "tasks", "baseline")


def main() -> None:
    """Writes outputs/reference.json."""
    with stage(SECTIONS) as config:
        reference(config)


def reference(config: Config, root: Path = Path()) -> None:
    """Writes outputs/reference.json below `root`, the folder of the project, from its single-task runs."""
    mse: ByRun[float] = {}
    weights: ByRun[str] = {}
    for name in config.baseline_tasks:
        for start in config.baseline.starts:
            for seed in config.base.seeds:
                path = RunPath("baseline", name, start.label, seed)
                run = read_run(path, root)
                model = hashlib.sha256((root / path.folder / "weights.safetensors").read_bytes()).hexdigest()
                weights.setdefault(name, {}).setdefault(start.label, {})[str(seed)] = model
                if config.tasks[name].family == "regression":
                    error = run.value(name, config.tasks[name].primary_metric, "val")
                    mse.setdefault(name, {}).setdefault(start.label, {})[str(seed)] = error
    Reference(mse=mse, weights=weights).write(root / REFERENCE)


if __name__ == "__main__":
    main()
