"""Runs side by side in processes of their own, each with a progress bar on a terminal or a line in logs."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from mtl.config import BaseConfig
from mtl.errors import UserError
from mtl.experiment.states import release
from mtl.jobs.cores import workers
from mtl.jobs.lifeline import end_with
from mtl.paths import RunPath
from mtl.results.history import History, PretrainingHistory
from mtl.results.reading import HISTORY


@dataclass(frozen=True)
class Job:
    """One run with its name and the function that computes it, which may be given `tell=` for its progress."""

    label: str
    where: RunPath
    work: Callable[..., Path]
    arguments: tuple[Any, ...]
    reads: tuple[Path, ...] = ()
    """Files and folders below the project's that it reads, as far as they are there; other machines get these."""


PATIENCE = 10.0
"""Seconds that are left for showing the last messages of the workers."""
_channel: Any = None
_jobs: list[Job] = []
"""In a worker: what the jobs of its pool are, by number. They come with the process, since sending each would take
its time: all of them hold the configuration, with as many tasks as there are jobs, perhaps."""


def run_jobs(jobs: list[Job], base: BaseConfig, root: Path = Path()) -> list[Path]:
    """Runs all jobs, `base.jobs` at a time, and returns their folders in the order of `jobs`.

    Every run seeds itself and uses its own threads, so how many run side by side changes no result. The first error
    ends the others and is raised. This process and its workers end with the process that started it.

    Args:
        jobs: the runs.
        base: how many processes, and on which device.
        root: folder below which the states of the runs stand.
    """
    end_with(os.getppid())
    context = process_context(base)
    channel = context.Queue()
    show = Display([job.label for job in jobs])
    listener = threading.Thread(target=listen, args=(channel, show, []), daemon=True)
    folders: dict[int, Path] = {}
    pool = ProcessPoolExecutor(
        min(workers(base), len(jobs)), mp_context=context, initializer=_enter, initargs=(channel, os.getpid(), jobs)
    )
    try:
        waiting = {pool.submit(_work, number): number for number in range(len(jobs))}
        listener.start()
        for future in as_completed(waiting):
            number = waiting[future]
            folders[number] = future.result()
            channel.put((number, None, epochs_of(jobs[number].where, folders[number])))
        pool.shutdown()
    except BaseException as error:
        # Their states are on disk: ending them now loses an epoch at most, waiting could take hours. Nor is there
        # anything to wait for afterwards: whoever was ended may hold a lock of the pool's.
        for worker in multiprocessing.active_children():
            worker.kill()
        pool.shutdown(wait=False, cancel_futures=True)
        if isinstance(error, BrokenProcessPool):
            raise UserError(
                "a training process was ended from outside (killed, or the machine is out of memory: fewer "
                "`base.jobs` need less). Run it again: it goes on from the last states."
            ) from None
        raise
    finally:
        channel.put(None)
        if listener.ident is not None:
            # A worker that was ended while it wrote holds the channel's lock for ever: do not wait for that.
            listener.join(PATIENCE)
        channel.cancel_join_thread()
    for job in jobs:  # Not before all are done: a stage that is killed loses the results that it has.
        release(job.where, root)
    return [folders[number] for number in range(len(jobs))]


def epochs_of(where: RunPath, folder: Path) -> int:
    """Epochs of a run, including those before it was resumed. They are read from its files, since the messages of its
    worker may be late and count only the epochs that this worker trained."""
    history = PretrainingHistory if where.stage == "pretrain" else History
    return len(history.read(folder / HISTORY, f"mtl repro {where.target}").epochs)


def process_context(base: BaseConfig) -> Any:
    """Context in which processes that train are started from this one."""
    # CUDA does not survive a fork; without it a fork saves every worker the seconds of importing torch.
    forks = base.device != "cuda" and not torch.cuda.is_available() and sys.platform == "linux"
    return multiprocessing.get_context("fork" if forks else "spawn")


def _enter(channel: Any, parent: int, jobs: list[Job]) -> None:
    """Prepares a new worker: it keeps channel and jobs, leaves Ctrl-C to the parent, and ends with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    global _channel, _jobs
    _channel, _jobs = channel, jobs
    end_with(parent)


def _work(number: int) -> Path:
    job = _jobs[number]
    return job.work(*job.arguments, tell=partial(_tell, number))


def _tell(number: int, done: int, total: int) -> None:
    _channel.put((number, done, total))


def listen(channel: Any, show: "Display", errors: list[str]) -> None:
    """Shows the progress messages of the channel until it is told to end; warnings are put into `errors` instead."""
    with show:
        while (message := channel.get()) is not None:
            if isinstance(message, str):
                errors.append(message)
            else:
                show.update(*message)


class Display:
    """Progress of the runs: bars on a terminal, otherwise a line when a run ends."""

    def __init__(self, labels: list[str]) -> None:
        self.labels = labels
        self.console = Console()
        self.bars: dict[int, TaskID] = {}
        self.ended: set[int] = set()
        self.progress = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("epochs"),
            TimeElapsedColumn(), console=self.console, disable=not self.console.is_terminal,
        )  # fmt: skip

    def __enter__(self) -> None:
        self.progress.start()

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def update(self, number: int, done: int | None, total: int) -> None:
        """Shows `done` of at most `total` epochs; None means that the run has ended, after `total` epochs."""
        label = self.labels[number]
        if done is None:
            self.ended.add(number)
            if number in self.bars:
                self.progress.remove_task(self.bars.pop(number))
            epochs = "" if total == 0 else f", {total} epoch{'' if total == 1 else 's'}"
            self.console.print(f"{label}: done{epochs}", highlight=False)
            return
        if number in self.ended:  # late news
            return
        if number not in self.bars:
            self.bars[number] = self.progress.add_task(label, total=total)
        self.progress.update(self.bars[number], completed=done, total=total)
