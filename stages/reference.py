"""Stage `reference`: what joint runs take from the single-task runs, so that they run again when it changes.

The validation MSE of the forecasts, which `stopping: constrained` is measured by, and the hash of every model, whose
losses order the samples of a `curriculum`.
"""

import hashlib
import json
from pathlib import Path

from mtl.errors import UserError
from mtl.files import write_json
from mtl.paths import RunPath
from stages.common import stage

SECTIONS = ("base", "tasks", "baseline")


def main() -> None:
    """Writes outputs/reference.json: `mse` (forecasts) and `weights`, each task → start → seed → value."""
    with stage(SECTIONS) as config:
        mse: dict[str, dict[str, dict[str, float]]] = {}
        weights: dict[str, dict[str, dict[str, str]]] = {}
        for name in config.baseline_tasks:
            for start in config.baseline.starts:
                for seed in config.base.seeds:
                    folder = RunPath("baseline", name, start.label, seed).folder
                    path = folder / "run.json"
                    if not path.exists():
                        raise UserError(f"{path} is missing; run `dvc repro baseline@{name}`.")
                    model = hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()
                    weights.setdefault(name, {}).setdefault(start.label, {})[str(seed)] = model
                    if config.tasks[name].kind == "forecast":
                        error = json.loads(path.read_text())["val"][name]["mse"]
                        mse.setdefault(name, {}).setdefault(start.label, {})[str(seed)] = error
        write_json(Path("outputs/reference.json"), {"mse": mse, "weights": weights})


if __name__ == "__main__":
    main()
