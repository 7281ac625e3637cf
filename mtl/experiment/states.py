"""Training states on disk: where they stand, who holds a run, what a stage leaves behind and `mtl runs` shows.

A state outlives its run until the whole stage is done: DVC removes the results of a stage that was killed, and the
runs of it that had finished are then written again from their last state instead of being trained again.
"""

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from mtl.errors import UserError
from mtl.files import write_json
from mtl.paths import RunPath
from mtl.training.checkpoint import UNUSABLE, Checkpoint, read_header

STATES = Path(".mtl/state")
LOCKS = Path(".mtl/locks")
FINISHED = "finished.json"
"""Names the states of a run whose results are written."""
PATIENCE = 5.0
"""Seconds to wait for a run that another process holds: one whose parent was killed takes a moment to end."""


def state_folder(where: RunPath, root: Path) -> Path:
    """Folder of a run's states, of these and of other settings."""
    return root / STATES / where.folder.relative_to("outputs")


def state_files(where: RunPath, key: str, phases: int, seconds: float, root: Path) -> list[Checkpoint]:
    """The states of a run's phases."""
    folder = state_folder(where, root)
    return [Checkpoint(folder / f"{key[:16]}-{n}.safetensors", f"{key}-{n}", seconds) for n in range(phases)]


@contextmanager
def held(where: RunPath, root: Path, patience: float = PATIENCE) -> Iterator[None]:
    """Keeps a run for this process; the system lets go of it when the process ends, however it ends.

    Raises:
        UserError: another process trains it, or the folder of locks or of results cannot be written.
    """
    lock = _lock_file(where, root)
    owner = lock.with_suffix(".pid")
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        _probe(root / where.folder.parent)
        with FileLock(lock, timeout=patience):
            owner.write_text(str(os.getpid()))
            yield
    except Timeout:
        process = owner.read_text() if owner.exists() else "?"
        raise UserError(
            f"{where.folder} is being computed by another process ({process}): wait until it is done, or end it."
        ) from None


def _probe(folder: Path) -> None:
    """Finds out before hours of training, not after, that results cannot be written."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):  # it has no name: nothing is left, whenever this is killed
            pass
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror}.") from None


def _lock_file(where: RunPath, root: Path) -> Path:
    return root / LOCKS / ("--".join(where.folder.relative_to("outputs").parts) + ".lock")


def note_finished(where: RunPath, states: Sequence[Checkpoint], root: Path) -> None:
    """Marks the states of a run whose results are in place."""
    write_json(state_folder(where, root) / FINISHED, [state.path.name for state in states if state.path is not None])


def release(where: RunPath, root: Path) -> None:
    """Deletes the states of a run that is finished, once its stage is."""
    folder = state_folder(where, root)
    note = folder / FINISHED
    if not note.exists():
        return
    for name in json.loads(note.read_text()):
        (folder / name).unlink(missing_ok=True)
    note.unlink()
    _drop_empty(folder, root)


@dataclass(frozen=True)
class StateFile:
    """A file below .mtl/state."""

    path: Path
    run: str
    """Folder of its run below outputs/."""
    key: str | None
    """None: the file cannot be read."""
    epochs: int = 0
    step: int = 0
    """Optimiser steps so far."""
    finished: bool = False
    """Its run's results are written; the rest of its stage was not done."""

    @property
    def left_over(self) -> bool:
        """Nothing can go on from it: half written, or set aside."""
        return self.key is None


def list_states(root: Path) -> list[StateFile]:
    """Every state file, by run."""
    states = []
    for path in sorted((root / STATES).rglob("*")):
        if not path.is_file() or path.name == FINISHED:
            continue
        run = path.parent.relative_to(root / STATES).as_posix()
        note = path.parent / FINISHED
        finished = note.exists() and path.name in json.loads(note.read_text())
        try:
            if path.suffix != ".safetensors":
                raise ValueError(path.suffix)
            header = read_header(path)
            record = header["record"]
            steps = record["steps"] if "steps" in record else record["step"]
            states.append(StateFile(path, run, header["key"], len(record["epochs"]), steps, finished))
        except Exception:  # any damage of the file shows as one of many types
            states.append(StateFile(path, run, None))
    return states


def is_held(run: str, root: Path) -> str | None:
    """Number of the process that computes a run now, or None."""
    lock = root / LOCKS / (run.replace("/", "--") + ".lock")
    if not lock.exists():
        return None
    try:
        with FileLock(lock, timeout=0):
            return None
    except Timeout:
        owner = lock.with_suffix(".pid")
        return owner.read_text() if owner.exists() else "?"


def drop(state: StateFile, root: Path) -> None:
    """Deletes a state file."""
    state.path.unlink(missing_ok=True)
    _drop_empty(state.path.parent, root)


def _drop_empty(folder: Path, root: Path) -> None:
    while folder != root / STATES and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


__all__ = [
    "STATES", "UNUSABLE", "StateFile", "drop", "held", "is_held", "list_states", "note_finished", "release",
    "state_files", "state_folder",
]  # fmt: skip
