"""Artefacts of a project that was moved or copied: MLflow's database keeps their places absolute.

Only a SQLite file inside the project's own folder is looked at, never a server's database.
"""

import logging
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from mtl.paths import project_folder
from mtl.tracking.address import database_file

LOG = logging.getLogger("mtl.tracking")
ARTEFACTS = "mlartifacts"
"""Folder of the artefacts, beside the database."""
OWN_PLACE = "mtl.artifacts"
"""Tag of an experiment whose artefacts lie there."""
PLACES = (
    ("experiments", "artifact_location"), ("runs", "artifact_uri"), ("logged_models", "artifact_location"),
    ("model_versions", "source"), ("model_versions", "storage_location"), ("trace_tags", "value"),
)  # fmt: skip
"""Tables and columns of MLflow's that hold addresses of artefacts; a version of MLflow may lack some."""
BUSY_SECONDS = 2


@dataclass(frozen=True)
class Moved:
    """Outcome of a move that was noticed."""

    database: Path
    before: Path
    """Folder that held the database."""
    count: int
    """Addresses that were rewritten."""

    def __str__(self) -> str:
        return (
            f"The project was moved here from {self.before}: {self.count} places of artefacts in {self.database.name} "
            "were rewritten."
        )


def mend_moved(database: Path, project: Path) -> list[Moved]:
    """Rewrites the addresses of artefacts that a moved project has taken along, all in one transaction.

    An experiment was moved if we gave it its place, or if the database's own folder holds what is said to lie there; a
    folder of another disk, which somebody chose for the artefacts of an experiment, stays as it is. A database that
    another process holds, or that cannot be written, is left for the next time.

    Args:
        database: a SQLite file.
        project: folder of the project.

    Returns:
        A former folder each; empty if nothing was moved.
    """
    here = database.resolve().parent
    if not here.is_relative_to(project.resolve()) or not database.is_file():
        return []
    try:
        with closing(sqlite3.connect(database, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
            if not _moved_from(connection, here):
                return []
            connection.execute("BEGIN IMMEDIATE")  # A second command, or a kill, finds all of it done or nothing.
            done = [Moved(database, old, _rewrite(connection, old, here)) for old in _moved_from(connection, here)]
            connection.execute("COMMIT")
            return done
    except sqlite3.Error:
        return []  # Who uses the database says what is wrong with it.


def tell_moved(uri: str, root: Path) -> None:
    """Does it for an address, and says so in the log."""
    database = database_file(uri)
    for moved in [] if database is None else mend_moved(database, project_folder(root)):
        LOG.warning("%s", moved)


def _moved_from(connection: sqlite3.Connection, here: Path) -> list[Path]:
    """Former folders of the database, by the places of its experiments and runs."""
    own = {
        key for (key,) in connection.execute("SELECT experiment_id FROM experiment_tags WHERE key = ?", (OWN_PLACE,))
    }
    former: list[Path] = []
    for key, location in connection.execute("SELECT experiment_id, artifact_location FROM experiments").fetchall():
        place = _path(location)
        if place is None or place.name != ARTEFACTS or place.parent == here or place.parent in former:
            continue
        if key in own or _taken_along(connection, key, place, here):
            former.append(place.parent)
    return former


def _taken_along(connection: sqlite3.Connection, experiment: int, place: Path, here: Path) -> bool:
    """True when the artefacts of a run of an experiment, said to lie below `place`, lie here."""
    runs = connection.execute("SELECT artifact_uri FROM runs WHERE experiment_id = ?", (experiment,)).fetchall()
    paths = [path for (uri,) in runs if (path := _path(uri)) is not None and path.is_relative_to(place)]
    return any((here / ARTEFACTS / path.relative_to(place)).exists() for path in paths)


def _rewrite(connection: sqlite3.Connection, old: Path, here: Path) -> int:
    """Rewrites every address below a former folder whose files lie here, or there no longer; returns their number."""
    count = 0
    for table, column in PLACES:
        try:
            rows = connection.execute(f"SELECT rowid, {column} FROM {table}").fetchall()
        except sqlite3.OperationalError:
            continue  # Another version of MLflow.
        for row, address in rows:
            place = None if not isinstance(address, str) else _path(address)
            if place is None or not place.is_relative_to(old):
                continue
            new = here / place.relative_to(old)
            if table != "experiments" and place.exists() and not new.exists():
                continue  # Written there after the move.
            fresh = new.as_uri() if address.startswith("file:") else str(new)
            connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (fresh, row))
            count += 1
    return count


def _path(address: str | None) -> Path | None:
    """Absolute path of a local address, or None: `file:///…`, or a plain path as MLflow writes it elsewhere."""
    if address is None:
        return None
    if address.startswith("file:"):
        path = Path(url2pathname(urlsplit(address).path))
    elif "://" in address:
        return None
    else:
        path = Path(address)
    return path if path.is_absolute() else None
