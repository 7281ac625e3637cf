"""Runs on the workers of a Dask scheduler, whose files come back as a run on this machine would have written them.

Dask says which workers there are, starts our task on them and tells how it ended; which run is made where is decided
here, so that a worker of other code is left out, and a run that is lost with its worker is made by another one. What
runs read, and what they write, travels through a store. States of runs that have not ended stay on their worker.

Dask is imported when it is needed: it takes half a second.
"""

import logging
import os
import queue
import sys
import time
import uuid
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from mtl.config import BaseConfig
from mtl.errors import UserError
from mtl.jobs.cluster_job import Order
from mtl.jobs.cluster_task import Outcome, hold
from mtl.jobs.lifeline import end_with
from mtl.jobs.local import Display, Job, epochs_of
from mtl.jobs.parcel import facts, pack, unwrap
from mtl.jobs.scheduler import OWN_STORE, STORE, absolute, check_address, no_answer
from mtl.jobs.store import Store

if TYPE_CHECKING:
    from distributed import Client, Future

CONNECT_SECONDS = 5
LOOK_SECONDS = 1.0
"""How often it is asked which workers there are, when nothing has ended."""
PATIENCE_SECONDS = 3.0
"""After this long without a worker it is said that there is none."""
NOBODY_SECONDS = 120.0
"""For how long a stage waits when there is none."""
RETURN = (1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0)
"""Seconds between the attempts to reach a scheduler that was there."""
MOST_LOSSES = 5
"""Workers with which a run may be lost before it is given up."""
GOES_ON = "what is finished is kept, and `mtl repro` goes on with the others"


@dataclass
class _Worker:
    threads: int
    running: dict[int, "Future"]
    """Number of a job → what tells how it ended."""


def run_jobs(jobs: list[Job], base: BaseConfig, scheduler: str, root: Path = Path()) -> list[Path]:
    """Runs all jobs on a scheduler's workers, as many at a time as these have threads; their folders, in order.

    Args:
        jobs: the runs.
        base: on which device.
        scheduler: address.
        root: folder of the project.

    Raises:
        UserError: a run failed, the scheduler or the store cannot be reached, or no worker can take part.
    """
    end_with(os.getppid())
    check_address(scheduler)
    url = absolute(os.environ.get(STORE) or str(root / OWN_STORE))
    store = Store(url)
    with _Crew(scheduler, jobs, root, store) as crew:
        order = Order(crew.command, url, pack(jobs, store, root), 0, base.device, facts(base.device))
        with (show := Display([job.label for job in jobs])):
            show.console.print(f"{len(jobs):,} runs on the workers of {scheduler}", highlight=False)
            for number in crew.make(order):
                show.update(number, None, epochs_of(jobs[number].where, root / jobs[number].where.folder))
    return [root / job.where.folder for job in jobs]


