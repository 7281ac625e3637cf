"""Requests to the publisher and its answers, as files, so that a killed process leaves no incomplete message."""

import json
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mtl.tracking.address import state_folder
from mtl.tracking.job import Job, load, write_whole
from mtl.tracking.owner import Owner

LOCK = "publisher.lock"
"""Lock file that the publisher holds for as long as it lives."""
LOG_FILE = "publisher.log"
REQUESTS = "requests"
ANSWERS = "answers"
UNCLAIMED_SECONDS = 3600.0


@dataclass(frozen=True)
class Request:
    """A job, and who waits for it."""

    name: str
    job: Job
    owner: Owner
    until: float | None
    """Time until which the asking process waits, in seconds since 1970; None when nobody waits."""

    @property
    def expired(self) -> bool:
        return self.until is not None and time.time() > self.until


@dataclass(frozen=True)
class Answer:
    """Progress of a request."""

    total: int
    """Number of runs that should be there."""
    there: int | None
    """Number of runs that are there; None while it is not known."""
    new: int
    problem: str | None
    final: bool


@dataclass(frozen=True)
class Spool:
    """The files of one project; temporary workspaces share those of their project."""

    folder: Path

    def put(self, job: Job, owner: Owner, until: float | None) -> str:
        """Leaves a request and returns its name; names sort by age."""
        name = f"{time.time_ns()}-{secrets.token_hex(4)}.json"
        write_whole(self.folder / REQUESTS / name, {"job": job.dump(), "owner": asdict(owner), "until": until})
        return name

    def names(self) -> list[str]:
        """Names of the requests, oldest first."""
        return sorted(path.name for path in (self.folder / REQUESTS).glob("[0-9]*.json"))

    def read(self, name: str) -> Request | None:
        """A request, or None when it was taken back."""
        try:
            plain: dict[str, Any] = json.loads((self.folder / REQUESTS / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return Request(name, load(plain["job"]), Owner(**plain["owner"]), plain["until"])

    def drop(self, name: str) -> None:
        """Takes a request away."""
        (self.folder / REQUESTS / name).unlink(missing_ok=True)

    def answer(self, name: str, answer: Answer) -> None:
        """Writes the progress of a request."""
        write_whole(self.folder / ANSWERS / name, asdict(answer))

    def answered(self, name: str) -> Answer | None:
        """Last answer to a request."""
        try:
            return Answer(**json.loads((self.folder / ANSWERS / name).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None

    def tidy(self) -> None:
        """Removes answers that nobody fetched because the asking process was killed."""
        for path in (self.folder / ANSWERS).glob("*.json"):
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > UNCLAIMED_SECONDS:
                    path.unlink()

    def close(self, name: str) -> None:
        """Takes a request and its answer away when the asking process no longer waits."""
        self.drop(name)
        (self.folder / ANSWERS / name).unlink(missing_ok=True)


def spool_of(root: Path) -> Spool:
    """Spool of the project at `root`, or of the project that `root` is a temporary workspace of."""
    return Spool(state_folder(root))


def wait_for(holds: Callable[[], bool], until: float, every: Callable[[], object]) -> bool:
    """Waits until a condition holds, and returns False when a moment (seconds since 1970) passes first.

    `every` is called about once a second.
    """
    next_call = time.monotonic() + 1
    while not holds():
        if time.time() > until:
            return False
        if time.monotonic() > next_call:
            every()
            next_call = time.monotonic() + 1
        time.sleep(0.03)
    return True
