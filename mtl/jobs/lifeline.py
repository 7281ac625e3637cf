"""Ending of a training process together with the process that started it, so that no orphan goes on writing."""

import ctypes
import os
import signal
import sys
import threading
import time
from pathlib import Path

WATCH_SECONDS = 0.5
_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)


def end_with(parent: int) -> None:
    """Ends this process, started by `parent`, as soon as `parent` has ended. Linux does so at once; elsewhere, and
    for the shell that DVC may have put between itself and a stage, a thread looks twice a second."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    threading.Thread(target=_watch, args=(parent, _behind_shell(parent)), daemon=True).start()


def _watch(parent: int, behind: int | None) -> None:
    while os.getppid() == parent and (behind is None or _parent_of(parent) == behind):
        time.sleep(WATCH_SECONDS)
    os._exit(1)


def _behind_shell(parent: int) -> int | None:
    """Process that started `parent`, if `parent` is a shell with a command (`sh -c …`), as under DVC; else None."""
    try:
        words = Path(f"/proc/{parent}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return None
    return _parent_of(parent) if b"-c" in words[1:4] and words[0].endswith(b"sh") else None


def _parent_of(process: int) -> int | None:
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[1])
