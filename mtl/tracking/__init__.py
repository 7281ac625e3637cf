"""The only door to MLflow: a mirror of the result files, never their source and never read by a stage.

One parent run for each resolved configuration, data and code; below it a run for each training run and a summary
for each method. What is there already is recognised by a key, so publishing again adds nothing.

Training stages leave a request and go on (`publish_stage`); a process in the background works through them. The last
stage waits for it, within bounds (`publish`); `sync` does the same here, and takes the time it needs.
"""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from mtl.config import PARAMS, Config, load_config
from mtl.errors import ConfigError
from mtl.tracking.address import database_file, resolve_uri, vanishes, without_password
from mtl.tracking.job import Job, make, make_study
from mtl.tracking.launch import ensure
from mtl.tracking.ledger import Problem, forget, is_published, note_told, read_problem
from mtl.tracking.moved import tell_moved
from mtl.tracking.owner import current_owner
from mtl.tracking.spool import Answer, spool_of, wait_for
from mtl.tracking.study_records import study_names
from mtl.tracking.words import SLOW, remedy, warning

__all__ = [
    "Published", "TrackerError", "open_database", "publish", "publish_stage", "publish_study", "resolve_uri",
    "settle", "sync", "tell_problem", "warned_since",
]  # fmt: skip

LOG = logging.getLogger("mtl.tracking")
PATIENCE_SECONDS = 18.0
"""Seconds that the last stage waits for a tracking server."""
LOCAL_PATIENCE_SECONDS = 90.0
"""Seconds that it waits for a database file, which is slow only on a busy machine and fails at once if unusable."""
GRACE_SECONDS = 12.0
"""Seconds that it then waits for the publisher to stop between two calls."""
MOST_STARTS = 2


class TrackerError(Exception):
    """Failure to reach or use the tracker; the message gives the reason."""


@dataclass(frozen=True)
class Published:
    """Outcome of publishing."""

    new: int = 0
    """Number of runs that were added."""
    present: int = 0
    """Number of runs that were there before."""
    problem: str | None = None
    """The warning, when not everything could be published."""


def publish_stage(stage: str, folders: Sequence[Path], root: Path = Path()) -> None:
    """Asks for the runs that a stage has just computed to be published, and does not wait for it.

    A stage sees only its own sections of params.yaml, and tracking is none of them: the file is read here. In a
    temporary workspace of DVC's, which vanishes with its files, it waits as `publish` does.

    Args:
        stage: "simple", "pretrain", "baseline", "finetune" or "specialise".
        folders: folders of its runs, as in `RunPath.folder`, below `root` or relative to it.
        root: folder of the project.
    """
    here = root.resolve()
    relative = {path.relative_to(here) if path.is_absolute() else path for path in folders}
    try:
        job = _snapshot(None, root, relative)
        if job is None or not job.contents:
            return
        tell_problem(root, of_others=True)
        if not vanishes(root):
            spool_of(root).put(job, current_owner(), None)
            ensure(root)
        elif not _was_told(root):
            _ask(job, None)
    except (ConfigError, OSError) as error:  # Hours of training should not fail for an address or a full disk.
        _tell(root, f"The runs are not in MLflow: {error} Results are safe; `mtl sync` publishes them later.")


def publish(config: Config | None = None, root: Path = Path(), patience: float | None = None) -> Published:
    """Mirrors every run, the summaries of the methods, and the report; whatever is there already is left alone.

    A tracker that cannot be had costs one warning and some seconds, never the results.

    Args:
        config: the whole configuration; None reads it from params.yaml.
        root: folder of the project.
        patience: seconds to wait for the tracker; None takes the default of its kind (server or file).
    """
    try:
        job = _snapshot(config, root, None)
        if job is None or is_published(job):
            return Published()
        return _ask(job, patience)
    except (ConfigError, OSError) as error:
        message = f"The runs are not in MLflow: {error} Results are safe; `mtl sync` publishes them later."
        _tell(root, message)
        return Published(problem=message)


def publish_study(config: Config, name: str, root: Path = Path(), wait: bool = False) -> Published:
    """Mirrors a study as studies/NAME/study.json has it: a parent run, and a run for each trial that came to an end.

    Args:
        config: the whole configuration.
        name: the study's name.
        root: folder of the project.
        wait: until everything is there, within the bounds of `publish`; otherwise a process in the background does it
            while the study goes on.
    """
    try:
        if not config.tracking.enabled:
            return Published()
        job = make_study(config, root, name)
        if wait:
            return Published() if is_published(job) else _ask(job, None)
        spool_of(root).put(job, replace(current_owner(), pipeline=True), None)
        ensure(root)
    except (ConfigError, OSError) as error:
        message = f"The study is not in MLflow: {error} Results are safe; `mtl sync` publishes them later."
        _tell(root, message)
        return Published(problem=message)
    return Published()


