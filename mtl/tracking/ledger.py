"""Notes on the store that are read without asking it: what was published whole, and a problem not yet shown."""

import hashlib
import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from mtl.paths import STUDIES
from mtl.tracking.address import database_file, state_folder
from mtl.tracking.identity import digest
from mtl.tracking.job import Job, write_whole
from mtl.tracking.owner import Owner
from mtl.tracking.records import content_of, shown_paths

PUBLISHED = "published.json"
PROBLEM = "problem.json"
SHOWN = (Path("params.yaml"), Path("results"), Path("report/report.html"), Path("report/figures"))
"""Files and folders that go with the parent run, as far as they are there."""


def shown_files(job: Job) -> dict[Path, str | None]:
    """Files that go with the parent run → their folder in it, None for its top."""
    files: dict[Path, str | None] = {}
    root = job.root
    for shown in SHOWN if job.study is None else (STUDIES / job.study,):
        path = root / shown
        for file in [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file()):
            folder = file.relative_to(root).parent.as_posix()
            files[file] = None if folder == "." else folder
    return files


def is_published(job: Job) -> bool:
    """True when the last publishing to this address was complete; somebody may have deleted the runs since."""
    return _read(state_folder(job.root) / PUBLISHED).get(_address(job)) == whole_state(job)


def remember(job: Job, state: str) -> None:
    """Notes that everything of a state of the result files is in the store."""
    path = state_folder(job.root) / PUBLISHED
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        write_whole(path, _read(path) | {_address(job): state})


def _address(job: Job) -> str:
    """Address of the parent run; a database file that was deleted and made again counts as another address."""
    database = database_file(job.uri)
    file = database.stat().st_ino if database is not None and database.exists() else None
    return digest([job.uri, file, job.config.tracking.experiment, job.config.tracking.log_weights, job.key])[:32]


def whole_state(job: Job) -> str:
    """sha256 of all the files that are published."""
    runs = {str(path.folder): content_of(job.root / path.folder) for path in shown_paths(job.config, job.root)}
    files = {
        str(file.relative_to(job.root)): hashlib.sha256(file.read_bytes()).hexdigest() for file in shown_files(job)
    }
    return digest([runs, files])


@dataclass(frozen=True)
class Problem:
    """Reason why runs are not in the store."""

    message: str
    """Full text of the warning."""
    owner: Owner
    """The pipeline that had the problem."""
    told_by: Owner | None = None
    """The pipeline in which the warning was shown."""
    told_at: float | None = None
    """Time of the problem, in seconds since 1970."""


def read_problem(root: Path) -> Problem | None:
    """The last problem that was noted."""
    plain = _read(state_folder(root) / PROBLEM)
    if not plain:
        return None
    told_by = None if plain["told_by"] is None else Owner(**plain["told_by"])
    return Problem(plain["message"], Owner(**plain["owner"]), told_by, plain["told_at"])


def note(root: Path, problem: Problem) -> None:
    """Notes a problem, in place of the last one."""
    write_whole(state_folder(root) / PROBLEM, asdict(problem))


def note_told(root: Path, problem: Problem, owner: Owner) -> None:
    """Notes that a problem was shown."""
    note(root, replace(problem, told_by=owner, told_at=time.time()))


def forget(root: Path) -> None:
    """Removes the note of a problem, since everything is published."""
    (state_folder(root) / PROBLEM).unlink(missing_ok=True)


def _read(path: Path) -> dict[str, Any]:
    try:
        plain: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return plain
