"""The only door to MLflow: a mirror of the result files, never their source and never read by a stage.

One parent run for each resolved configuration, data and code; below it a run for each training run and a summary
for each method. What is there already is recognised by a key, so publishing again adds nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mtl.config import PARAMS, Config, load_config
from mtl.tracking.address import resolve_uri

if TYPE_CHECKING:
    from mtl.tracking.store import Store

__all__ = ["Published", "open_store", "publish", "publish_stage", "resolve_uri"]


@dataclass(frozen=True)
class Published:
    """What publishing did."""

    new: int
    """Runs that were added."""
    present: int
    """Runs that were there."""
    problem: str | None = None
    """Why nothing (or not all) could be published, when the tracker could not be reached."""


def open_store(config: Config, root: Path = Path()) -> "Store":
    """Creates database and experiment unless they exist. Call it once before several processes publish.

    Raises:
        UserError: the address is of a kind that cannot be used.
    """
    from mtl.tracking.store import open_store as open_it  # Importing MLflow takes a second: only when it is needed.

    return open_it(config, root)


def publish(config: Config | None = None, root: Path = Path()) -> Published:
    """Mirrors every run, the summaries of the methods, and the report; whatever is there already is left alone.

    A tracker that cannot be reached costs one warning, never the results.

    Args:
        config: the whole configuration; None reads it from params.yaml.
        root: folder of the project.

    Raises:
        UserError: the address is of a kind that cannot be used.
    """
    return _publish(config or load_config(root / PARAMS), root, None)


def publish_stage(stage: str, folders: Sequence[Path], root: Path = Path()) -> Published:
    """Mirrors the runs that a stage has just computed.

    A stage sees only its own sections of params.yaml, and tracking is none of them: the file is read here.

    Args:
        stage: "pretrain", "baseline" or "finetune".
        folders: folders of its runs, as in `RunPath.folder`, below `root` or relative to it.
        root: folder of the project.

    Raises:
        UserError: the address is of a kind that cannot be used.
    """
    here = root.resolve()
    relative = {path.relative_to(here) if path.is_absolute() else path for path in folders}
    return _publish(load_config(root / PARAMS), root, (stage, relative))


def _publish(config: Config, root: Path, only: tuple[str, set[Path]] | None) -> Published:
    if not config.tracking.enabled:
        return Published(0, 0)
    from mtl.tracking.mirror import mirror

    return Published(*mirror(config, root, only))
