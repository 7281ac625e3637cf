"""The MLflow database and experiment, made once, and the few calls that are made on them."""

import json
import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# A server that is away should cost seconds: results do not depend on it.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")

from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, RunStatus, RunTag, ViewType

from mtl.config import Config
from mtl.tracking.address import database_file, project_folder, resolve_uri
from mtl.tracking.records import DataUsed, Point

METRICS_A_BATCH = 1000
PARAMS_A_BATCH = 100
LONGEST_VALUE = 6000
"""Limits of MLflow's log_batch and of a parameter's length."""
KEY = "mtl.key"
LOCK_SECONDS = 600


@dataclass(frozen=True)
class Store:
    """An open experiment."""

    client: MlflowClient
    experiment_id: str
    uri: str

    def find(self, key: str) -> Run | None:
        """The run with a key, unless it was deleted."""
        found = self.client.search_runs([self.experiment_id], f"tags.`{KEY}` = '{key}'", max_results=1)
        return found[0] if found else None

    def children(self, parent: str) -> list[Run]:
        """Every run below a parent."""
        query = f"tags.`mlflow.parentRunId` = '{parent}'"
        found: list[Run] = []
        token: str | None = None
        while True:
            page = self.client.search_runs([self.experiment_id], query, ViewType.ACTIVE_ONLY, 1000, page_token=token)
            found += page
            token = page.token
            if not token:
                return found

    def start(self, name: str, tags: Mapping[str, str], parent: str | None = None, started: float | None = None) -> str:
        """Creates a run and returns its id; `started` in seconds since 1970."""
        below = {} if parent is None else {"mlflow.parentRunId": parent}
        moment = int(1000 * (started if started is not None else time.time()))
        run = self.client.create_run(self.experiment_id, moment, dict(tags) | below, name)
        run_id: str = run.info.run_id
        return run_id

    def end(self, run_id: str, finished: float | None = None) -> None:
        """Marks a run as complete: one that is not was cut off while being published."""
        moment = None if finished is None else int(1000 * finished)
        self.client.set_terminated(run_id, RunStatus.to_string(RunStatus.FINISHED), moment)

    def log(self, run_id: str, points: Sequence[Point], params: Mapping[str, object]) -> None:
        """Metrics and parameters, in as few calls as MLflow's limits admit."""
        now = int(1000 * time.time())
        metrics = [Metric(point.name, point.value, now, point.step) for point in points]
        for start in range(0, len(metrics), METRICS_A_BATCH):
            self.client.log_batch(run_id, metrics=metrics[start : start + METRICS_A_BATCH])
        entries = [Param(name, str(value)[:LONGEST_VALUE]) for name, value in params.items()]
        for start in range(0, len(entries), PARAMS_A_BATCH):
            self.client.log_batch(run_id, params=entries[start : start + PARAMS_A_BATCH])

    def log_data(self, run_id: str, used: Sequence[DataUsed]) -> None:
        """The data sets of a run, by digest."""
        inputs = [
            DatasetInput(
                Dataset(data.name, data.digest, "local", json.dumps({"uri": data.uri}), None, json.dumps(data.profile)),
                [InputTag("mlflow.data.context", "training and evaluation")],
            )
            for data in used
        ]
        if inputs:
            self.client.log_inputs(run_id, inputs)

    def log_files(self, run_id: str, files: Mapping[Path, str | None]) -> None:
        """Copies files into a run: path → folder in the run, or None for its top."""
        for path, folder in files.items():
            self.client.log_artifact(run_id, str(path), folder)

    def tag(self, run_id: str, tags: Mapping[str, str]) -> None:
        self.client.log_batch(run_id, tags=[RunTag(name, value) for name, value in tags.items()])


def open_store(config: Config, root: Path) -> Store:
    """Creates database and experiment unless they exist, under the lock."""
    uri = resolve_uri(config, root)
    with locked(uri, root):
        return _open(config, uri)


@contextmanager
def locked(uri: str, root: Path) -> Iterator[None]:
    """One process at a time: two that create a fresh SQLite database break it for good, and two that look for the
    same key would both add it."""
    database = database_file(uri)
    if database is None:
        path = project_folder(root) / ".mtl" / "tracking.lock"
    else:
        path = database.with_name(database.name + ".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path, timeout=LOCK_SECONDS):
        yield


def _open(config: Config, uri: str) -> Store:
    for noisy in ("alembic", "mlflow.store.db.utils"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    client = MlflowClient(tracking_uri=uri)
    name = config.tracking.experiment
    experiment: Any = client.get_experiment_by_name(name)
    if experiment is None:
        database = database_file(uri)
        place = None if database is None else (database.parent / "mlartifacts").as_uri()
        return Store(client, client.create_experiment(name, artifact_location=place), uri)
    if experiment.lifecycle_stage == "deleted":
        client.restore_experiment(experiment.experiment_id)
    return Store(client, experiment.experiment_id, uri)
