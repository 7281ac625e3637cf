"""Task of a Dask worker that makes runs in a process beside it, for as long as Dask wants them; imports nothing heavy.

The process is one of its own, not a thread of the Dask worker: it can be ended, it has torch to itself, and it runs the
code that is installed now, whatever the worker has imported long ago. It makes one run after the other, so that torch
is imported once, works in a folder of the worker's that holds what the runs read, and ends with the worker.
"""

import json
import os
import platform
import select
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

LOOK_SECONDS = 0.3
"""How often it is asked whether a run is still wanted."""
PACKAGE = Path(__file__).resolve().parents[2]
Outcome = dict[str, Any]
"""`end`: how it ended (done | unfit | problem | failed | killed), and `text`: why."""
_idle: list["Helper"] = []
"""Processes that wait for the next run of their command."""
_lock = threading.Lock()


class Helper:
    """A process that makes runs.

    Args:
        command: whose runs it makes.
        folder: in which it works; the folder goes with it.
    """

    def __init__(self, command: str, folder: Path) -> None:
        self.command = command
        self.folder = folder
        self.channel, theirs = os.pipe()
        path = os.pathsep.join([str(PACKAGE), *filter(None, [os.environ.get("PYTHONPATH")])])
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mtl.jobs.cluster_job", str(theirs), str(os.getpid())],
            stdin=subprocess.PIPE, pass_fds=(theirs,), cwd=folder, env=os.environ | {"PYTHONPATH": path},
        )  # fmt: skip
        os.close(theirs)

    def ask(self, order: str, is_wanted: Callable[[], bool]) -> Outcome:
        """Has a run made; it ends the process where it is no longer wanted.

        Args:
            order: of `mtl.jobs.cluster_job`, on one line.
            is_wanted: asked now and then.
        """
        answer = b""
        try:
            assert self.process.stdin is not None
            self.process.stdin.write(order.encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # Its exit code says the rest.
        while is_wanted():
            if not select.select([self.channel], [], [], LOOK_SECONDS)[0]:
                continue
            part = os.read(self.channel, 1 << 16)
            answer += part
            if answer.endswith(b"\n"):
                outcome: Outcome = json.loads(answer)
                return outcome
            if not part:
                break
        code = self.end()
        return {"end": "killed", "text": f"exit code {code}; its log is the worker's"}

    def end(self) -> int:
        """Ends the process, if it has not ended; returns its exit code."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.kill()
        code = self.process.wait()
        os.close(self.channel)
        shutil.rmtree(self.folder, ignore_errors=True)
        return code


def hold(order: str, command: str) -> None:
    """Makes a run in a process of the worker's, until it is done or nobody wants it any more.

    How it ended is told to the scheduler (`tell`), not returned: Dask would fetch a result from the worker, which may
    be gone by then.

    Args:
        order: of `mtl.jobs.cluster_job`, on one line.
        command: whose runs share processes, one after the other; the topic of the news.
    """
    from distributed import get_worker
    from distributed.core import Status

    worker = get_worker()
    key = worker.get_current_task()

    def is_wanted() -> bool:
        task = worker.state.tasks.get(key)
        return worker.status in (Status.running, Status.paused) and task is not None and task.state == "executing"

    helper = _take(command, Path(worker.local_directory))
    outcome = helper.ask(order, is_wanted)
    if outcome["end"] != "killed":
        with _lock:
            _idle.append(helper)
    tell(command, outcome)


def tell(command: str, outcome: Outcome) -> None:
    """Tells whoever listens to a topic how the task of this thread ended, with its `key` and its worker (`by`)."""
    from distributed import get_worker

    worker = get_worker()
    facts = {"key": worker.get_current_task(), "by": f"{worker.name} on {platform.node()}"}
    worker.log_event(command, outcome | facts)


def _take(command: str, place: Path) -> Helper:
    """A process that waits for a run of a command, or a new one; those that have waited too long have ended."""
    with _lock:
        for helper in list(_idle):
            if helper.process.poll() is not None:
                _idle.remove(helper)
                helper.end()
        for helper in _idle:
            if helper.command == command:
                _idle.remove(helper)
                return helper
    place.mkdir(parents=True, exist_ok=True)
    return Helper(command, Path(tempfile.mkdtemp(prefix="mtl-", dir=place)))
