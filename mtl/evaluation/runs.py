"""Finished training runs, read from their run.json files; only those that the config names."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtl.config import Config, Start
from mtl.errors import UserError
from mtl.paths import RunPath, run_paths


@dataclass(frozen=True)
class Run:
    """One training run: where it stands and what its run.json holds."""

    path: RunPath
    record: dict[str, Any]

    @property
    def start(self) -> str:
        """Label of the start; empty for pretraining."""
        return str(self.record["start"] or "") if "start" in self.record else ""

    def value(self, task: str, metric: str, split: str = "test") -> float:
        """A metric of one task.

        Raises:
            UserError: the run does not hold it, or it is not a finite number.
        """
        file = self.path.folder / "run.json"
        found = self.record[split].get(task, {}).get(metric)
        if found is None:
            raise UserError(f"{file} holds no {split} {metric} of {task}; run `dvc repro` to bring it up to date.")
        if not math.isfinite(found):
            raise UserError(f"{file}: {split} {metric} of {task} is {found}: the run diverged.")
        return float(found)


def read_runs(config: Config, root: Path = Path(".")) -> list[Run]:
    """Reads the run.json files that the config names; whatever else lies in outputs/ is not looked at.

    Raises:
        UserError: one is missing, unreadable or of another run; the message says which stage to run.
    """
    runs = [read_run(path, root) for path in run_paths(config) if path.stage != "pretrain"]
    for run in runs:
        asked = run.path.start if run.path.start is not None else config.finetune.methods[str(run.path.name)].label
        found = Start(init=run.record["init"], freeze=run.record["freeze"], width=run.record["width"]).label
        if found != asked:
            stage = stage_of(run.path)
            raise UserError(f"{run.path.folder} started from {found}, not {asked}; run `dvc repro {stage}`.")
    return runs


def read_pretraining(config: Config, root: Path = Path(".")) -> list[Run]:
    """The pretraining runs that the config names; none when its objective is `none`.

    Raises:
        UserError: as `read_runs`.
    """
    if config.pretrain.objective.kind == "none":
        return []
    return [read_run(path, root) for path in run_paths(config) if path.stage == "pretrain"]


def read_histories(runs: Iterable[Run], root: Path = Path(".")) -> list[tuple[Run, dict[str, Any]]]:
    """Each run with its history.json.

    Raises:
        UserError: one is missing or unreadable.
    """
    return [(run, _load(root / run.path.folder / "history.json", run.path)) for run in runs]


def read_run(path: RunPath, root: Path) -> Run:
    file = root / path.folder / "run.json"
    record = _load(file, path)
    found = tuple(record.get(key) for key in ("stage", "name", "seed"))
    if found != (path.stage, path.name, path.seed):
        raise UserError(f"{file} belongs to another run ({found}); run `dvc repro {stage_of(path)}`.")
    return Run(path, record)


def _load(file: Path, path: RunPath) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{file} is missing; run `dvc repro {stage_of(path)}`.") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{file} cannot be read ({error}); run `dvc repro --force {stage_of(path)}`.") from None
    if not isinstance(content, dict):
        raise UserError(f"{file} should hold an object; run `dvc repro --force {stage_of(path)}`.")
    return content


def stage_of(path: RunPath) -> str:
    """The DVC stage that writes a run."""
    return path.stage if path.name is None else f"{path.stage}@{path.name}"
