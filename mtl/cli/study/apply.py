"""`mtl tune --apply`: a trial's values into params.yaml, so that `dvc repro` computes the very runs of the trial."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState
from pydantic import TypeAdapter

from mtl.cli.study import params_edit
from mtl.cli.study.objective import MAXIMISED
from mtl.cli.study.plan import MEANS, conditions
from mtl.cli.study.storage import Store
from mtl.cli.study.study import SPEC, is_finished
from mtl.cli.study.table import is_feasible, shown
from mtl.config import PARAMS, Dimension, load_config
from mtl.config.budgets import STL, budgets, counted
from mtl.errors import UserError
from mtl.setup.params_file import read_params, write_params

BEST = "best"


@dataclass(frozen=True)
class Chosen:
    """A trial whose values were written."""

    arm: str
    trial: FrozenTrial
    objectives: list[str]
    seeds: list[int]
    diff: str
    """Unified diff of params.yaml; empty when it had these values."""
    changed: list[str]
    """Conditions that differ from those when the study was made, so that its numbers may not come again."""
    tuning: dict[str, Any]
    """Finished trials behind the settings of every arm, and whether they are equal (`mtl.config.budgets`)."""
    shared: list[str]
    """Paths that were written and hold for every arm."""


def apply(which: str, name: str, url: str | None, root: Path = Path()) -> Chosen:
    """Writes the values of a trial into params.yaml.

    Args:
        which: "best", a trial's number, or ARM:NUMBER.
        name: of the study.
        url: of its storage; None: the project's own.
        root: folder of the project.

    Raises:
        UserError: there is no such study or trial, it has no result, or several trials are the best.
    """
    studies = _studies(name, Store(url, root))
    arm, trial = _best(studies) if which == BEST else _named(studies, which)
    spec = studies[arm].user_attrs[SPEC]
    path = root / PARAMS
    config = load_config(path)
    space: dict[str, Dimension] = TypeAdapter(dict[str, Dimension]).validate_python(spec["space"])
    now = conditions(config, arm, space, spec["seeds"], root)
    text = read_params(path)
    counts = {other: sum(map(is_finished, study.get_trials(deepcopy=False))) for other, study in studies.items()}
    known = (STL, *config.finetune.methods)
    behind = {f"evaluate.trials.{other}": counts[other] for other in reversed(known) if other in counts}
    shared = [path for path in trial.params if path.split(".")[0] != "finetune"]
    chosen = {"evaluate.shared_by": arm} if shared else {}
    new = params_edit.edited(text, trial.params | behind | chosen)
    if new != text:
        write_params(path, new)
    changed = [MEANS[key] for key, value in now.items() if spec[key] != value]
    tuning = budgets((config.evaluate.trials or {}) | counts, config.finetune.methods)
    return Chosen(
        arm, trial, spec["objectives"], spec["seeds"], params_edit.difference(text, new), changed, tuning, shared
    )


def described(chosen: Chosen) -> str:
    """Sentences that tell what was written and what to do next."""
    values = _values(chosen.objectives, chosen.trial)
    seeds = ", ".join(map(str, chosen.seeds))
    text = f"Trial {chosen.trial.number} of {chosen.arm}: {values} on validation data, seed {seeds}."
    if chosen.shared:
        text += f"\nIts {' and '.join(chosen.shared)} now hold{'s' * (len(chosen.shared) == 1)} for every arm."
    if not chosen.tuning["equal"]:
        text += (
            f"\nUnequal budgets of tuning, which the verdicts will be marked with: {counted(chosen.tuning['trials'])} "
            "finished trials. `mtl tune --arms` gives every arm the same number."
        )
    if chosen.changed:
        return f"{text}\nThe study has {' and '.join(chosen.changed)}: these numbers may not come again."
    return f"{text}\n`mtl repro` computes these runs again, bit for bit, and the verdicts on test data."


def _values(objectives: list[str], trial: FrozenTrial) -> str:
    return ", ".join(f"{name} {shown(value)}" for name, value in zip(objectives, trial.values, strict=True))


def _studies(name: str, store: Store) -> dict[str, optuna.Study]:
    """Arm → its study."""
    known = optuna.get_all_study_names(store.storage)
    studies = {
        full.removeprefix(f"{name}/"): optuna.load_study(study_name=full, storage=store.storage)
        for full in known
        if full.startswith(f"{name}/")
    }
    if not studies:
        there = ", ".join(sorted({full.partition("/")[0] for full in known}))
        if not there:
            raise UserError(f"There is no study in {store.url.render_as_string()} yet; `mtl tune` makes one.")
        raise UserError(f"`--study` should name a study that is there ({there}), found {name!r}.")
    return studies


def _best(studies: dict[str, optuna.Study]) -> tuple[str, FrozenTrial]:
    candidates: list[tuple[str, FrozenTrial]] = []
    objectives: list[str] = next(iter(studies.values())).user_attrs[SPEC]["objectives"]
    for arm, study in studies.items():
        complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        candidates += [(arm, trial) for trial in complete if is_feasible(trial)]
    signs = [-1 if objective in MAXIMISED else 1 for objective in objectives]
    costs = [[sign * value for sign, value in zip(signs, trial.values, strict=True)] for _, trial in candidates]
    front = [
        candidate
        for candidate, cost in zip(candidates, costs, strict=True)
        if not any(other != cost and all(a <= b for a, b in zip(other, cost, strict=True)) for other in costs)
    ]
    if not front:
        raise UserError("no trial is complete and keeps every constraint, so none is the best; name one, or tune on.")
    if len(objectives) > 1 and len(front) > 1:
        listed = ", ".join(f"{arm}:{trial.number} ({_values(objectives, trial)})" for arm, trial in front)
        raise UserError(f"`--apply` should name one of the trials that no other beats in all objectives: {listed}.")
    return front[0]


def _named(studies: dict[str, optuna.Study], which: str) -> tuple[str, FrozenTrial]:
    arm, _, number = which.rpartition(":")
    if not arm and len(studies) > 1:
        raise UserError(f"`--apply` should be best or ARM:TRIAL with ARM among {', '.join(studies)}, found {which!r}.")
    arm = arm or next(iter(studies))
    if arm not in studies or not number.isdecimal():
        raise UserError(f"`--apply` should be best, TRIAL or ARM:TRIAL with ARM among {', '.join(studies)}, "
                        f"found {which!r}.")  # fmt: skip
    trials: list[Any] = studies[arm].get_trials(deepcopy=False)
    if int(number) >= len(trials):
        raise UserError(f"`--apply` should be below {len(trials)}, the number of trials of {arm}, found {number}.")
    trial: FrozenTrial = trials[int(number)]
    if trial.state != TrialState.COMPLETE:
        raise UserError(f"trial {number} of {arm} is not complete ({trial.state.name.lower()}): it has no result.")
    return arm, trial
