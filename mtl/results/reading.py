"""The files of a run by its place: who reads one gets that run, or a message that says which stage makes it."""

from pathlib import Path
from typing import TypeVar

from mtl.errors import UserError
from mtl.paths import RunPath
from mtl.results.content import ResultFile
from mtl.results.history import History, PretrainingHistory
from mtl.results.record import Pretraining, Run

File = TypeVar("File", bound=ResultFile)
RUN, HISTORY, EXAMPLES = "run.json", "history.json", "examples.json"
"""Names of the files in a run's folder."""


def read_run(path: RunPath, root: Path = Path()) -> Run:
    """Reads run.json of a simple, single-task, joint or specialised run.

    Raises:
        UserError: it is missing, cannot be used, or is another run's.
    """
    run = _read(Run, path, RUN, root)
    _check(run.stage, run.name, run.seed, path, root)
    return run


def read_history(path: RunPath, root: Path = Path()) -> History:
    """Reads history.json of a single-task, joint or specialised run.

    Raises:
        UserError: it is missing or cannot be used.
    """
    return _read(History, path, HISTORY, root)


def read_pretraining(path: RunPath, root: Path = Path()) -> tuple[Pretraining, PretrainingHistory]:
    """Reads both files of a pretraining.

    Raises:
        UserError: one is missing, cannot be used, or is another run's.
    """
    run = _read(Pretraining, path, RUN, root)
    _check(run.stage, run.name, run.seed, path, root)
    return run, _read(PretrainingHistory, path, HISTORY, root)


def _read(kind: type[File], path: RunPath, name: str, root: Path) -> File:
    return kind.read(root / path.folder / name, f"mtl repro {path.target}")


def _check(stage: str, name: str | None, seed: int, path: RunPath, root: Path) -> None:
    written = (stage, name, seed)
    if written != (path.stage, path.name, path.seed):
        raise UserError(
            f"{root / path.folder / RUN} belongs to another run {written}; run `mtl repro {path.target} --force`."
        )
