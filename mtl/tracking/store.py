"""The MLflow database and experiment, made once, and the few calls that are made on them."""

import json
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
# A server that is away should cost seconds: results do not depend on it.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")

import requests
from filelock import FileLock, Timeout
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, RunTag, ViewType
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError
from urllib3.exceptions import ResponseError

from mtl.tracking.address import check_length, database_file, state_folder, without_password
from mtl.tracking.identity import accepted
from mtl.tracking.moved import ARTEFACTS, OWN_PLACE
from mtl.tracking.points import Point
from mtl.tracking.records import DataUsed

METRICS_A_BATCH = 1000
PARAMS_A_BATCH = 100
LONGEST_VALUE = 6000
"""Limits of MLflow's log_batch and of a parameter's length."""
KEY = "mtl.key"
LOCK_SECONDS = 600
BUSY_SECONDS = 5
"""Seconds that another program may lock the database before the tracker counts as unreachable."""
LONGEST_REASON = 240
UNREACHABLE = (MlflowException, SQLAlchemyError, sqlite3.Error, requests.RequestException, OSError)
"""Exceptions that the tracker is to blame for."""


def reason(error: BaseException) -> str:
    """Reason of a failure in one line; MLflow wraps the system's message in several others."""
    shown, inner = error, error.__cause__ or error.__context__
    while inner is not None:
        if isinstance(inner, ConnectionError | TimeoutError | sqlite3.Error | ResponseError):
            shown = inner
        inner = inner.__cause__ or inner.__context__
    text = without_password(" ".join(str(shown).split())) or type(shown).__name__
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]}…"


@dataclass(frozen=True)
class Store:
    """An open experiment."""

    client: MlflowClient
    experiment_id: str
    uri: str
    check: Callable[[], None]
    """Called between calls; what it raises stops the work there."""

    def with_key(self, key: str) -> list[Run]:
        """Runs with a key that were not deleted, oldest first, so that every process takes the same run as first."""
        runs = self._search(f"tags.`{KEY}` = '{key}'")
        return sorted(runs, key=lambda run: (int(run.info.start_time), str(run.info.run_id)))

    def children(self, parent: str) -> list[Run]:
        """Every run below a parent, always in the same order."""
        return self._search(f"tags.`mlflow.parentRunId` = '{parent}'")

    def _search(self, query: str) -> list[Run]:
        runs: list[Run] = []
        token: str | None = None
        while True:
            self.check()
            page = self.client.search_runs([self.experiment_id], query, ViewType.ACTIVE_ONLY, 1000, page_token=token)
            runs += page
            token = page.token
            if not token:
                return sorted(runs, key=lambda run: str(run.info.run_id))

    def start(self, name: str, tags: Mapping[str, str], parent: str | None = None, started: float | None = None) -> str:
        """Creates a run and returns its id; `started` is in seconds since 1970."""
        self.check()
        below = {} if parent is None else {"mlflow.parentRunId": parent}
        moment = int(1000 * (started if started is not None else time.time()))
        run = self.client.create_run(self.experiment_id, moment, dict(tags) | below, name)
        run_id: str = run.info.run_id
        return run_id

    def end(self, run_id: str, finished: float | None = None, status: str = "FINISHED") -> None:
        """Marks a run as complete, whatever its status: runs that still count as running were cut off."""
        self.check()
        moment = None if finished is None else int(1000 * finished)
        self.client.set_terminated(run_id, status, moment)

    def delete(self, run_id: str) -> None:
        """Moves a run to MLflow's bin."""
        self.check()
        self.client.delete_run(run_id)

    def log(self, run_id: str, points: Sequence[Point], params: Mapping[str, object]) -> None:
        """Logs metrics and parameters in as few calls as MLflow's limits admit."""
        now = int(1000 * time.time())
        metrics = [Metric(point.name, point.value, now, point.step) for point in points]
        for start in range(0, len(metrics), METRICS_A_BATCH):
            self.check()
            self.client.log_batch(run_id, metrics=metrics[start : start + METRICS_A_BATCH])
        entries = [Param(name, str(value)[:LONGEST_VALUE]) for name, value in accepted(params).items()]
        for start in range(0, len(entries), PARAMS_A_BATCH):
            self.check()
            self.client.log_batch(run_id, params=entries[start : start + PARAMS_A_BATCH])

    def log_data(self, run_id: str, used: Sequence[DataUsed]) -> None:
        """Logs the data sets of a run, by digest."""
        inputs = [
            DatasetInput(
                Dataset(data.name, data.digest, "local", json.dumps({"uri": data.uri}), None, json.dumps(data.profile)),
                [InputTag("mlflow.data.context", "training and evaluation")],
            )
            for data in used
        ]
        if inputs:
            self.check()
            self.client.log_inputs(run_id, inputs)

    def log_files(self, run_id: str, files: Mapping[Path, str | None]) -> None:
        """Copies files into a run: path → folder in the run, or None for its top."""
        for path, folder in files.items():
            self.check()
            self.client.log_artifact(run_id, str(path), folder)

    def tag(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Sets tags of a run."""
        self.check()
        self.client.log_batch(run_id, tags=[RunTag(name, value) for name, value in tags.items()])


@contextmanager
def locked(uri: str, root: Path, check: Callable[[], None]) -> Iterator[None]:
    """Holds a lock on the store: two processes that create a fresh SQLite database break it for good, and two that
    look for the same key would both add it. `check` is called while another process holds the lock."""
    database = database_file(uri)
    path = state_folder(root) / "store.lock" if database is None else database.with_name(database.name + ".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    lock, end = FileLock(path), time.monotonic() + LOCK_SECONDS
    while not lock.is_locked:
        check()
        with suppress(Timeout):
            lock.acquire(timeout=0.2)
        if not lock.is_locked and time.monotonic() > end:
            raise TimeoutError(f"{path} is held by another process")
    try:
        yield
    finally:
        lock.release()


def open_store(uri: str, experiment: str, check: Callable[[], None]) -> Store:
    """Creates database and experiment unless they exist; call it under the lock.

    Raises:
        UNREACHABLE: any of these exceptions, when the tracker cannot be reached or used.
    """
    # What they say of every attempt is said once, when the last one has failed.
    for noisy in ("alembic", "mlflow.store.db.utils", "urllib3.connectionpool"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    database = database_file(uri)
    if database is not None:
        _probe(database)
    check()
    client = MlflowClient(tracking_uri=uri)
    entry: Any = client.get_experiment_by_name(experiment)
    check()
    if entry is None:
        place = None if database is None else (database.parent / ARTEFACTS).as_uri()
        tags = None if database is None else {OWN_PLACE: "beside the database"}
        try:
            return Store(client, client.create_experiment(experiment, place, tags), uri, check)
        except MlflowException:
            entry = client.get_experiment_by_name(experiment)
            if entry is None:  # Else another made it, or we did and the answer was lost.
                raise
    if entry.lifecycle_stage == "deleted":
        client.restore_experiment(entry.experiment_id)
    return Store(client, entry.experiment_id, uri, check)


def _probe(database: Path) -> None:
    """Opens the file with SQLite, which reports a locked, read-only or broken database at once, not after minutes."""
    database.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(database, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        connection.execute("ROLLBACK")
    check_length(database)
