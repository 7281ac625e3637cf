"""The process on whose behalf runs are published: while it lives, more of them may come."""

import os
from contextlib import suppress
from dataclasses import dataclass

import psutil

CLOCK_SECONDS = 2.0
"""How far two readings of one process's start may be apart, when the clock is set in between."""


@dataclass(frozen=True)
class Owner:
    """A process; numbers are used again, so its start belongs to it."""

    pid: int
    created: float
    """Seconds since 1970."""
    pipeline: bool
    """Whether it runs stages, so that more is to be expected of it."""

    def is_same(self, other: "Owner | None") -> bool:
        return other is not None and self.pid == other.pid and abs(self.created - other.created) < CLOCK_SECONDS

    @property
    def alive(self) -> bool:
        try:
            process = psutil.Process(self.pid)
            gone = process.status() == psutil.STATUS_ZOMBIE
            return not gone and self.is_same(Owner(process.pid, process.create_time(), False))
        except psutil.NoSuchProcess:
            return False

    @property
    def goes_on(self) -> bool:
        """Whether more is to be expected of it."""
        return self.pipeline and self.alive


def current_owner() -> Owner:
    """DVC, for a stage that it runs; otherwise this process.

    DVC starts a stage through a shell, which may or may not stay between them; both it and the stage have DVC's
    variable, DVC has not.
    """
    process = psutil.Process()
    pipeline = "DVC_STAGE" in os.environ
    if pipeline:
        for ancestor in process.parents():
            process = ancestor
            with suppress(psutil.Error):  # one that may not be looked at is none of DVC's children
                if "DVC_STAGE" in ancestor.environ():
                    continue
            break
    return Owner(process.pid, process.create_time(), pipeline)