def settle(root: Path = Path(), patience: float = PATIENCE_SECONDS) -> None:
    """Waits until the stages' requests are worked through, and prints the problem if there was one."""
    spool = spool_of(root)
    wait_for(lambda: not spool.names(), time.time() + patience, _starter(root))
    tell_problem(root)


def sync(
    config: Config, root: Path = Path(), tell: Callable[[int, int], None] = lambda there, total: None
) -> Published:
    """Publishes, in this process and without a time limit, what the store does not hold; warns of nothing.

    Args:
        config: the whole configuration.
        root: folder of the project.
        tell: called after every run with the number of runs that are there and the number that there should be.

    Raises:
        ConfigError: the address is of a kind that cannot be used.
    """
    if not config.tracking.enabled:
        return Published()
    from mtl.tracking.mirror import mirror

    new = present = 0
    for job in (make(config, root), *(make_study(config, root, name) for name in study_names(root))):
        done = mirror(job, lambda: None, lambda progress: tell(progress.there or 0, progress.total), {})
        new, present = new + done.new, present + (done.there or 0) - done.new
        if done.problem is not None:
            answer = Answer(done.total, done.there, done.new, done.problem, True)
            return Published(new, present, warning(job, answer))
    forget(root)
    return Published(new, present)


def open_database(config: Config, root: Path = Path()) -> str:
    """Creates database and experiment unless they exist; returns the experiment's id.

    Raises:
        ConfigError: the address is of a kind that cannot be used.
        TrackerError: the tracker cannot be reached or used.
    """
    from mtl.tracking.store import UNREACHABLE, locked, open_store, reason

    uri = resolve_uri(config, root)
    try:
        with locked(uri, root, lambda: None):
            tell_moved(uri, root)
            return open_store(uri, config.tracking.experiment, lambda: None).experiment_id
    except UNREACHABLE as error:
        why = reason(error)
        raise TrackerError(f"MLflow at {without_password(uri)} cannot be used: {why}.{remedy(uri, why)}") from error


def tell_problem(root: Path = Path(), of_others: bool = False) -> None:
    """Prints once a problem that was noted but not shown yet; `of_others` skips a problem of this pipeline run."""
    problem, me = read_problem(root), current_owner()
    if problem is None or problem.told_by is not None:
        return
    if of_others and (me.is_same(problem.owner) or problem.owner.alive):
        return  # This run's last stage says it.
    LOG.warning("%s", problem.message)
    note_told(root, problem, me)


def warned_since(moment: float, root: Path = Path()) -> bool:
    """True when the warning was given after a moment (seconds since 1970)."""
    problem = read_problem(root)
    return problem is not None and problem.told_at is not None and problem.told_at >= moment


def _snapshot(config: Config | None, root: Path, folders: set[Path] | None) -> Job | None:
    config = config or load_config(root / PARAMS)
    return make(config, root, folders) if config.tracking.enabled else None


def _tell(root: Path, message: str) -> None:
    """Gives the one warning of this pipeline run, unless it was given."""
    if not _was_told(root):
        LOG.warning("%s", message)
    with suppress(OSError):  # A full disk: then it is said again.
        note_told(root, Problem(message, current_owner()), current_owner())


def _was_told(root: Path) -> bool:
    """True when this pipeline run has given its one warning."""
    problem = read_problem(root)
    return problem is not None and current_owner().is_same(problem.told_by)


def _starter(root: Path) -> Callable[[], None]:
    """Starts the publisher when it is not alive, but not again and again: it may be broken."""
    starts = 0

    def start() -> None:
        nonlocal starts
        if starts < MOST_STARTS:
            starts += ensure(root)

    return start


def _ask(job: Job, patience: float | None) -> Published:
    """Leaves a request, waits for the answer, and warns unless the answer says that everything is there."""
    if patience is None:
        patience = PATIENCE_SECONDS if database_file(job.uri) is None else LOCAL_PATIENCE_SECONDS
    spool, until = spool_of(job.root), time.time() + patience
    name, start = spool.put(job, current_owner(), until), _starter(job.root)

    def final() -> bool:
        answer = spool.answered(name)
        return answer is not None and answer.final

    start()
    wait_for(final, until + GRACE_SECONDS, start)
    answer = spool.answered(name)
    spool.close(name)
    if answer is None or not answer.final:
        answers = answer is not None and answer.there is not None
        problem = SLOW if answers else f"no answer within {patience:.0f} s"
        answer = replace(answer or Answer(0, None, 0, None, False), problem=problem)
    present = (answer.there or 0) - answer.new
    if answer.problem is None:
        return Published(answer.new, present)
    message = warning(job, answer)
    _tell(job.root, message)
    return Published(answer.new, present, message)
