"""Starting the publisher: one process of this project in the background, which outlives the stage that starts it."""

import subprocess
import sys
import threading
from pathlib import Path

from filelock import FileLock, Timeout

from mtl.paths import project_folder
from mtl.tracking.spool import LOCK, LOG_FILE, Spool, spool_of

START = (
    "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); "
    "runpy.run_module('mtl.tracking.publisher', run_name='__main__', alter_sys=True)"
)


def command(folder: Path) -> list[str]:
    """Command line of a publisher with this process's code, also where that lies in a temporary workspace of DVC's,
    which vanishes; PYTHONPATH could not name a folder with a colon in its name.

    Args:
        folder: of the spool.
    """
    return [sys.executable, "-P", "-c", START, str(Path(__file__).resolve().parents[2]), str(folder)]


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
    with (spool.folder / LOG_FILE).open("ab") as log:
        process = subprocess.Popen(
            command(spool.folder), cwd=project_folder(root), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    threading.Thread(target=process.wait, daemon=True).start()  # No zombie, where we outlive it.
    return True
