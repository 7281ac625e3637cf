"""`mtl tune --replay`: a study made again from its study.json, by one worker, and compared trial by trial."""

import json
import shutil
from pathlib import Path
from typing import Any

import optuna

from mtl.cli.check.artefacts import differences
from mtl.cli.study import study
from mtl.cli.study.file import described
from mtl.cli.study.plan import MEANS, Plan, plan_of
from mtl.cli.study.storage import Store
from mtl.cli.study.workers import run
from mtl.config import Config, parse_config
from mtl.errors import UserError
from mtl.paths import TRIALS
from mtl.results.study import Arm, Study, ended, read_study, study_file
from mtl.tracking.address import sqlite_address

DIFFERENT = 1
"""Exit code."""
COMPARED = ("state", "params", "values", "constraints", "epochs", "val", "error")
SHOWN = 10
"""Differences that are printed."""


def replay(name: str, root: Path = Path()) -> int:
    """Makes a study again and compares.

    Parameters are drawn again when every trial was drawn while no other was under way; else they are taken from the
    file, since what a sampler draws depends on what it has seen.

    Args:
        name: of the study.
        root: folder of the project, with the prepared data of then.

    Returns:
        Exit code: 0 when every trial is the same, 1 when not.

    Raises:
        UserError: the file is missing or damaged, or data or pretrained weights are others than then.
    """
    recorded = read_study(name, root)
    label = study_file(name, root).relative_to(root)
    config = parse_config(json.loads(recorded.config), str(label))
    arms = recorded.arms
    again = f"{name}.replay"
    plan = _plan(config, recorded, again, root)
    for arm, held in arms.items():
        _compare_conditions(held.spec.plain(), plan.spec(arm), str(label))
    drawn = {arm: all(trial.alone for trial in held.ended) for arm, held in arms.items()}
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    folder = root / TRIALS / again
    shutil.rmtree(folder, ignore_errors=True)
    store = Store(sqlite_address((folder / "replay.db").resolve()), root)
    study.create(plan, store)
    for arm, held in arms.items():
        if drawn[arm]:
            print(f"{arm}: parameters are drawn again by the sampler's seed")
            continue
        print(f"{arm}: trials were drawn while others were under way, so parameters are taken from {label}")
        for trial in held.ended:
            study.load(plan, store, arm).enqueue_trial(trial.params)
    run(plan, store, 1, None, lambda under_way, last: None)
    return _tell(plan, store, arms, drawn)


def _plan(config: Config, recorded: Study, name: str, root: Path) -> Plan:
    arms = recorded.arms
    trials = max(len(held.ended) for held in arms.values())
    if trials == 0:
        raise UserError(f"the study {recorded.study!r} has no finished trial: there is nothing to replay.")
    return plan_of(config, name, trials, list(arms), False, root)


def _compare_conditions(then: dict[str, Any], now: dict[str, Any], label: str) -> None:
    for key in ("data", "pretrained", "single_task", "baseline", "settings", "seeds", "device"):
        if then[key] != now[key]:
            raise UserError(f"{label} was made with {MEANS[key]} than those of now: its trials cannot come again.")
    for key in ("code", "torch"):
        if then[key] != now[key]:
            print(f"note: the study has {MEANS[key]}, so its trials may differ")


def _tell(plan: Plan, store: Store, arms: dict[str, Arm], drawn: dict[str, bool]) -> int:
    """Prints what differs."""
    wrong: list[str] = []
    for arm, held in arms.items():
        ours = [described(trial) for trial in study.trials_of(plan, store, arm)]
        first, second = held.ended, ended(ours)
        if len(first) != len(second):
            wrong.append(f"{arm}: {len(first)} trials in the file, {len(second)} now")
        for before, again in zip(first, second, strict=False):
            keys = COMPARED if drawn[arm] or before.state != "pruned" else ("params",)
            then, now = before.plain(), again.plain()
            for key, a, b in differences({k: then[k] for k in keys}, {k: now[k] for k in keys}):
                wrong.append(f"{arm} trial {before.number}: {key} was {a}, is {b}")
    for line in wrong[:SHOWN]:
        print(f"  {line}")
    if len(wrong) > SHOWN:
        print(f"  and {len(wrong) - SHOWN} more")
    if wrong:
        return DIFFERENT
    total = sum(len(held.ended) for held in arms.values())
    print(f"The same: {total} trials, their parameters, epochs and values.")
    return 0
