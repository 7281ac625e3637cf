"""Runs that several processes share, one run after the other: this file starts them as torchrun does, or is in one of
the processes that a torchrun on each of several machines has started."""

import logging
import os
import signal
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from mtl.config import Config
from mtl.errors import EXIT_CODE, UserError
from mtl.experiment.states import release
from mtl.jobs.lifeline import end_with
from mtl.jobs.local import PATIENCE, Display, Job, epochs_of, listen
from mtl.seeding import resolve_device
from mtl.training.processes import check_gpus, joined
from mtl.training.team import LostProcessError, Team

CAUSE_FIRST = 5.0
"""Seconds that a process waits before it fails because of another process or with all others: torchrun reports the
first failure and ends the rest."""
TERMINATED = 143
"""Exit code after SIGTERM, as shells set it."""


def started_by_torchrun() -> bool:
    """True when this process is one of several of a torchrun that was started by hand."""
    return "RANK" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1


def run_here(jobs: list[Job], config: Config) -> list[Path]:
    """Runs this process's part of every job; returns the folders if this process writes them.

    Raises:
        UserError: a job failed, another process is gone, or the number of processes is not `pretrain.processes`.
    """
    end_with(os.getppid())
    with _causes_first(), joined(config.pretrain.processes, resolve_device(config.base.device)) as team:
        if not team.leads:
            _work(jobs, team, None)
            return []
        show = Display([job.label for job in jobs])
        with show:
            folders = _work(jobs, team, show.update)
    for job in jobs:
        release(job.where, Path())
    return folders


def run_team(jobs: list[Job], config: Config) -> list[Path]:
    """Runs all jobs, each in `pretrain.processes` processes of this machine, and returns their folders.

    Raises:
        UserError: a process failed with such an error, or was ended from outside.
    """
    if resolve_device(config.base.device).type == "cuda":
        check_gpus(config.pretrain.processes)
    end_with(os.getppid())
    channel = get_context("spawn").Queue()
    told: list[str] = []
    show = Display([job.label for job in jobs])
    listener = threading.Thread(target=listen, args=(channel, show, told), daemon=True)
    listener.start()
    try:
        _launch(config.pretrain.processes, jobs, config, channel)
        failure = None
    except ChildFailedError as error:
        failure = error
    finally:
        channel.put(None)
        listener.join(PATIENCE)  # whoever was ended while it wrote holds the channel's lock for ever
        channel.cancel_join_thread()
    if failure is not None:
        if told:
            raise UserError(told[0])
        if all(process.exitcode > 0 for process in failure.failures.values()):
            raise SystemExit(1)  # a mistake of ours: it has shown its traceback
        raise UserError(
            "a process of the pretraining was ended from outside (killed, or the machine is out of memory: fewer "
            "`pretrain.processes` need less). Run it again: it goes on from the last state."
        )
    for job in jobs:
        release(job.where, Path())
    return [job.where.folder for job in jobs]


def _launch(processes: int, jobs: list[Job], config: Config, channel: Any) -> None:
    """Starts processes as `torchrun --standalone --nproc-per-node N` does, without its output on stderr."""
    for name in ("torch.distributed.elastic", "torch.multiprocessing"):
        logger = logging.getLogger(name)
        logger.addHandler(logging.NullHandler())
        logger.propagate = False
    plan = LaunchConfig(
        min_nodes=1, max_nodes=1, nproc_per_node=processes, run_id=f"pretrain-{os.getpid()}", rdzv_backend="c10d",
        rdzv_endpoint="localhost:0", local_addr="localhost", max_restarts=0, start_method="spawn",
        logs_specs=DefaultLogsSpecs(os.devnull),
        signals_to_handle="SIGTERM",  # Ctrl-C is an exception here, which ends the processes too
    )  # fmt: skip
    before = signal.getsignal(signal.SIGTERM)
    try:
        elastic_launch(plan, _member)(jobs, config, channel, os.getpid())
    except SignalException:
        raise SystemExit(TERMINATED) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def _member(jobs: list[Job], config: Config, channel: Any, parent: int) -> None:
    """Body of one process: it leaves Ctrl-C to the parent, ends with it, and connects only within this machine."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with(parent)
    loopback = [name for _, name in socket.if_nameindex() if name in ("lo", "lo0")]
    if loopback:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", loopback[0])
    try:
        with _causes_first(), joined(config.pretrain.processes, resolve_device(config.base.device)) as team:
            _work(jobs, team, partial(_tell, channel) if team.leads else None)
    except UserError as error:
        channel.put(str(error))
        raise SystemExit(EXIT_CODE) from None
    except Exception:
        traceback.print_exc()
        raise SystemExit(1) from None


def _work(jobs: list[Job], team: Team, update: Callable[..., None] | None) -> list[Path]:
    folders = []
    for number, job in enumerate(jobs):
        told = {} if update is None else {"tell": partial(update, number)}
        folders.append(job.work(*job.arguments, team=team, **told))
        if update is not None:
            update(number, None, epochs_of(job.where, folders[-1]))
    return folders


def _tell(channel: Any, *news: int | None) -> None:
    channel.put(news)


@contextmanager
def _causes_first() -> Iterator[None]:
    """Delays an error that process 0 also has, or that another process's end causes, so that the cause comes first."""
    try:
        yield
    except UserError as error:
        if os.environ["RANK"] != "0" or isinstance(error, LostProcessError):
            time.sleep(CAUSE_FIRST)
        raise