class _Crew:
    """The workers of a scheduler, and which run each of them makes."""

    def __init__(self, scheduler: str, jobs: list[Job], root: Path, store: Store) -> None:
        self.scheduler = scheduler
        self.jobs = jobs
        self.root = root
        self.store = store
        self.command = uuid.uuid4().hex
        self.workers: dict[str, _Worker] = {}
        """By address."""
        self.unfit: dict[str, str] = {}
        """Address of a worker that cannot take part → why."""
        self.waiting = deque(range(len(jobs)))
        self.done = 0
        self.losses: Counter[int] = Counter()
        self.outcomes: dict[str, Outcome] = {}
        """By the key of the task."""
        self.events: queue.SimpleQueue[object] = queue.SimpleQueue()
        """Something for each task that has ended."""
        self.client: Client | None = None
        self.met: str | None = None
        """The scheduler whose workers these are: it has an identity of its own each time it is started."""
        self.seen = time.monotonic()
        """When a worker was last there."""
        self.looked = -LOOK_SECONDS
        """When it was last asked which workers there are."""
        self.said: set[str] = set()

    def __enter__(self) -> "_Crew":
        self._join(())
        return self

    def __exit__(self, *_: object) -> None:
        """Ends what is still under way, and leaves workers and store as they were."""
        with suppress(Exception):  # The scheduler may be gone, in any way; then its workers are too.
            assert self.client is not None
            running = [future for worker in self.workers.values() for future in worker.running.values()]
            self.client.cancel(running, force=True)
        self._part()
        self.store.drop(self.command)
        if self.store.top == str((self.root / OWN_STORE).resolve()):
            self.store.drop("")

    def make(self, order: Order) -> Iterator[int]:
        """Makes all runs; the number of each when its files are in their place.

        Args:
            order: for each of them, with its number.

        Raises:
            UserError: as `run_jobs`.
        """
        while self.done < len(self.jobs):
            if time.monotonic() - self.looked >= LOOK_SECONDS:
                self._look()
            self._hire(order)
            self._complain()
            with suppress(queue.Empty):
                self.events.get(timeout=LOOK_SECONDS)
            for address, worker in list(self.workers.items()):
                for number, future in list(worker.running.items()):
                    outcome = self.outcomes.pop(future.key, None)
                    if outcome is None and future.status in ("error", "cancelled", "lost"):
                        outcome = self._failed(future)
                    if outcome is None:
                        continue
                    del worker.running[number]
                    if self._end(address, number, outcome):
                        self.done += 1
                        yield number

    def _join(self, pauses: tuple[float, ...]) -> None:
        try:
            from distributed import Client
        except ImportError:
            raise UserError("`--scheduler` needs Dask: `pip install 'mtl[cluster]'`.") from None
        for name in ("distributed", "distributed.client", "tornado", "tornado.application"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # Whatever it says, we say in a sentence.
        for pause in (*pauses, None):
            try:
                self.client = Client(self.scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
                self.client.subscribe_topic(self.command, self._hear)
                self.seen = time.monotonic()
                return
            except (OSError, ValueError) as error:  # A name that cannot be resolved, or nobody there.
                if pause is None and not pauses:
                    raise no_answer(self.scheduler, str(error)) from None
                if pause is None:
                    raise UserError(f"{self.scheduler} is gone: {GOES_ON}.") from None
                time.sleep(pause)

    def _part(self) -> None:
        with suppress(Exception):
            assert self.client is not None
            self.client.close(timeout=2)

    def _look(self) -> None:
        """Takes note of who has come or gone."""
        while (answer := self._there()) is None:
            self._say(f"{self.scheduler} is away; waiting {sum(RETURN):.0f} s for it at most.")
            self._part()
            self.met = None
            self._join(RETURN)
        identity, there = answer
        again = identity != self.met  # Another scheduler in its place knows nothing of our runs.
        self.met = identity
        for address in [address for address in self.workers if again or address not in there]:
            for number, future in self.workers.pop(address).running.items():
                if not again:
                    future.cancel(force=True)
                self._lose(number, counts=not again)
        for address in there.keys() - self.workers.keys():
            self.workers[address] = _Worker(there[address], {})
        self.looked = time.monotonic()
        if there:
            self.seen = self.looked

    def _there(self) -> tuple[str, dict[str, int]] | None:
        """Identity of the scheduler, and address → threads of its workers; None where it is away."""
        assert self.client is not None
        try:
            if self.client.status == "running":
                return self.client.scheduler_info(n_workers=0)["id"], self.client.nthreads()
        except OSError:  # The connection has just been closed.
            pass
        return None

    def _hire(self, order: Order) -> None:
        """Gives every worker that has a thread to spare the next run."""
        assert self.client is not None
        for address, worker in self.workers.items():
            while self.waiting and address not in self.unfit and len(worker.running) < worker.threads:
                number = self.waiting.popleft()
                future = self.client.submit(
                    hold, replace(order, number=number).dump(), self.command, key=f"mtl-{uuid.uuid4().hex}",
                    workers=[address], allow_other_workers=False, pure=False, retries=0,
                )  # fmt: skip
                future.add_done_callback(self.events.put)
                worker.running[number] = future

    def _complain(self) -> None:
        """Says that there is no worker, and gives up when there is none for long, or none that can take part."""
        if any(worker.running for worker in self.workers.values()):
            return
        if self.workers and self.workers.keys() <= self.unfit.keys():
            raise UserError(f"no worker of {self.scheduler} can take part. {next(iter(self.unfit.values()))}")
        absent = time.monotonic() - self.seen
        if absent > PATIENCE_SECONDS:
            self._say(f"{self.scheduler} has no worker; `dask worker {self.scheduler}` is one.")
        if absent > NOBODY_SECONDS:
            raise UserError(
                f"{self.scheduler} has had no worker for {NOBODY_SECONDS:.0f} s: start some (`dask worker "
                f"{self.scheduler}`); {GOES_ON}."
            )

    def _hear(self, event: tuple[float, Outcome]) -> None:
        """Notes how a run ended, in a thread of Dask's: the worker tells the scheduler, and that tells us."""
        self.outcomes[event[1]["key"]] = event[1]
        self.events.put(None)

    def _failed(self, future: "Future") -> Outcome | None:
        """How a task ended that could tell nothing; None where it is the connection that ended."""
        if future.status != "error":
            self._part()  # `_look` finds it gone, and all runs under way begin again.
            self.looked = -LOOK_SECONDS
            return None
        error = future.exception()
        if type(error).__name__ == "KilledWorker":
            return {"end": "killed", "text": ""}
        return {"end": "unfit", "text": f"it cannot run mtl: {error}."}

    def _end(self, address: str, number: int, outcome: Outcome) -> bool:
        """Takes a run that has ended; whether it was made."""
        label = self.jobs[number].label
        text, worker = outcome["text"], outcome.get("by", address)
        match outcome["end"]:
            case "done":
                with TemporaryDirectory() as folder:
                    archive = Path(folder, "run.tar")
                    self.store.get(text, archive, self.command)
                    unwrap(archive, self.jobs[number].where, self.root)
                return True
            case "problem":
                raise UserError(f"{label}, on the worker {worker}: {text}")
            case "failed":
                raise RuntimeError(f"{label}: worker {worker} failed: {text}; its log holds the traceback")
            case "unfit":
                self.unfit[address] = f"Worker {worker}: {text}"
                self._say(f"A worker is left out. {self.unfit[address]}")
                self.waiting.appendleft(number)
            case _:
                self._lose(number, counts=True)
        return False

    def _lose(self, number: int, counts: bool) -> None:
        """Puts a run that was lost first in the queue again; `counts` where its worker was lost, not the scheduler."""
        self.waiting.appendleft(number)
        self.losses[number] += counts
        label = self.jobs[number].label
        if self.losses[number] >= MOST_LOSSES:
            raise UserError(
                f"{label} was lost with its worker {MOST_LOSSES} times (out of memory? `dask worker` with fewer "
                f"--nthreads needs less): {GOES_ON}."
            )
        if counts:
            self._say(f"{label} was lost with its worker; another one makes it from its start.", once=False)

    def _say(self, text: str, once: bool = True) -> None:
        if not once or text not in self.said:
            self.said.add(text)
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()
