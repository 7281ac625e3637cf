"""Finished training runs of a configuration: only those that it names."""

from collections.abc import Iterable
from pathlib import Path

from mtl.config import Config
from mtl.errors import UserError
from mtl.paths import run_paths
from mtl.results import reading
from mtl.results.history import History, PretrainingHistory
from mtl.results.record import Pretraining, Run


def read_runs(config: Config, root: Path = Path(".")) -> list[Run]:
    """Reads the run.json files that the config names; whatever else lies in outputs/ is not looked at.

    Raises:
        UserError: one is missing, unreadable or of another run; the message says which stage to run.
    """
    runs = []
    for path in run_paths(config):
        if path.stage == "pretrain":
            continue
        run = reading.read_run(path, root)
        if path.stage == "simple":
            runs.append(run)
            continue
        asked = path.start if path.start is not None else config.finetune.methods[str(path.name)].label
        if run.begun.label != asked:
            raise UserError(
                f"{path.folder} started from {run.begun.label}, not {asked}; run `mtl repro {path.target}`."
            )
        runs.append(run)
    return runs


def read_pretraining(config: Config, root: Path = Path(".")) -> list[tuple[Pretraining, PretrainingHistory]]:
    """The pretraining runs that the config names, with their histories; none when its objective is `none`.

    Raises:
        UserError: as `read_runs`.
    """
    if config.pretrain.objective.kind == "none":
        return []
    return [reading.read_pretraining(path, root) for path in run_paths(config) if path.stage == "pretrain"]


def read_histories(runs: Iterable[Run], root: Path = Path(".")) -> list[tuple[Run, History]]:
    """Each run with its history.

    Raises:
        UserError: one is missing or unreadable.
    """
    return [(run, reading.read_history(run.path, root)) for run in runs]
