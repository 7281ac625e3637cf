"""Publishing: which records are missing in the store, and adding them, each whole and each once."""

import hashlib
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass

from mlflow.entities import Run

from mtl.config.budgets import budgets, counted
from mtl.paths import VERDICTS, project_folder
from mtl.results.quick import QuickLook
from mtl.results.sides import lost_sides, networks
from mtl.results.study import Budgets
from mtl.results.verdicts import Verdicts
from mtl.tracking.address import database_file
from mtl.tracking.identity import digest, flat, resolved
from mtl.tracking.job import Job
from mtl.tracking.ledger import remember, shown_files, whole_state
from mtl.tracking.moved import tell_moved
from mtl.tracking.records import LOST, Record, content_of, read_run, shown_paths, summaries
from mtl.tracking.store import KEY, UNREACHABLE, Store, locked, open_store, reason
from mtl.tracking.study_records import best_points, study_params, study_records, study_tuning

CONTENT = "mtl.content"
FILES = "mtl.files"
SUPERSEDED = "mtl.superseded"
QUICK = "quick"
"""Tag of the runs of a quick look."""
PUBLISHER = "mtl.publisher"
"""Tag of a run that names who adds it and when that began (seconds since 1970)."""
FOREIGN_SECONDS = 3600
"""Seconds after which a run that another machine has not completed counts as cut off."""
NOTE = (
    "Methods against single-task models (stl): search `tags.stage = 'summary'`, open this run, take the chart view. "
    "`s0 joint` is the run of seed 0, `mean joint` the mean over seeds. "
    "`test/<task>/mse` is z-scored, `…/accuracy` a share from 0 to 1, `delta/<task>` the change against stl in percent "
    "(+ is better), `delta_simple/<task>` that against the task's simple model, `time/…_seconds` in seconds. The tag "
    "`verdict/<task>` of `mean joint` is its verdict. Intervals and figures: report.html among the artifacts."
)
STUDY_NOTE = (
    "`objective/<name>` is measured on validation data, by epoch and at the end; `excess/<name>` above zero breaks a "
    "constraint. Runs are named as `mtl tune --apply` takes them; a trial that was pruned is shown as killed. Figures: "
    "study.html among the artifacts."
)
"""First text on the page of a parent run."""
Place = tuple[str, ...]
Seen = dict[str, set[tuple[Place, str]]]
"""Key of a parent run → place and content of the runs below it, for the parents that were asked for."""


class OutOfTime(Exception):
    """Signal that no time is left, so that the work stops between two calls."""


class Replaced(Exception):
    """Signal that the result files of a run changed while it was being published, and now belong to another run."""


@dataclass
class Progress:
    """Progress of publishing."""

    total: int
    """Number of runs that should be there."""
    there: int | None = None
    """Number of runs that are there; None while it is not known."""
    new: int = 0
    """Number of runs that were added now."""
    problem: str | None = None
    """Reason why the other runs are not there."""


def mirror(job: Job, check: Callable[[], None], tell: Callable[[Progress], None], seen: Seen) -> Progress:
    """Adds the runs that are missing in the store.

    Args:
        job: what should be there.
        check: called between calls on the tracker; OutOfTime stops the work.
        tell: told after every run.
        seen: runs that this process knows to be there; runs found or added are put in.
    """
    state = whole_state(job)  # First: what changes from now on is then not taken for published.
    records = _records(job)
    done = _progress(job, records, seen)
    tell(done)
    if not records:
        return done
    try:
        with locked(job.uri, job.root, check):
            tell_moved(job.uri, job.root)
            store = open_store(job.uri, job.config.tracking.experiment, check)
            _publish(store, job, records, done, tell, seen)
            if job.contents is None and done.there == done.total:
                remember(job, state)
    except OutOfTime as stop:
        done.problem = str(stop)
    except UNREACHABLE as error:
        done.problem = reason(error)
    return done


def progress(job: Job, seen: Seen) -> Progress:
    """Counts the runs of a job that are known to be there, without asking the tracker."""
    return _progress(job, _records(job), seen)


def _progress(job: Job, records: list[Record], seen: Seen) -> Progress:
    there = None
    if job.key in seen:
        there = sum((record.place, record.content) in seen[job.key] for record in records)
    return Progress(len(records), there)


def _records(job: Job) -> list[Record]:
    """Records of the runs to be shown; a stage's run that was replaced since no longer belongs to the job."""
    if job.study is not None:
        return study_records(job.study, job.root)
    wanted = job.contents
    records = []
    for path in shown_paths(job.config, job.root):
        if wanted is None or str(path.folder) in wanted:
            record = read_run(job.config, path, job.root)
            if record is not None and (wanted is None or record.content == wanted[str(path.folder)]):
                records.append(record)
    if wanted is None and (job.root / VERDICTS).exists():
        records += summaries(records, Verdicts.read(job.root / VERDICTS))
    return records


def _publish(
    store: Store, job: Job, records: list[Record], done: Progress, tell: Callable[[Progress], None], seen: Seen
) -> None:
    parent = _parent(store, job)
    known = _known(store, parent, job)
    below = seen[job.key] = {(place, run.data.tags[CONTENT]) for place, run in known.items()}
    missing = [record for record in records if (record.place, record.content) not in below]
    done.there = len(records) - len(missing)
    tell(done)
    for record in missing:
        if record.place in known:
            store.tag(known[record.place].info.run_id, {SUPERSEDED: "true"})
            below.discard((record.place, known[record.place].data.tags[CONTENT]))
        try:
            _add(store, record, parent, job)
        except Replaced:
            done.total -= 1
            continue
        below.add((record.place, record.content))
        done.there, done.new = done.there + 1, done.new + 1
        tell(done)
    if job.contents is None:
        _show(store, parent, job)
    store.end(parent)
    if done.new:
        _known(store, _parent(store, job), job)  # An answer that was lost, and a call repeated, leave a run too many.


