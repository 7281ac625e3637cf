"""The Dask scheduler that a user wants to make runs, and the store of their files; imports no torch and no Dask."""

import os
import re
import socket
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from mtl.errors import UserError, shown

SCHEDULER, STORE = "MTL_SCHEDULER", "MTL_STORE"
"""Variables in which `mtl repro` tells its stages the scheduler and the store."""
OWN_STORE = Path(".mtl/store")
"""Folder of the project that is the store where none is named."""
ANSWER_SECONDS = 5.0
ADDRESS = re.compile(r"(tcp|tls)://(\[[0-9a-fA-F:]+\]|[^\s/:\[\]]+):\d{1,5}/?")


def check_address(scheduler: str) -> None:
    """Checks that an address can be a scheduler's.

    Raises:
        UserError: it is none.
    """
    if not ADDRESS.fullmatch(scheduler):
        raise UserError(f"`--scheduler` should be an address such as tcp://127.0.0.1:8786, found {shown(scheduler)}.")


def use(scheduler: str | None, store: str | None) -> None:
    """Lets the stages that this process starts make their runs on a scheduler's workers; on none without `scheduler`.

    Args:
        scheduler: its address.
        store: a folder or a URL that the workers reach as well; None: `OWN_STORE`.

    Raises:
        UserError: it is no address, nobody answers there, or Dask is not installed.
    """
    for name, value in ((SCHEDULER, scheduler), (STORE, store and absolute(store))):
        os.environ.pop(name, None)
        if value:
            os.environ[name] = value
    if not scheduler:
        return
    check_address(scheduler)
    if find_spec("distributed") is None:
        raise UserError("`--scheduler` needs Dask: `pip install 'mtl[cluster]'`.")
    place = urlsplit(scheduler)
    try:
        socket.create_connection((place.hostname, place.port), timeout=ANSWER_SECONDS).close()
    except (OSError, ValueError) as error:
        raise no_answer(scheduler, str(error)) from None


def absolute(store: str) -> str:
    """A store as all folders know it: a URL as it is, a folder from the root on."""
    return store if "://" in store else str(Path(store).resolve())


def no_answer(scheduler: str, reason: str) -> UserError:
    """Error of a scheduler that cannot be reached.

    Args:
        scheduler: its address.
        reason: as the system says it.
    """
    return UserError(
        f"`--scheduler` {scheduler} does not answer ({' '.join(reason.split())[:240].rstrip('.')}): `dask scheduler` "
        f"starts one; without the option and {SCHEDULER} runs are made on this machine."
    )
