"""The processes of a study: one is started for each that is lost, and they end with the process that started them.

They are ours and not those of a local Dask cluster, which would give nothing here and cost: they are forked, so that
the first trial starts at once (Dask starts its workers afresh, seconds of imports each, and a scheduler before them);
they may share a SQLite file; a killed one is noticed in the same moment; Ctrl-C and kill -9 of the command end them;
and no port is opened, through which whoever may connect could run code. Dask is for other machines: see `cluster`.
"""

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

import optuna

from mtl.cli.study.plan import Plan
from mtl.cli.study.storage import GONE, Store, gone
from mtl.cli.study.study import count_finished, is_done, reap_all
from mtl.cli.study.trial import News, work
from mtl.errors import UserError
from mtl.jobs.lifeline import end_with
from mtl.jobs.local import process_context

SHOW_SECONDS = 1.0
MOST_LOST = 4
"""Workers that may be lost, one after the other, while no trial is finished: for each that was asked for."""


@dataclass
class _Worker:
    process: Any
    channel: Connection


class Losses:
    """Counts the workers that were lost since a trial was last finished, and ends a study that cannot go on."""

    def __init__(self, plan: Plan, store: Store) -> None:
        self.plan, self.store = plan, store
        self.lost, self.finished_before = 0, -1

    def add(self, count: int) -> None:
        """Another one of `count` was lost.

        Raises:
            UserError: again and again.
        """
        done = sum(self.store.again(lambda: count_finished(self.plan, self.store)).values())
        more = done > self.finished_before
        self.lost, self.finished_before = (1, done) if more else (self.lost + 1, self.finished_before)
        if self.lost > MOST_LOST * count:
            raise UserError(
                "workers are ended from outside again and again (killed, or the machine is out of "
                "memory: fewer `--workers` need less). The same command goes on from the last states."
            )


def run(plan: Plan, store: Store, count: int, timeout: float | None, show: Callable[[list[News], bool], None]) -> bool:
    """Runs a study in `count` processes; whether it is complete (it is not when the time ran out).

    Args:
        plan: of the study, which is stored.
        store: where it is stored.
        count: processes.
        timeout: seconds after which no trial is begun; None: never.
        show: given the trials under way about once a second, and at the end, when its second argument is true.

    Raises:
        UserError: no trial can be trained, or workers are lost again and again. Nothing that was finished is lost.
    """
    until = None if timeout is None else time.monotonic() + timeout
    context = process_context(plan.config.base)
    workers: list[_Worker] = []
    under_way: dict[int, News] = {}
    losses = Losses(plan, store)

    def start() -> None:
        ours, theirs = context.Pipe(duplex=False)
        store.close()  # A connection that both sides of a fork had would be a mess.
        url = store.url.render_as_string(hide_password=False)
        process = context.Process(target=_enter, args=(plan, url, until, theirs, os.getpid()))
        process.start()
        theirs.close()
        workers.append(_Worker(process, ours))

    try:
        for _ in range(count):
            start()
        shown = 0.0
        while workers:
            wait([part for w in workers for part in (w.channel, w.process.sentinel)], timeout=SHOW_SECONDS)
            for worker in list(workers):
                problem = _listen(worker, under_way)
                if problem is not None:
                    raise problem
                if worker.process.is_alive():
                    continue
                worker.process.join()
                problem = _listen(worker, under_way)  # It may have come with its end.
                if problem is not None:
                    raise problem
                under_way.pop(worker.process.pid, None)
                workers.remove(worker)
                if worker.process.exitcode > 0:
                    raise RuntimeError("a worker failed; its traceback stands above")
                if worker.process.exitcode < 0:
                    losses.add(count)
                    start()
            if time.monotonic() - shown > SHOW_SECONDS:
                store.again(lambda: show(list(under_way.values()), False))
                shown = time.monotonic()
    finally:
        for worker in workers:
            worker.process.kill()
        for worker in workers:
            worker.process.join()
        with suppress(*GONE), store.turn(plan.name):
            reap_all(plan, store)
    store.again(lambda: show([], True))
    return store.again(lambda: is_done(plan, store))


def _listen(worker: _Worker, under_way: dict[int, News]) -> UserError | None:
    """Takes a worker's news; the error that it ended with, if there is one."""
    try:
        while worker.channel.poll():
            message = worker.channel.recv()
            if isinstance(message, UserError):
                return message
            under_way[worker.process.pid] = message
    except (EOFError, OSError):  # It is gone; its exit code says the rest.
        pass
    return None


def _enter(plan: Plan, url: str, until: float | None, channel: Connection, parent: int) -> None:
    """In a new process: leave Ctrl-C to the parent, die with it, and work."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    end_with(parent)
    try:
        work(plan, Store(url, plan.root), until, channel.send)
    except UserError as error:
        channel.send(UserError(str(error)))
    except GONE as error:
        channel.send(gone(error))
    except BrokenPipeError:
        os._exit(1)
    except Exception:
        traceback.print_exc()
        sys.exit(1)
