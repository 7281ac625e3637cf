"""A study: for each arm one study of Optuna's, all with the same number of trials, and what its trials mean.

A trial is *finished* when it was trained to its end or pruned, or when it failed for a reason of its own (a loss that
became infinite, values that cannot be used together, a worker that was lost again and again). A trial whose worker was
lost is not: it waits, with its values, and whoever takes it goes on from its last state.
"""

import os
import platform
import warnings
from collections.abc import Mapping
from typing import Any

import optuna
import psutil
from optuna.exceptions import ExperimentalWarning
from optuna.storages import RetryHeartbeatStaleTrialCallback, fail_stale_trials
from optuna.trial import FrozenTrial, Trial, TrialState

from mtl.cli.study import search_space
from mtl.cli.study.plan import MEANS, Plan
from mtl.cli.study.search_space import Space
from mtl.cli.study.storage import MOST_RETRIES, Store
from mtl.config import Choice, FloatRange, IntRange, MedianPruner, TuneConfig
from mtl.config.tune import Scalar
from mtl.errors import UserError
from mtl.seeding import stable_seed

SPEC = "mtl"
"""User attribute of a study: everything that its trials' values depend on."""
WORKER = "worker"
"""User attribute of a trial: the process that has it, as machine:number:start."""
ERROR = "error"
"""User attribute of a trial: why it failed, when the reason is its own."""
ALONE = "alone"
"""User attribute of a trial: whether no other was under way when it was drawn, so that it can be drawn again."""
VAL = "val"
"""User attribute of a trial: task → metric → mean over seeds, on validation data."""


def create(plan: Plan, store: Store) -> None:
    """Stores the studies of all arms, before anything starts; those that are there must be the same.

    Raises:
        UserError: the name is that of a study that differs in something.
    """
    with store.turn(plan.name):
        known = set(optuna.get_all_study_names(store.storage))
        for arm in plan.arms:
            name, spec = plan.stored_name(arm), plan.spec(arm)
            if name in known:
                _same(plan.name, optuna.load_study(study_name=name, storage=store.storage), spec)
                continue
            study = optuna.create_study(
                storage=store.storage, study_name=name, directions=plan.goals[arm].directions, load_if_exists=False
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)
                study.set_metric_names(list(plan.goals[arm].objectives))  # For optuna-dashboard.
            study.set_user_attr(SPEC, spec)


def _same(name: str, study: optuna.Study, spec: Mapping[str, Any]) -> None:
    stored = study.user_attrs.get(SPEC)
    if stored is None:
        raise UserError(f"the study {name!r} was not finished being made, or is not of `mtl tune`: name another.")
    for key, meaning in MEANS.items():
        if stored[key] != spec[key]:
            raise UserError(
                f"the study {name!r} has {meaning}: its trials cannot be compared with new ones. Give the new study "
                "a name of its own (`--study NAME`)."
            )


def load(plan: Plan, store: Store, arm: str) -> optuna.Study:
    """The study of an arm, with a sampler whose next draw depends on the trials that are there and on nothing else."""
    study = optuna.load_study(study_name=plan.stored_name(arm), storage=store.storage)
    drawn = sum(first_number(trial) == trial.number for trial in study.get_trials(deepcopy=False))
    study.sampler = _sampler(plan, arm, drawn)
    study.pruner = _pruner(plan.config.tune)
    return study


def first_number(trial: FrozenTrial) -> int:
    """Number of the first attempt at a trial: its own, unless it is tried again."""
    number: int = trial.system_attrs.get("failed_trial", trial.number)
    return number


def attempts(trial: FrozenTrial) -> list[int]:
    """Numbers of the attempts at a trial before this one."""
    return list(trial.system_attrs.get("retry_history", []))


def _sampler(plan: Plan, arm: str, drawn: int) -> optuna.samplers.BaseSampler:
    tune = plan.config.tune
    seed = stable_seed("tune", tune.sampler_seed, arm, drawn) % 2**32
    match tune.sampler:
        case "tpe":
            return optuna.samplers.TPESampler(seed=seed, constant_liar=plan.parallel)
        case "gp":
            return optuna.samplers.GPSampler(seed=seed)
        case "random":
            return optuna.samplers.RandomSampler(seed=seed)
        case "grid":
            # Its seed is a part of the grid: which points were visited is counted in its order.
            return optuna.samplers.GridSampler(search_space.grid(plan.spaces[arm]), seed=tune.sampler_seed)


