"""The process on whose behalf runs are published: while it lives, more of them may come."""

import os
from contextlib import suppress
from dataclasses import dataclass

import psutil

CLOCK_SECONDS = 2.0
"""Seconds that two readings of one process's start may differ by, in case the clock is set in between."""


@dataclass(frozen=True)
class Owner:
    """A process, identified by its number and its start, since the system reuses numbers."""

    pid: int
    created: float
    """Start of the process, in seconds since 1970."""
    pipeline: bool
    """True when the process runs stages, so that more runs are to be expected of it."""

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
        """True when more runs are to be expected of the process."""
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
