"""study.json: a study as a file that can be audited and replayed: every trial, the code, the data, the settings."""

import json
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

import mtl
from mtl.config.budgets import budgets
from mtl.errors import UserError
from mtl.files import write_json
from mtl.paths import STUDIES
from pipelines.study.plan import Plan
from pipelines.study.storage import Store
from pipelines.study.study import ALONE, ERROR, VAL, attempts, count_finished, first_number, load, trials_of
from pipelines.study.table import state_of

FILE = "study.json"
FEWEST = 4
"""Complete trials from which importances are computed."""


def file_of(name: str, root: Path) -> Path:
    """Where a study is written, below the project's folder."""
    return root / STUDIES / name / FILE


def export(plan: Plan, store: Store, whole: bool = True) -> dict[str, Any]:
    """Writes studies/NAME/study.json as the study stands now, and returns its content.

    It holds no times and no paths: a study that is made again on one worker gives the same bytes.

    Args:
        plan: of the study.
        store: where it is stored.
        whole: with the importances of parameters, which take a moment to compute.
    """
    arms = {
        arm: {
            "spec": plan.spec(arm),
            "trials": [described(trial) for trial in trials_of(plan, store, arm)],
            "importances": importances(plan, store, arm) if whole else None,
        }
        for arm in plan.arms
    }
    content = {
        "study": plan.name,
        "trials": plan.trials,
        # Of every arm that there is: one that this study does not tune has none.
        "tuning": budgets(count_finished(plan, store), plan.config.finetune.methods),
        "versions": {"mtl": mtl.__version__, "optuna": optuna.__version__},
        # As text: the order of tasks is a part of it, and this file sorts its keys.
        "config": json.dumps(plan.config.model_dump(mode="json", by_alias=True, exclude={"tracking"})),
        "arms": arms,
    }
    write_json(file_of(plan.name, plan.root), content)
    return content


def importances(plan: Plan, store: Store, arm: str) -> dict[str, float] | None:
    """Parameter → share of the first objective's variance (fANOVA); None where trials cannot tell."""
    trials = [trial for trial in trials_of(plan, store, arm) if trial.state == TrialState.COMPLETE]
    differ = len({trial.values[0] for trial in trials}) > 1
    if len(trials) < FEWEST or not differ or len(plan.spaces[arm]) < 2:
        return None
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    try:
        return optuna.importance.get_param_importances(
            load(plan, store, arm), evaluator=evaluator, target=lambda trial: float(trial.values[0])
        )
    except RuntimeError:  # No tree of the forest finds any variance.
        return None


def described(trial: FrozenTrial) -> dict[str, Any]:
    """A trial as plain values."""
    return {
        "number": trial.number,
        "first": first_number(trial),
        "attempts": attempts(trial),
        "state": state_of(trial),
        "params": trial.params,
        "values": trial.values,
        "constraints": trial.constraints,
        "epochs": {str(step): value for step, value in sorted(trial.intermediate_values.items())},
        "val": trial.user_attrs.get(VAL),
        "error": trial.user_attrs.get(ERROR),
        "alone": trial.user_attrs.get(ALONE),
    }


def read(name: str, root: Path) -> dict[str, Any]:
    """The content of a study's file.

    Raises:
        UserError: it is missing, or is none.
    """
    path = file_of(name, root)
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        known = set(content) >= {"study", "trials", "config", "arms"}
    except FileNotFoundError:
        raise UserError(f"{path.relative_to(root)} is missing: there is no study {name!r} to replay.") from None
    except (ValueError, UnicodeDecodeError):
        known = False
    if not known:
        raise UserError(f"{path.relative_to(root)} is not a file that `mtl tune` wrote.")
    return content
