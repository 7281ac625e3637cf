"""The background process that publishes: it imports MLflow once a pipeline run, and no stage waits for it.

It ends by itself: when everything was published, when nothing came for a while and the pipeline is gone, or when a
call on the tracker hangs. Whatever it leaves half done is recognised and done again.
"""

import logging
import os
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from mtl.errors import UserError, speak_plainly
from mtl.tracking.address import database_file
from mtl.tracking.launch import command
from mtl.tracking.ledger import Problem, forget, note, read_problem
from mtl.tracking.owner import Owner
from mtl.tracking.spool import LOCK, LOG_FILE, Answer, Request, Spool
from mtl.tracking.words import SLOW, warning

LOG = logging.getLogger("mtl.tracking")
NICE = 5
"""Niceness of the process: training goes first, but a busy machine must not starve the publisher either."""
LINGER_SECONDS = 5.0
"""Seconds that the publisher waits for more requests when the pipeline has ended or there was none."""
IDLE_SECONDS = 600.0
"""Seconds that it waits for more requests while the pipeline lives."""
AFTER_OWNER_SECONDS = 60.0
"""Seconds that it goes on publishing for a pipeline that has ended."""
STUCK_SECONDS = 11.0
"""Seconds that a call may still take when nobody waits for it any more."""
HANGS_SECONDS = 300.0
"""Seconds after which a call counts as hanging."""
BACKOFF_SECONDS = (5.0, 10.0, 20.0, 40.0, 60.0)
"""Seconds of the pauses after one, two, … failures in a row."""
TELL_SECONDS = 2.0
LONGEST_LOG = 1_000_000
EX_TEMPFAIL = 75
"""Exit code of sysexits.h; nobody reads it."""


