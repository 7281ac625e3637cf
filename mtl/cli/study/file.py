"""study.json: a study as a file that can be audited and replayed: every trial, the code, the data, the settings."""

import json

import optuna
from optuna.trial import FrozenTrial, TrialState

import mtl
from mtl.cli.study.plan import Plan
from mtl.cli.study.storage import Store
from mtl.cli.study.study import ALONE, ERROR, VAL, attempts, count_finished, first_number, load, trials_of
from mtl.cli.study.table import state_of
from mtl.config.budgets import budgets
from mtl.results.study import Arm, Budgets, Spec, Study, Trial, study_file

FEWEST = 4
"""Complete trials from which importances are computed."""


def export(plan: Plan, store: Store, whole: bool = True) -> Study:
    """Writes studies/NAME/study.json as the study stands now, and returns its content.

    It holds no times and no paths: a study that is made again on one worker gives the same bytes.

    Args:
        plan: of the study.
        store: where it is stored.
        whole: with the importances of parameters, which take a moment to compute.
    """
    arms = {
        arm: Arm(
            spec=Spec.model_validate(plan.spec(arm)),
            trials=[described(trial) for trial in trials_of(plan, store, arm)],
            importances=importances(plan, store, arm) if whole else None,
        )
        for arm in plan.arms
    }
    content = Study(
        study=plan.name,
        trials=plan.trials,
        # Of every arm that there is: one that this study does not tune has none.
        tuning=Budgets.model_validate(budgets(count_finished(plan, store), plan.config.finetune.methods)),
        versions={"mtl": mtl.__version__, "optuna": optuna.__version__},
        # As text: the order of tasks is a part of it, and this file sorts its keys.
        config=json.dumps(plan.config.model_dump(mode="json", by_alias=True, exclude={"tracking"})),
        arms=arms,
    )
    content.write(study_file(plan.name, plan.root))
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


def described(trial: FrozenTrial) -> Trial:
    """A trial as its file holds it."""
    return Trial(
        number=trial.number,
        first=first_number(trial),
        attempts=attempts(trial),
        state=state_of(trial),
        params=trial.params,
        values=trial.values,
        constraints=trial.constraints,
        epochs={str(step): value for step, value in sorted(trial.intermediate_values.items())},
        val=trial.user_attrs.get(VAL),
        error=trial.user_attrs.get(ERROR),
        alone=trial.user_attrs.get(ALONE),
    )