def _parent(store: Store, job: Job) -> str:
    """Parent run of this configuration, data and code; it is made if missing and completed if incomplete."""
    same = store.with_key(job.key)
    if not same:
        tags = {KEY: job.key, "stage": "pipeline" if job.study is None else "study", "execution": job.execution}
        tags |= {f"mtl.{part}": value for part, value in job.identity.items()}
        tags |= _noted(NOTE, _tuning(job)) if job.study is None else _noted(STUDY_NOTE, None)
        tags |= _quick(job)
        what = f"{'+'.join(job.config.prepare.sources)}: {len(job.config.tasks)} tasks"
        name = what if job.execution == "workspace" else f"{job.execution} ({what})"
        name = f"quick look: {name}" if job.config.evaluate.quick is not None else name
        if job.study is not None:
            name = f"study: {job.study}"
        store.start(f"{name} {job.key[:8]}", tags)
        same = store.with_key(job.key)
    first, *others = same
    for other in others:  # Made at the same moment by another machine, or by a call whose answer was lost.
        for child in store.children(other.info.run_id):
            store.tag(child.info.run_id, {"mlflow.parentRunId": first.info.run_id})
        store.delete(other.info.run_id)
    parent = str(first.info.run_id)
    if first.info.status != "FINISHED":
        params = flat(resolved(job.config)) if job.study is None else study_params(job.study, job.root)
        store.log(parent, [], params)
        store.log_data(parent, list(job.data.values()))
    return parent


def _quick(job: Job) -> dict[str, str]:
    """Tag of every run of a quick look; none of others."""
    look = QuickLook.of(job.config)
    return {} if look is None else {QUICK: look.budget}


def _tuning(job: Job) -> Budgets | None:
    """Trials of tuning behind the settings of every arm, where some were tuned."""
    trials = job.config.evaluate.trials
    return None if trials is None else Budgets.model_validate(budgets(trials, job.config.finetune.methods))


def _noted(note: str, tuning: Budgets | None, lost: str = "") -> dict[str, str]:
    """Tags of a parent run: the first text on its page, the number of tuning trials of each arm, and the networks that
    lose to a simple model."""
    if lost:
        text = (
            f" **Worse than the simple model of the task by more than the margin: {lost}: mend these networks first.**"
        )
        return _noted(note + text, tuning) | {LOST: lost}
    if tuning is None:
        return {"mlflow.note.content": note}
    said = counted(tuning.trials)
    mark = "" if tuning.equal else f" **Unequal budgets of tuning: {said} finished trials.**"
    return {
        "mlflow.note.content": note + mark, "tuning": said, "tuning.equal": "yes" if tuning.equal else "no",
    }  # fmt: skip


def _known(store: Store, parent: str, job: Job) -> dict[Place, Run]:
    """Complete runs below a parent by their place; runs that were cut off or are there twice are deleted."""
    complete: dict[Place, Run] = {}
    for run in store.children(parent):
        tags = run.data.tags
        place = tuple(tags[key] for key in ("stage", "method", "task", "start", "seed"))
        if run.info.status == "RUNNING":
            who, _, since = tags.get(PUBLISHER, "").partition(":")
            if who in ("", _myself(job)) or time.time() - float(since) > FOREIGN_SECONDS:
                store.delete(run.info.run_id)
        elif SUPERSEDED not in tags:
            if place in complete and complete[place].data.tags[CONTENT] == tags[CONTENT]:
                store.delete(run.info.run_id)
            else:
                complete[place] = run
    return complete


def _myself(job: Job) -> str:
    """Name of the processes that share our lock; only one publishes at a time, so incomplete runs were cut off."""
    shared = job.uri if database_file(job.uri) else [platform.node(), str(project_folder(job.root))]
    return digest(shared)[:16]


def _add(store: Store, record: Record, parent: str, job: Job) -> None:
    """Adds one run below the parent and marks it as finished last, so that an incomplete run is recognised."""
    # A stage publishes what it computed, and a summary is computed by what publishes it.
    computed = job.contents is not None or record.tags["stage"] in ("summary", "trial")
    tags = record.tags | {CONTENT: record.content, "execution": "computed" if computed else "cached"}
    tags |= {PUBLISHER: f"{_myself(job)}:{int(time.time())}"} | _quick(job)
    run_id = store.start(record.title, tags, parent, record.started)
    store.log(run_id, record.points, record.params)
    store.log_data(run_id, [job.data[name] for name in record.sources if name in job.data])
    try:
        store.log_files(run_id, record.files)
    except FileNotFoundError as error:
        if not _replaced(record):
            raise
        store.delete(run_id)
        raise Replaced from error
    if _replaced(record):
        store.delete(run_id)
        raise Replaced
    store.end(run_id, time.time() if record.finished is None else record.finished, record.status)


def _replaced(record: Record) -> bool:
    return record.folder is not None and content_of(record.folder) != record.content


def _show(store: Store, parent: str, job: Job) -> None:
    """Attaches report, figures and tables to the parent run, again when they have changed."""
    files = shown_files(job)
    content = digest(
        {file.relative_to(job.root).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    )
    store.check()
    if store.client.get_run(parent).data.tags.get(FILES) != content:
        if job.study is not None:
            store.log(parent, best_points(job.study, job.root), {})
            store.tag(parent, _noted(STUDY_NOTE, study_tuning(job.study, job.root)))
        elif (job.root / VERDICTS).exists():
            lost = networks(Verdicts.read(job.root / VERDICTS), lost_sides)
            store.tag(parent, _noted(NOTE, _tuning(job), lost))
        store.log_files(parent, files)
        store.tag(parent, {FILES: content})
