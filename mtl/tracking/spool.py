"""Requests to the publisher and its answers, as files: whoever ends early or is killed leaves nothing half said."""

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
"""Held by the publisher for as long as it lives."""
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
    """Until when the one who asked waits (seconds since 1970); None: nobody waits."""

    @property
    def expired(self) -> bool:
        return self.until is not None and time.time() > self.until


@dataclass(frozen=True)
class Answer:
    """How far a request has come."""

    total: int
    """Runs that should be there."""
    there: int | None
    """Runs that are, as far as it is known."""
    new: int
    problem: str | None
    final: bool


@dataclass(frozen=True)
class Spool:
    """The files of one project; temporary workspaces share those of their project."""

    folder: Path

    def put(self, job: Job, owner: Owner, until: float | None) -> str:
        """Leaves a request; returns its name. Names sort by age."""
        name = f"{time.time_ns()}-{secrets.token_hex(4)}.json"
        write_whole(self.folder / REQUESTS / name, {"job": job.dump(), "owner": asdict(owner), "until": until})
        return name

    def names(self) -> list[str]:
        """Of the requests, oldest first."""
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
        """Says how far a request has come."""
        write_whole(self.folder / ANSWERS / name, asdict(answer))

    def answered(self, name: str) -> Answer | None:
        """The last that was said about a request."""
        try:
            return Answer(**json.loads((self.folder / ANSWERS / name).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None

    def tidy(self) -> None:
        """Removes answers that nobody came for: who had asked was killed."""
        for path in (self.folder / ANSWERS).glob("*.json"):
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > UNCLAIMED_SECONDS:
                    path.unlink()

    def close(self, name: str) -> None:
        """The one who asked waits no longer."""
        self.drop(name)
        (self.folder / ANSWERS / name).unlink(missing_ok=True)


def spool_of(root: Path) -> Spool:
    """The files of the project that `root` is, or is a temporary workspace of."""
    return Spool(state_folder(root))


def wait_for(found: Callable[[], bool], until: float, every: Callable[[], object]) -> bool:
    """Whether something became true before a moment (seconds since 1970); `every` is called about once a second."""
    next_call = time.monotonic() + 1
    while not found():
        if time.time() > until:
            return False
        if time.monotonic() > next_call:
            every()
            next_call = time.monotonic() + 1
        time.sleep(0.03)
    return True