@dataclass
class Publisher:
    """Works through the requests of one project."""

    spool: Spool
    beat: float = field(default_factory=time.monotonic)
    """Monotonic time at which the publisher was last between two calls."""
    current: Request | None = None
    failures: int = 0
    lost: bool = False
    """True when runs were given up that no later success has published."""
    not_before: float = 0.0
    told: dict[str, float] = field(default_factory=dict)
    """Request in the queue → monotonic time of the last answer about its progress."""
    gone_since: dict[Owner, float] = field(default_factory=dict)
    known: dict[str, Request] = field(default_factory=dict)
    seen: dict[str, set[tuple[tuple[str, ...], str]]] = field(default_factory=dict)
    """Runs that the publisher knows to be in the store (`mirror.Seen`)."""
    opened: dict[str, int | None] = field(default_factory=dict)
    """Address → inode of its database file, when it was first used."""

    def requests(self) -> list[Request]:
        """Requests that are waiting, oldest first."""
        names = self.spool.names()
        for name in names:
            try:
                if name not in self.known and (request := self.spool.read(name)) is not None:
                    self.known[name] = request
            except (ValueError, KeyError, TypeError, UserError):  # Of another version, or cut off by a power failure.
                LOG.exception("%s cannot be read and is dropped", name)
                self.spool.drop(name)
        self.known = {name: self.known[name] for name in names if name in self.known}
        return list(self.known.values())

    def serve(self) -> None:
        """Works through requests until there is nothing left to do."""
        last, pipelines = time.monotonic(), set[Owner]()
        while True:
            self.beat = time.monotonic()
            requests = self.requests()
            pipelines |= {request.owner for request in requests if request.owner.pipeline}
            chosen = self.choose(requests)
            if chosen is not None:
                if not self.same_database(chosen):
                    return  # MLflow goes on with the file that was deleted: a fresh process does not.
                self.attempt(chosen)
                last = time.monotonic()
                if chosen.until is not None and chosen.job.contents is None and not self.requests():
                    return  # That was the last stage.
                continue
            if not requests:
                idle = time.monotonic() - last
                if idle > IDLE_SECONDS or (idle > LINGER_SECONDS and not any(owner.goes_on for owner in pipelines)):
                    return
            time.sleep(0.1)

    def choose(self, requests: list[Request]) -> Request | None:
        """Chooses the oldest request; after a failure one that is awaited or whose pipeline ended, or none."""
        if (late := next((request for request in requests if request.expired), None)) is not None:
            return late
        if time.monotonic() >= self.not_before:
            return requests[0] if requests else None
        return next((r for r in requests if r.until is not None or not r.owner.goes_on), None)

    def same_database(self, request: Request) -> bool:
        """True when the database file is still the one that this process has opened."""
        database = database_file(request.job.uri)
        file = database.stat().st_ino if database is not None and database.exists() else None
        return self.opened.get(request.job.uri) in (None, file)

    def attempt(self, request: Request) -> None:
        """Publishes the runs of a request and answers it."""
        from mtl.tracking.mirror import Progress, mirror  # Importing MLflow takes seconds: only when there is work.

        def tell(done: Progress) -> None:
            if request.until is not None:
                self.spool.answer(request.name, Answer(done.total, done.there, done.new, None, False))

        self.current = request
        try:
            done = mirror(request.job, self.check, tell, self.seen)
        except Exception as error:  # Ours: it goes to the log whole, and to the user as a warning.
            LOG.exception("%s", request.name)
            done = Progress(0, problem=f"{type(error).__name__}; see {self.spool.folder / LOG_FILE}")
        self.current = None
        database = database_file(request.job.uri)
        if database is not None and database.exists():
            self.opened.setdefault(request.job.uri, database.stat().st_ino)
        answer = Answer(done.total, done.there, done.new, done.problem, True)
        if done.problem is None:
            self.failures, self.not_before = 0, 0.0
        else:
            LOG.warning("%s: %s", request.name, done.problem)
            self.not_before = time.monotonic() + BACKOFF_SECONDS[min(self.failures, len(BACKOFF_SECONDS) - 1)]
            self.failures += 1
            self.warn_of(request, answer)
        if done.problem is None or request.until is not None or not request.owner.goes_on:
            self.finish(request, answer)

    def finish(self, request: Request, answer: Answer) -> None:
        """Answers a request; the answer to a request for everything also settles older requests for the same runs."""
        whole = request.job.contents is None
        others = [other for other in self.requests() if other.name != request.name]
        if whole:
            for older in others:
                if older.name < request.name and older.job.key == request.job.key and older.until is None:
                    self.spool.drop(older.name)
        self.lost |= answer.problem is not None
        if answer.problem is None and (whole or not (self.lost or others)):
            problem = read_problem(request.job.root)
            if whole or (problem is not None and problem.owner.is_same(request.owner)):
                self.lost = False
                forget(request.job.root)
        # Last: who waits for it goes on at once.
        self.spool.drop(request.name)
        if request.until is not None:
            self.spool.answer(request.name, answer)

    def warn_of(self, request: Request, answer: Answer) -> None:
        """Notes the problem for whoever talks to the user next; the notes of a pipeline that was told stay."""
        before = read_problem(request.job.root)
        if before is not None and request.owner.is_same(before.told_by):
            return
        note(request.job.root, Problem(warning(request.job, answer), request.owner))

    def check(self) -> None:
        """Stops the work, between two calls on the tracker, when somebody has waited long enough or nobody is left."""
        from mtl.tracking.mirror import OutOfTime, progress

        self.beat = time.monotonic()
        for request in self.requests():  # Who waits in the queue should know how things stand, come what may.
            told = self.told.get(request.name, 0.0)
            waits = request.until is not None and request is not self.current and not request.expired
            if waits and time.monotonic() - told > TELL_SECONDS:
                self.told[request.name] = time.monotonic()
                done = progress(request.job, self.seen)
                self.spool.answer(request.name, Answer(done.total, done.there, done.new, None, False))
        expired = next((request for request in self.requests() if request.expired), None)
        if expired is not None:
            raise OutOfTime(SLOW)
        if self.current is not None and self.current.until is None:
            owner = self.current.owner
            if owner.alive:
                self.gone_since.pop(owner, None)
            elif time.monotonic() - self.gone_since.setdefault(owner, time.monotonic()) > AFTER_OWNER_SECONDS:
                raise OutOfTime(SLOW)

    def watch(self) -> None:
        """Ends the process when a call hangs; runs in a thread of its own, since nothing else can end such a call."""
        while True:
            time.sleep(1)
            hangs = time.monotonic() - self.beat
            current = self.current
            if hangs > STUCK_SECONDS and any(request.expired for request in list(self.known.values())):
                os._exit(EX_TEMPFAIL)  # Who waited says it.
            if hangs > HANGS_SECONDS:
                if current is not None:
                    self.warn_of(current, Answer(0, None, 0, "it does not answer", True))
                os._exit(EX_TEMPFAIL)


def main(folder: Path) -> None:
    """Publishes until there is nothing left to do, unless another process is at it."""
    if hasattr(os, "nice"):
        os.nice(max(0, NICE - os.nice(0)))
    with suppress(OSError):  # Linux shares out the cores by session first: the niceness of ours is set here.
        Path("/proc/self/autogroup").write_text(str(NICE))
    speak_plainly()
    logging.basicConfig(format="%(asctime)s %(name)s: %(message)s")
    spool = Spool(folder)
    spool.tidy()
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=2)
    except Timeout:
        return
    if (folder / LOG_FILE).stat().st_size > LONGEST_LOG:
        os.truncate(folder / LOG_FILE, 0)
    publisher = Publisher(spool)
    threading.Thread(target=publisher.watch, daemon=True).start()
    publisher.serve()
    lock.release()
    if spool.names():  # It came after we last looked, when whoever left it saw the lock still held.
        os.execv(sys.executable, command(folder))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
