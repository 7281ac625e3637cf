"""Starting the publisher: one process of this project in the background, which outlives the stage that starts it."""

import os
import subprocess
import sys
import threading
from pathlib import Path

from filelock import FileLock, Timeout

from mtl.tracking.address import project_folder
from mtl.tracking.spool import LOCK, LOG_FILE, Spool, spool_of


def is_alive(spool: Spool) -> bool:
    """True when a publisher holds the lock."""
    spool.folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(spool.folder / LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return True
    lock.release()
    return False


def ensure(root: Path) -> bool:
    """Starts the publisher unless it is alive, without waiting for it; returns True when it had to be started.

    The publisher shares no terminal, pipe or folder with its starter, so nothing that waits for those waits for it.
    """
    spool = spool_of(root)
    if is_alive(spool):
        return False
    # The same code as ours, also where the folder is that of a temporary workspace, which vanishes.
    code = str(Path(__file__).resolve().parents[2])
    paths = [code, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    with (spool.folder / LOG_FILE).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "mtl.tracking.publisher", str(spool.folder)],
            cwd=project_folder(root), env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    threading.Thread(target=process.wait, daemon=True).start()  # No zombie, where we outlive it.
    return True
