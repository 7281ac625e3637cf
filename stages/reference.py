"""Stage `reference`: the validation MSE of the single-task forecasts, which `stopping: constrained` is measured by."""

import json
from pathlib import Path

from mtl.errors import UserError
from mtl.files import write_json
from mtl.paths import RunPath
from stages.common import stage

SECTIONS = ("base", "tasks", "baseline")


def main() -> None:
    """Writes outputs/reference.json: forecast → start → seed → MSE."""
    with stage(SECTIONS) as config:
        found: dict[str, dict[str, dict[str, float]]] = {}
        for name, task in config.tasks.items():
            if task.kind != "forecast":
                continue
            for start in config.baseline.starts:
                for seed in config.base.seeds:
                    path = RunPath("baseline", name, start.label, seed).folder / "run.json"
                    if not path.exists():
                        raise UserError(f"{path} is missing; run `dvc repro baseline@{name}`.")
                    mse = json.loads(path.read_text())["val"][name]["mse"]
                    found.setdefault(name, {}).setdefault(start.label, {})[str(seed)] = mse
        write_json(Path("outputs/reference.json"), found)


if __name__ == "__main__":
    main()
