"""`mtl sync`: publishes to MLflow what the result files hold and it does not, however long that takes."""

import sys
import time
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from mtl.config import Config
from mtl.paths import VERDICTS
from mtl.tracking import sync as publish

LINE_SECONDS = 5.0
"""Seconds between two lines of progress where there is no terminal."""


def sync(config: Config, root: Path = Path(), models: bool = True) -> int:
    """Asks the store itself what is there, and adds the rest.

    Args:
        config: the whole configuration.
        root: folder of the project.
        models: put into the summary of every method its deployed model as well.

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
        if not console.is_terminal and 0 < there < total and time.monotonic() - said > LINE_SECONDS:
            print(f"{there} of {total} runs are there.", flush=True)
            said = time.monotonic()

    with bar:
        task = bar.add_task("runs", total=None)
        done = publish(config, root, tell)
    if done.problem is not None:
        print(f"error: {done.problem}", file=sys.stderr)
        return 1
    print(f"{done.new} new runs, {done.present} were there.")
    return _models(config, root) if models and (root / VERDICTS).exists() else 0


def _models(config: Config, root: Path) -> int:
    from mtl.api.deployment.summaries import models_of
    from mtl.tracking.models import log_models

    done = log_models(config, partial(models_of, root=root), root)
    for name, why in done.without.items():
        print(f"note: {name} has no model in MLflow: {why}", file=sys.stderr)
    if done.problem is not None:
        print(f"error: {done.problem}", file=sys.stderr)
        return 1
    size = f" ({done.size / 1e6:.1f} MB)" if done.new else ""
    print(f"{done.new} new models in the summaries of methods{size}, {done.present} had theirs.")
    return 0
