"""The processes of a study: each takes a trial in its turn, trains it, and takes the next; one is started for each
that is lost. They end with the process that started them."""

import os
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock
from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
from optuna.storages import RetryHeartbeatStaleTrialCallback
from optuna.trial import FrozenTrial, Trial

from mtl.config.tune import Scalar
from mtl.errors import ConfigError, UserError
from mtl.training.fit import NonFiniteLossError
from pipelines.objective import Metrics, epochs_of, mean_metrics, train
from pipelines.search_space import overlaid, start_of
from pipelines.storage import MOST_RETRIES, Store
from pipelines.study import (
    ALONE,
    ERROR,
    VAL,
    WORKER,
    Plan,
    count_finished,
    first_number,
    is_alone,
    is_done,
    load,
    me,
    next_arm,
    reap_all,
    suggest,
)
from stages.lifeline import end_with
from stages.parallel import process_context

WAIT_SECONDS = 0.5
SHOW_SECONDS = 1.0
MOST_LOST = 4
"""Workers that may be lost, one after the other, while no trial is finished: for each that was asked for."""


class TrialFailed(Exception):
    """A trial has no value, for a reason of its own."""


@dataclass(frozen=True)
class News:
    """How far a trial has come."""

    arm: str
    number: int
    done: int
    total: int
    """Epochs, over all seeds."""


Tell = Callable[[News], None]


def work(plan: Plan, store: Store, until: float | None, tell: Tell) -> None:
    """Takes trials until all are finished, or until a moment (of `time.monotonic`) after which none is begun.

    Raises:
        UserError: what keeps every trial from being trained; the one that it was noticed in waits.
    """
    while until is None or time.monotonic() < until:
        with ExitStack() as turn:
            turn.enter_context(store.turn(plan.name))
            arm = next_arm(plan, store)
            if arm is not None:
                _one_trial(plan, store, arm, turn, tell)
                continue
        if is_done(plan, store):
            return
        time.sleep(WAIT_SECONDS)  # Others are at it: one of them may be lost, and its trial wait for us.


def _one_trial(plan: Plan, store: Store, arm: str, turn: ExitStack, tell: Tell) -> None:
    """Draws a trial, gives up the turn, and trains it."""
    study = load(plan, store, arm)
    taken: list[Trial] = []
    folder: list[Path] = []
    over = False

    def frozen(trial: Trial) -> FrozenTrial:
        return study.get_trials(deepcopy=False)[trial.number]

    def objective(trial: Trial) -> list[float]:
        nonlocal over
        taken.append(trial)
        trial.set_user_attr(WORKER, me())
        if ALONE not in trial.user_attrs:
            trial.set_user_attr(ALONE, is_alone(study, trial.number))
        folder.append(plan.folder(arm, first_number(frozen(trial))))
        values = suggest(trial, plan.spaces[arm])
        turn.close()
        try:
            result = _trained(plan, arm, trial, values, folder[0], set(frozen(trial).intermediate_values), tell)
        except (optuna.TrialPruned, TrialFailed, UpdateFinishedTrialError):
            over = True
            raise
        over = True
        return result

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        try:
            study.optimize(objective, n_trials=1, catch=(TrialFailed,))
        except UserError:
            with store.turn(plan.name):
                RetryHeartbeatStaleTrialCallback(MOST_RETRIES, True)(study, frozen(taken[0]))
            raise
        except ValueError:
            if not over:
                raise
            # It was taken from us while this machine slept. Its results are on disk: whoever has it finds them there.
            return
    shutil.rmtree(folder[0] / ".mtl", ignore_errors=True)  # Its states; the results stay.


def _trained(
    plan: Plan, arm: str, trial: Trial, values: dict[str, Scalar], out: Path, known: set[int], tell: Tell
) -> list[float]:
    """The objectives of a trial.

    Args:
        plan: of the study.
        arm: of the trial.
        trial: its number, and where it is reported.
        values: path → value.
        out: its folder.
        known: epochs that were reported before its worker was lost.
        tell: told after every epoch.

    Raises:
        TrialPruned: it is worse than others were at this point.
        TrialFailed: it has no value.
        UserError: no trial could be trained.
    """
    goal = plan.goals[arm]
    try:
        config = overlaid(plan.config, values)
    except ConfigError as error:
        raise _failed(trial, error) from None
    total = epochs_of(config, arm) * len(plan.seeds)

    def report(step: int, val: Metrics) -> None:
        tell(News(arm, trial.number, step, total))
        if len(goal.objectives) == 1 and step not in known:
            trial.report(goal.values(val)[0], step)
            if trial.should_prune():
                raise optuna.TrialPruned

    out.mkdir(parents=True, exist_ok=True)
    tell(News(arm, trial.number, 0, total))
    with FileLock(out / "trial.lock"):
        try:
            found = train(config, arm, goal, plan.seeds, plan.root, out, report)
        except NonFiniteLossError as error:
            raise _failed(trial, error) from None
    val = mean_metrics(found)
    trial.set_user_attr(VAL, val)
    for name, excess in goal.constraints(val, start_of(config, arm).label).items():
        trial.set_constraint(name, excess)
    return goal.values(val)


def _failed(trial: Trial, error: UserError) -> TrialFailed:
    trial.set_user_attr(ERROR, str(error))
    return TrialFailed(str(error))


@dataclass
class _Worker:
    process: Any
    channel: Connection


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
    lost, finished_before = 0, -1

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
                under_way.pop(worker.process.pid, None)
                workers.remove(worker)
                if worker.process.exitcode > 0:
                    raise RuntimeError("a worker failed; its traceback stands above")
                if worker.process.exitcode < 0:
                    done = sum(count_finished(plan, store).values())
                    lost, finished_before = (1, done) if done > finished_before else (lost + 1, finished_before)
                    if lost > MOST_LOST * count:
                        raise UserError(
                            "workers are ended from outside again and again (killed, or the machine is out of "
                            "memory: fewer `--workers` need less). The same command goes on from the last states."
                        )
                    start()
            if time.monotonic() - shown > SHOW_SECONDS:
                show(list(under_way.values()), False)
                shown = time.monotonic()
    finally:
        for worker in workers:
            worker.process.kill()
        for worker in workers:
            worker.process.join()
        with store.turn(plan.name):
            reap_all(plan, store)
    show([], True)
    return is_done(plan, store)


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
    except BrokenPipeError:
        os._exit(1)
    except Exception:
        traceback.print_exc()
        sys.exit(1)
