"""Task of a Dask worker: it runs a process that trains for as long as Dask wants it; imports nothing heavy.

The process is one of its own, not a thread of the Dask worker: it can be ended, it has torch to itself, and it runs the
code that stands in the project's folder now, whatever the worker has imported long ago. It ends with the worker.
"""

import hashlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

LOOK_SECONDS = 0.3
"""How often a job looks whether it is still wanted."""
GRACE_SECONDS = 8.0
"""Time for a process to hand its trial back before it is killed."""
Outcome = dict[str, Any]
"""`end`: how the process ended (done | unfit | problem | away | failed | killed), and `text`: why."""


def pipeline_digest() -> str:
    """sha256 over the sources of `mtl.cli`, `mtl.stages` and `mtl.jobs`: no result depends on them, but the handling of
    trials does."""
    content = hashlib.sha256()
    package = Path(__file__).resolve().parents[2]
    for folder in ("cli", "stages", "jobs"):
        for path in sorted((package / folder).rglob("*.py")):
            content.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return content.hexdigest()


def hold(order: str, topic: str, job: str) -> Outcome:
    """Runs `mtl.cli.study.cluster_job` in the worker's folder until it ends, or until nobody wants it any more.

    Args:
        order: its input.
        topic: where its news are told (`Worker.log_event`), and at last that it has ended.
        job: says in them whose they are.

    Returns:
        How it ended.
    """
    from distributed import get_worker
    from distributed.core import Status

    worker = get_worker()
    key = worker.get_current_task()

    def is_wanted() -> bool:
        task = worker.state.tasks.get(key)
        return worker.status in (Status.running, Status.paused) and task is not None and task.state == "executing"

    def tell(**news: Any) -> None:
        worker.log_event(topic, {"job": job} | news)

    try:
        return _run(order, is_wanted, tell)
    finally:
        tell(ended=True)


def _run(order: str, is_wanted: Callable[[], bool], tell: Callable[..., None]) -> Outcome:
    ours, theirs = os.pipe()
    with os.fdopen(ours, "rb") as channel:
        process = subprocess.Popen(
            [sys.executable, "-m", "mtl.cli.study.cluster_job", str(theirs), str(os.getpid())],
            stdin=subprocess.PIPE, pass_fds=(theirs,),
        )  # fmt: skip
        os.close(theirs)
        outcome: Outcome = {}
        try:
            assert process.stdin is not None
            process.stdin.write(order.encode())
            process.stdin.close()
        except BrokenPipeError:
            pass  # Its exit code says the rest.
        try:
            for message in _messages(channel.fileno(), is_wanted):
                if "end" in message:
                    outcome = message
                else:
                    tell(news=message)
        finally:
            _end(process)
    code = process.returncode
    if outcome:
        return outcome
    return {"end": "killed" if code < 0 else "failed", "text": f"exit code {code}; its log is the worker's"}


def _messages(channel: int, is_wanted: Callable[[], bool]) -> Iterator[dict[str, Any]]:
    """Lines of JSON, until there are no more or they are not wanted."""
    rest = b""
    while is_wanted():
        if not select.select([channel], [], [], LOOK_SECONDS)[0]:
            continue
        part = os.read(channel, 1 << 16)
        if not part:
            return
        *lines, rest = (rest + part).split(b"\n")
        yield from map(json.loads, lines)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Asks a process to end, and ends it when it does not."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
