"""Address of the tracking store: MLFLOW_TRACKING_URI, else `tracking.uri`, else mlflow.db in the project's folder.

Every address of a SQLite file is built and taken apart here: SQLAlchemy decodes %XX in the path and ends it at `?`.
"""

import os
import re
import sqlite3
from pathlib import Path
from urllib.parse import quote, unquote

from mtl.config import Config
from mtl.errors import ConfigError
from mtl.paths import project_folder

SCHEMES = ("sqlite", "postgresql", "mysql", "mssql", "http", "https")
SQLITE = "sqlite:///"
SQLITE_ESCAPED = "sqlite+pysqlite:///"
"""The same by its full name: behind the short one, MLflow makes the parent folder that the escaped text names, such as
an empty `50%2520off` beside the project's `50%20off`."""
IN_MEMORY = ("", ":memory:")


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
    database = database_file(uri)
    if database is not None:
        if (meant := misread(uri, project_folder(root))) is not None:
            where = "MLFLOW_TRACKING_URI" if from_environment else "params.yaml: `tracking.uri`"
            raise ConfigError(f"{where} means {database} as it stands; `%` and `?` of a path are escaped: {meant}")
        options = uri.partition("?")[2]
        uri = sqlite_address(project_folder(root) / database) + (f"?{options}" if options else "")
    return uri


def sqlite_address(file: Path) -> str:
    """Address of a SQLite file for SQLAlchemy, MLflow and Optuna, whatever the names of its folders hold.

    Args:
        file: of the database, absolute or relative to the folder of the process.
    """
    path = file.as_posix()
    escaped = quote(path, safe=":/" if os.name == "nt" else "/")
    return f"{SQLITE}{path}" if escaped == path else f"{SQLITE_ESCAPED}{escaped}"


def misread(uri: str, folder: Path) -> str | None:
    """The address that is meant by one whose path was not escaped, if it shows: the path lies in a folder that is
    there, and what its escapes stand for does not.

    Args:
        uri: an address.
        folder: that a relative path begins in.
    """
    file = database_file(uri)
    if file is None:
        return None
    literal = Path(uri.removeprefix(SQLITE_ESCAPED).removeprefix(SQLITE))
    is_meant = (folder / literal).parent.is_dir() and not (folder / file).parent.is_dir()
    return sqlite_address(literal) if is_meant else None


def without_password(text: str) -> str:
    """Removes user and password from the addresses in a text."""
    return re.sub(r"://[^/@\s]+@", "://", text)


def database_file(uri: str) -> Path | None:
    """The file of a SQLite address, or None: a server, a database in memory, or a name that SQLite reads itself
    (`file:…?uri=true`)."""
    for scheme in (SQLITE, SQLITE_ESCAPED):
        if uri.startswith(scheme):
            path = unquote(uri.removeprefix(scheme).partition("?")[0])
            return None if path in IN_MEMORY or path.startswith("file:") else Path(path)
    return None


def vanishes(root: Path) -> bool:
    """True when a folder is a temporary workspace of DVC; its runs can only be published before DVC removes it."""
    return project_folder(root) != root.resolve()


def state_folder(root: Path) -> Path:
    """Folder of the mirror's own notes: requests, locks, what was published where, the publisher's log."""
    return project_folder(root) / ".mtl" / "tracking"


def check_length(database: Path) -> None:
    """Raises if a SQLite file is shorter than its head says, which SQLite finds at the page that is missing.

    Args:
        database: a file that was opened just now, so that what a kill had left half done is undone.

    Raises:
        sqlite3.DatabaseError: it was cut off.
    """
    with database.open("rb") as file:
        head = file.read(100)
    if len(head) < 100 or database.with_name(f"{database.name}-wal").exists():
        return
    page, pages = int.from_bytes(head[16:18], "big"), int.from_bytes(head[28:32], "big")
    size = (1 << 16) if page == 1 else page
    if head[24:28] == head[92:96] and database.stat().st_size < size * pages:
        raise sqlite3.DatabaseError("database disk image is malformed: the file was cut off")