def _pruner(tune: TuneConfig) -> optuna.pruners.BasePruner:
    if isinstance(tune.pruner, MedianPruner):
        return optuna.pruners.MedianPruner(tune.pruner.startup_trials, tune.pruner.warmup_epochs)
    return optuna.pruners.NopPruner()


def suggest(trial: Trial, space: Space) -> dict[str, Scalar]:
    """Path → the value that the sampler draws."""
    values: dict[str, Scalar] = {}
    for path, dimension in space.items():
        match dimension:
            case FloatRange():
                values[path] = trial.suggest_float(path, dimension.low, dimension.high, log=dimension.log)
            case IntRange():
                values[path] = trial.suggest_int(path, dimension.low, dimension.high, log=dimension.log)
            case Choice():
                values[path] = trial.suggest_categorical(path, dimension.values)
    return values


def is_finished(trial: FrozenTrial) -> bool:
    """True when a trial and its values will not change any more."""
    if trial.state == TrialState.FAIL:
        return ERROR in trial.user_attrs or len(attempts(trial)) >= MOST_RETRIES
    return trial.state in (TrialState.COMPLETE, TrialState.PRUNED)


def is_alone(study: optuna.Study, number: int) -> bool:
    """True when no other trial is under way or waits."""
    unfinished = study.get_trials(deepcopy=False, states=(TrialState.RUNNING, TrialState.WAITING))
    return all(trial.number == number for trial in unfinished)


def me() -> str:
    """This process, as WORKER has it."""
    return f"{platform.node()}:{os.getpid()}:{psutil.Process().create_time():.1f}"


def reap(study: optuna.Study) -> None:
    """Takes trials from workers that are gone, and lets them wait; call it in one's turn.

    On this machine a worker that is gone is known at once, elsewhere when it was not heard of for GRACE_SECONDS. A
    trial that runs and names no worker was left between being drawn and being taken, which is one turn.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        fail_stale_trials(study)
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if _is_gone(trial.user_attrs.get(WORKER)):
            give_back(study, trial.number)


def give_back(study: optuna.Study, number: int) -> None:
    """Lets a trial wait that its worker does not go on with, unless it has ended or waits already; call it in one's
    turn."""
    trials = study.get_trials()
    trial = trials[number]
    if trial.state == TrialState.RUNNING:
        study.tell(number, state=TrialState.FAIL)
    elif trial.state != TrialState.FAIL:
        return
    if any(attempts(later)[-1:] == [number] for later in trials[number + 1 :]):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        RetryHeartbeatStaleTrialCallback(MOST_RETRIES, inherit_intermediate_values=True)(study, trial)


def _is_gone(worker: str | None) -> bool:
    if worker is None or worker == me():  # We are between two trials: ours was left when the storage was away.
        return True
    machine, number, start = worker.rsplit(":", 2)
    if machine != platform.node():
        return False
    try:
        process = psutil.Process(int(number))
        return process.status() == psutil.STATUS_ZOMBIE or abs(process.create_time() - float(start)) > 1
    except psutil.NoSuchProcess:
        return True


def reap_all(plan: Plan, store: Store) -> None:
    """`reap`, for every arm."""
    for arm in plan.arms:
        reap(_plain(plan, store, arm))


def next_arm(plan: Plan, store: Store) -> str | None:
    """The arm with the fewest trials that still lacks some; None when all are finished or under way.

    Call it in one's turn.
    """
    reap_all(plan, store)
    taken = {
        arm: sum(is_finished(trial) or trial.state == TrialState.RUNNING for trial in trials_of(plan, store, arm))
        for arm in plan.arms
    }
    arm = min(taken, key=lambda name: taken[name])
    return arm if taken[arm] < plan.trials else None


def count_finished(plan: Plan, store: Store) -> dict[str, int]:
    """Arm → finished trials."""
    return {arm: sum(map(is_finished, trials_of(plan, store, arm))) for arm in plan.arms}


def is_done(plan: Plan, store: Store) -> bool:
    """True when every arm has as many finished trials as were planned."""
    return all(number >= plan.trials for number in count_finished(plan, store).values())


def trials_of(plan: Plan, store: Store, arm: str) -> list[FrozenTrial]:
    """The trials of an arm, all attempts, by number."""
    return _plain(plan, store, arm).get_trials(deepcopy=False)


def _plain(plan: Plan, store: Store, arm: str) -> optuna.Study:
    return optuna.load_study(study_name=plan.stored_name(arm), storage=store.storage)
