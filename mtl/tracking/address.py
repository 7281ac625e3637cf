"""Address of the tracking store: MLFLOW_TRACKING_URI, else `tracking.uri`, else mlflow.db in the project's folder."""

import os
import re
from pathlib import Path

from mtl.config import Config
from mtl.errors import ConfigError

SCHEMES = ("sqlite", "postgresql", "mysql", "mssql", "http", "https")
SQLITE = "sqlite:///"


def resolve_uri(config: Config, root: Path = Path()) -> str:
    """The tracking address; a relative SQLite file stands in the project's folder.

    Raises:
        ConfigError: the address is of a kind that cannot be used.
    """
    from_environment = os.environ.get("MLFLOW_TRACKING_URI")
    uri = from_environment or config.tracking.uri or f"{SQLITE}mlflow.db"
    if uri.partition(":")[0].partition("+")[0] not in SCHEMES or "://" not in uri:
        where = "MLFLOW_TRACKING_URI" if from_environment else "params.yaml: `tracking.uri`"
        raise ConfigError(f"{where} should start with one of {', '.join(s + '://' for s in SCHEMES)}, found {uri!r}.")
    if uri.startswith(SQLITE):
        uri = f"{SQLITE}{project_folder(root) / uri.removeprefix(SQLITE)}"
    return uri


def without_password(text: str) -> str:
    """Removes user and password from the addresses in a text."""
    return re.sub(r"://[^/@\s]+@", "://", text)


def database_file(uri: str) -> Path | None:
    """The file of a SQLite address, or None."""
    return Path(uri.removeprefix(SQLITE)) if uri.startswith(SQLITE) else None


def project_folder(root: Path) -> Path:
    """The project folder: `dvc exp run --temp` works in a copy under .dvc/tmp/exps, which vanishes."""
    here = root.resolve()
    for folder in here.parents:
        if folder.parts[-3:] == (".dvc", "tmp", "exps"):
            return folder.parents[2]
    return here


def vanishes(root: Path) -> bool:
    """True when a folder is a temporary workspace of DVC; its runs can only be published before DVC removes it."""
    return project_folder(root) != root.resolve()


def state_folder(root: Path) -> Path:
    """Folder of the mirror's own notes: requests, locks, what was published where, the publisher's log."""
    return project_folder(root) / ".mtl" / "tracking"
