"""The workers that train a study on a Dask cluster: a job for each of them, and what became of it.

Workers may come and go, and so may the scheduler: another one in its place is joined, and its workers get jobs again.

Dask is imported when it is needed: it takes half a second.
"""

import sys
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mtl.cli.study.cluster_job import order_for
from mtl.cli.study.cluster_task import GRACE_SECONDS, Outcome, hold
from mtl.cli.study.plan import Plan
from mtl.cli.study.storage import RETURN, Store
from mtl.cli.study.trial import News
from mtl.cli.study.workers import Losses
from mtl.errors import UserError

if TYPE_CHECKING:
    from distributed import Client, Future

CONNECT_SECONDS = 5
PATIENCE_SECONDS = 3.0
"""After this long without a worker it is said that there is none."""
NOBODY_SECONDS = 120.0
"""For how long a study waits when there is none."""
STOP_SECONDS = GRACE_SECONDS + 4


@dataclass
class _Job:
    name: str
    future: "Future"
    news: News | None = None
    ended: bool = False


@dataclass
class Crew:
    """The jobs of a study, by the address of their worker."""

    scheduler: str
    plan: Plan
    store: Store
    count: int | None
    until: float | None
    jobs: dict[str, _Job] = field(default_factory=dict)
    unfit: dict[str, str] = field(default_factory=dict)
    """Address of a worker that cannot take part → why."""
    client: "Client | None" = None
    met: str | None = None
    """The scheduler that tells us the news: it has an identity of its own each time it is started."""
    seen: float = 0.0
    """When a worker was last there."""
    said: set[str] = field(default_factory=set)
    most: int = 1
    """Jobs at one time, at most."""

    def __post_init__(self) -> None:
        self.topic = f"mtl-{uuid.uuid4().hex}"
        self.losses = Losses(self.plan, self.store)

    @property
    def under_way(self) -> list[News]:
        return [job.news for job in self.jobs.values() if job.news is not None]

    def join(self, pauses: tuple[float, ...]) -> None:
        """Connects to the scheduler.

        Raises:
            UserError: it cannot be reached after some attempts.
        """
        try:
            from distributed import Client
        except ImportError:
            raise UserError("`--scheduler` needs Dask: `pip install 'mtl[cluster]'`.") from None
        for pause in (*pauses, None):
            try:
                self.client = Client(self.scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
                self.seen = time.monotonic()
                return
            except (OSError, ValueError) as error:  # A name that cannot be resolved, or nobody there.
                reason = " ".join(str(error).split())[:240].rstrip(".")
                if pause is None:
                    raise UserError(
                        f"`--scheduler` {self.scheduler} cannot be reached: {reason}. `dask scheduler` starts one; "
                        "what the study has finished is kept, and the same command goes on."
                    ) from None
                self._say(f"{self.scheduler} cannot be reached; trying again.")
                time.sleep(pause)

    def look(self) -> None:
        """Takes note of who has come, gone or ended, and gives those who have nothing to do a job.

        Raises:
            UserError: as `mtl.cli.study.cluster.run_on`.
        """
        there = self._workers()
        for address in list(self.jobs):
            if address not in there:
                self._lose(address)
            elif self.jobs[address].future.done():
                self._end(address, there[address])
        if self.until is None or time.monotonic() < self.until:
            self._hire(there)
        if there or self.jobs:
            self.seen = time.monotonic()
        if there and not self.jobs and there.keys() <= self.unfit.keys():
            raise UserError(f"no worker of {self.scheduler} can take part. {next(iter(self.unfit.values()))}")
        absent = time.monotonic() - self.seen
        if absent > PATIENCE_SECONDS:
            self._say(f"{self.scheduler} has no worker; `dask worker {self.scheduler}` in the project's folder is one.")
        if absent > NOBODY_SECONDS:
            raise UserError(
                f"{self.scheduler} has had no worker for {NOBODY_SECONDS:.0f} s: start some in the project's "
                f"folder (`dask worker {self.scheduler}`). The same command goes on."
            )

    def dismiss(self) -> None:
        """Ends all jobs, which hand back their trials, and leaves the scheduler."""
        if self.client is None:
            return
        with suppress(Exception):  # It may be gone, in any way; then its workers are too, and their processes.
            self.client.cancel([job.future for job in self.jobs.values()], force=True)
            end = time.monotonic() + STOP_SECONDS
            while time.monotonic() < end and not all(job.ended for job in self.jobs.values()):
                time.sleep(0.1)
        with suppress(Exception):
            self.client.close(timeout=2)

    def _workers(self) -> dict[str, str]:
        """Address → name of every worker."""
        assert self.client is not None
        try:
            if self.client.status == "running":
                info = self.client.scheduler_info(n_workers=-1)
                if info["id"] != self.met:  # Another one in its place knows nobody who listens.
                    self.met = info["id"]
                    self.client.subscribe_topic(self.topic, self._hear)
                workers = info["workers"]
                return {address: f"{worker['name']} on {worker['host']}" for address, worker in workers.items()}
        except OSError:  # The connection has just been closed.
            pass
        self._say(f"{self.scheduler} is away; waiting {sum(RETURN):.0f} s for it at most.")
        with suppress(Exception):
            self.client.close(timeout=1)
        self.met = None
        self.jobs.clear()  # A worker ends with its scheduler, and its processes with it.
        self.join(RETURN)
        return self._workers()

    def _hire(self, there: dict[str, str]) -> None:
        assert self.client is not None
        for address in there.keys() - self.jobs.keys() - self.unfit.keys():
            if self.count is not None and len(self.jobs) >= self.count:
                return
            seconds = None if self.until is None else max(0.0, self.until - time.monotonic())
            name = uuid.uuid4().hex
            future = self.client.submit(
                hold, order_for(self.plan, self.store, seconds).dump(), self.topic, name, key=f"mtl-{name}",
                workers=[address], allow_other_workers=False, pure=False, retries=0,
            )  # fmt: skip
            self.jobs[address] = _Job(name, future)
            self.most = max(self.most, len(self.jobs))

    def _hear(self, event: tuple[float, dict[str, Any]]) -> None:
        """News of a job, in a thread of Dask's."""
        message = event[1]
        for job in list(self.jobs.values()):
            if job.name == message["job"]:
                if "news" in message:
                    job.news = News(**message["news"])
                job.ended = job.ended or "ended" in message

    def _lose(self, address: str) -> None:
        assert self.client is not None
        job = self.jobs.pop(address)
        self.client.cancel([job.future], force=True)
        self.losses.add(self.most)

    def _end(self, address: str, worker: str) -> None:
        job = self.jobs.pop(address)
        outcome: Outcome
        if job.future.status == "finished":
            outcome = job.future.result()
        elif job.future.status == "error":  # Our task could not even begin there.
            outcome = {"end": "unfit", "text": f"it cannot run mtl: {job.future.exception()}"}
        else:
            outcome = {"end": "killed", "text": ""}
        text = outcome["text"]
        match outcome["end"]:
            case "problem":
                raise UserError(text)
            case "failed":
                raise RuntimeError(f"worker {worker} failed: {text}; its log holds the traceback")
            case "unfit":
                self.unfit[address] = f"Worker {worker}: {text}"
                self._say(f"A worker is left out. {self.unfit[address]}")
            case "away":
                self._say(f"Worker {worker}: {text}")
                self.losses.add(self.most)
            case "killed":
                self.losses.add(self.most)

    def _say(self, text: str) -> None:
        """Once."""
        if text not in self.said:
            self.said.add(text)
            print(text, file=sys.stderr, flush=True)
