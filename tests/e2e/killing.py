"""Ending processes at bad moments, and waiting for what they leave."""

import sys
import time
from collections.abc import Callable

import psutil

LISTEN = "import os, signal, sys; signal.signal(signal.SIGINT, signal.{}); os.execv(sys.executable, sys.argv[1:])"


def interruptible(*arguments: str, ignored: bool = False) -> list[str]:
    """`python …` that hears Ctrl-C, also where the tests run in the background of a script, which ignores it;
    with `ignored` it never does."""
    return [sys.executable, "-c", LISTEN.format("SIG_IGN" if ignored else "SIG_DFL"), sys.executable, *arguments]


def until(found: Callable[[], object], seconds: float, what: str) -> None:
    """Waits for something to become true."""
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.002)


def alive(process: psutil.Process) -> bool:
    """A zombie is dead: nothing here inherits the workers of a killed parent."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def family(process: int) -> list[psutil.Process]:
    """A process and everything that it started, itself first."""
    try:
        first = psutil.Process(process)
        return [first, *first.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
