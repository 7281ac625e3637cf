"""Pruning: by one rule for every arm, also where a trial is several runs (STL) or has two phases (sequential)."""

import json
from pathlib import Path

import pytest
from optuna.trial import TrialState

from mtl.cli.study import study
from mtl.cli.study.objective import goal_of, parts_of, standing
from mtl.cli.study.plan import Plan, plan_of
from mtl.cli.study.search_space import STL
from mtl.cli.study.storage import Store
from mtl.cli.study.study import VAL, trials_of
from mtl.cli.study.table import best_first
from mtl.cli.study.trial import work
from mtl.config import Config
from tests.cli.study.conftest import QUICK, config_of, ran, silent

PRUNED = {"sampler": "grid", "pruner": {"kind": "median", "startup_trials": 1, "warmup_epochs": 1}}
RATES = {"train.lr": {"kind": "choice", "values": [1e-2, 3e-3, 1e-3, 1e-9, 1e-8, 1e-7]}}
HANDED = {"methods": {"handed": {"kind": "sequential", "first": "forecast"}}}


def tuned(root: Path, config: Config, arm: str, trials: int) -> tuple[Plan, Store]:
    """A study of one arm that one worker has finished."""
    plan = plan_of(config, "s", trials, [arm], False, root)
    store = Store(None, root)
    study.create(plan, store)
    work(plan, store, None, silent)
    return plan, store


def test_trials_worse_than_most_are_pruned_and_count(root: Path) -> None:
    plan, store = ran(root, config_of({"space": RATES} | PRUNED, train=QUICK | {"epochs": 4}), 6)
    trials = trials_of(plan, store, "joint")
    pruned = [trial for trial in trials if trial.state == TrialState.PRUNED]
    assert len(trials) == 6
    assert pruned
    for trial in pruned:
        assert 1 <= len(trial.intermediate_values) < 4
        assert not (plan.folder("joint", trial.number) / "outputs").exists()
        assert not (plan.folder("joint", trial.number) / ".mtl").exists()
    assert {t.params["train.lr"] for t in best_first(plan, "joint", trials)[:1]} <= {1e-2, 3e-3, 1e-3}


@pytest.mark.parametrize(("arm", "parts"), [pytest.param(STL, 3, marks=pytest.mark.thorough), ("handed", 2)])
def test_trials_of_several_runs_or_phases_are_pruned_by_the_same_rule(root: Path, arm: str, parts: int) -> None:
    config = config_of({"space": RATES} | PRUNED, train=QUICK | {"epochs": 2}, finetune=HANDED)
    plan, store = tuned(root, config, arm, 6)
    trials = trials_of(plan, store, arm)
    assert len(trials) == 6 and study.is_done(plan, store)
    pruned = [trial for trial in trials if trial.state == TrialState.PRUNED]
    assert pruned
    assert all(len(trial.intermediate_values) < 2 * parts for trial in pruned)
    assert {t.params["train.lr"] for t in best_first(plan, arm, trials)[:1]} <= {1e-2, 3e-3, 1e-3}
    for trial in (trial for trial in trials if trial.state == TrialState.COMPLETE):
        assert sorted(trial.intermediate_values) == list(range(1, 2 * parts + 1))


def test_an_arm_has_a_part_for_each_run_or_phase(root: Path) -> None:
    turns = {"kind": "sequential", "order": ["up", "next", "phase"]}
    config = config_of({"tolerance": None}, finetune={"methods": {"turns": turns, "both": {"kind": "equal"}}})
    parts = {arm: parts_of(config, arm, goal_of(config, arm, [3], root)) for arm in ("turns", "both", STL)}
    assert parts == {"turns": 3, "both": 1, STL: 3}


def test_what_is_not_trained_yet_counts_alike_in_every_trial(root: Path) -> None:
    """By epochs: the forecast alone, then each label beside it; a task keeps its last measurement."""
    plan, store = tuned(root, config_of(train=QUICK | {"epochs": 2}), STL, 1)
    (trial,) = trials_of(plan, store, STL)
    outputs = plan.folder(STL, 0) / "outputs/baseline"
    by_task = {
        task: json.loads((outputs / task / "random/seed-3/history.json").read_text())["epochs"]
        for task in ("next", "phase", "up")
    }
    kept = trial.user_attrs[VAL]
    mse = [epoch["val"]["next"]["mse"] for epoch in by_task["next"]]
    phase = [epoch["val"]["phase"]["accuracy"] for epoch in by_task["phase"]]
    up = [epoch["val"]["up"]["accuracy"] for epoch in by_task["up"]]
    expected = [
        *((value, 0.0, 0.0) for value in mse),
        *((kept["next"]["mse"], value, 0.0) for value in phase),
        *((kept["next"]["mse"], kept["phase"]["accuracy"], value) for value in up),
    ]
    for step, (error, first, second) in enumerate(expected, start=1):
        value = 0.5 * error + 0.5 * (1 - (first + second) / 2)
        assert trial.intermediate_values[step] == pytest.approx(value, rel=1e-12), step


def test_an_objective_adds_up_what_has_no_unit(root: Path) -> None:
    """A forecast and a regression judged by its RMSE: the mean of their z-scored MSE, against the labels' share."""
    number = {"kind": "regression", "source": "line", "input_len": 8, "target": "height", "metric": "rmse"}
    tasks = {name: task.model_dump() for name, task in config_of().tasks.items()} | {"height": number}
    config = config_of({"objectives": ["error", "combined"]}, tasks=tasks)
    goal = goal_of(config, "joint", [3], root)
    assert goal.errors == {"next": "mse", "height": "mse"}
    known = {"next": {"mse": 0.5}, "height": {"mse": 0.7, "rmse": 700.0}, "phase": {"accuracy": 0.8}}
    known |= {"up": {"accuracy": 0.6}}
    assert goal.values(known) == pytest.approx([0.6, 0.5 * 0.6 + 0.5 * 0.3])
    untrained = standing(goal, [])
    assert goal.values(untrained) == [1.0, 1.0]
    assert goal.values(untrained | {"height": known["height"]}) == pytest.approx([0.85, 0.925])
