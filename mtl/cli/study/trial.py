"""Work of one worker of a study: it takes a trial in its turn, trains it, and takes the next."""

import shutil
import time
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import optuna
from filelock import FileLock
from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
from optuna.trial import FrozenTrial, Trial

from mtl.cli.study.objective import mean_metrics, parts_of, train
from mtl.cli.study.plan import Plan
from mtl.cli.study.search_space import overlaid, start_of
from mtl.cli.study.storage import GONE, MOST_CUTS, Store, Turn
from mtl.cli.study.study import (
    ALONE,
    ERROR,
    VAL,
    WORKER,
    first_number,
    give_back,
    is_alone,
    is_done,
    load,
    me,
    next_arm,
    suggest,
)
from mtl.config.tune import Scalar
from mtl.errors import ConfigError, UserError
from mtl.results.numbers import TaskMetrics
from mtl.training.nonfinite import NonFiniteError

WAIT_SECONDS = 0.5


class TrialFailed(Exception):
    """A trial has no value, for a reason of its own."""


class TurnLost(Exception):
    """Others may have decided on a trial while we did: the server was restarted in between."""


@dataclass(frozen=True)
class News:
    """How far a trial has come."""

    arm: str
    number: int
    done: int
    total: int
    """Epochs, over all seeds, and over all runs and phases of an arm that has several."""


Tell = Callable[[News], None]


def work(plan: Plan, store: Store, until: float | None, tell: Tell) -> None:
    """Takes trials until all are finished, or until a moment (of `time.monotonic`) after which none is begun.

    Raises:
        UserError: what keeps every trial from being trained; the one that it was noticed in waits.
    """
    cuts = 0
    while until is None or time.monotonic() < until:
        try:
            if _next_trial(plan, store, tell):
                cuts = 0
                continue
            if is_done(plan, store):
                return
        except GONE as error:
            cuts += 1
            if cuts > MOST_CUTS:
                raise
            store.wait_for_return(error)
            continue
        time.sleep(WAIT_SECONDS)  # Others are at it: one of them may be lost, and its trial wait for us.


def _next_trial(plan: Plan, store: Store, tell: Tell) -> bool:
    """Takes a trial and trains it; whether there was one to take."""
    with ExitStack() as stack:
        turn = stack.enter_context(store.turn(plan.name))
        arm = next_arm(plan, store)
        if arm is None:
            return False
        _one_trial(plan, store, arm, stack, turn, tell)
    return True


def _one_trial(plan: Plan, store: Store, arm: str, stack: ExitStack, turn: Turn, tell: Tell) -> None:
    """Draws a trial, gives up the turn, and trains it."""
    study = load(plan, store, arm)
    taken: list[Trial] = []
    folder: list[Path] = []
    over = False

    def frozen(trial: Trial) -> FrozenTrial:
        return study.get_trials(deepcopy=False)[trial.number]

    def leave() -> None:
        with store.turn(plan.name):
            give_back(study, taken[0].number)

    def objective(trial: Trial) -> list[float]:
        nonlocal over
        taken.append(trial)
        trial.set_user_attr(WORKER, me())
        if ALONE not in trial.user_attrs:
            trial.set_user_attr(ALONE, is_alone(study, trial.number))
        folder.append(plan.folder(arm, first_number(frozen(trial))))
        values = suggest(trial, plan.spaces[arm])
        if not turn.is_held():
            raise TurnLost
        stack.close()
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
            run_once(study, objective)
        except TurnLost:
            stack.close()
            store.again(leave)
            return
        except (UserError, KeyboardInterrupt, *GONE):
            stack.close()
            if taken:
                store.again(leave)
            raise
        except ValueError:
            if not over:
                raise
            # It was taken from us while this machine slept. Its results are on disk: whoever has it finds them there.
            return
    shutil.rmtree(folder[0] / ".mtl", ignore_errors=True)  # Its states; the results stay.


def run_once(study: optuna.Study, objective: Callable[[Trial], list[float]]) -> None:
    """Runs one trial, and lets one that has no value fail.

    Raises:
        StorageInternalError: the storage went away as the trial ended. Optuna hides it behind an assertion: by the time
            it looks, the storage may be back, with a trial that has not ended.
    """
    try:
        study.optimize(objective, n_trials=1, catch=(TrialFailed,))
    except AssertionError as error:
        if isinstance(error.__context__, GONE):
            raise error.__context__ from None
        raise


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
    total = goal.epochs * parts_of(config, arm, goal) * len(plan.seeds)

    def report(step: int, val: TaskMetrics) -> None:
        tell(News(arm, trial.number, step, total))
        if len(goal.objectives) == 1 and step not in known:
            trial.report(goal.values(val)[0], step)
            if trial.should_prune():
                raise optuna.TrialPruned

    out.mkdir(parents=True, exist_ok=True)
    tell(News(arm, trial.number, 0, total))
    with FileLock(out / "trial.lock"):
        try:
            by_seed = train(config, arm, goal, plan.seeds, plan.root, out, report)
        except NonFiniteError as error:
            raise _failed(trial, error) from None
    val = mean_metrics(by_seed)
    trial.set_user_attr(VAL, val)
    for name, excess in goal.constraints(val, start_of(config, arm).label).items():
        trial.set_constraint(name, excess)
    return goal.values(val)


def _failed(trial: Trial, error: UserError) -> TrialFailed:
    trial.set_user_attr(ERROR, str(error))
    return TrialFailed(str(error))
