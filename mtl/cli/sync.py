"""`mtl sync`: publishes to MLflow what the result files hold and it does not, however long that takes."""

import sys
import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from mtl.config import Config
from mtl.tracking import sync as publish

LINE_SECONDS = 5.0
"""Seconds between two lines of progress where there is no terminal."""


def sync(config: Config, root: Path = Path()) -> int:
    """Asks the store itself what is there, and adds the rest.

    Returns:
        Exit code: 0, or 1 when the tracker cannot be had.

    Raises:
        UserError: the address is of a kind that cannot be used.
    """
    if not config.tracking.enabled:
        print("tracking.enabled is false in params.yaml: nothing was published.")
        return 0
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("runs in MLflow"), BarColumn(), MofNCompleteColumn(), console=console, transient=True,
        disable=not console.is_terminal,
    )  # fmt: skip
    said = time.monotonic()

    def tell(there: int, total: int) -> None:
        nonlocal said
        bar.update(task, completed=there, total=total)
        if not console.is_terminal and time.monotonic() - said > LINE_SECONDS:
            print(f"{there} of {total} runs are there.", flush=True)
            said = time.monotonic()

    with bar:
        task = bar.add_task("runs", total=None)
        done = publish(config, root, tell)
    if done.problem is not None:
        print(f"error: {done.problem}", file=sys.stderr)
        return 1
    print(f"{done.new} new runs, {done.present} were there.")
    return 0
