"""Studies in this process: exactly as many trials as were asked for, whatever happens to those who train them."""

import json
import os
import platform
from collections import Counter
from pathlib import Path
from typing import Any

import optuna
import psutil
import pytest
import torch
from optuna.trial import TrialState
from safetensors.torch import load_file

from mtl.cli.study import study
from mtl.cli.study.file import described, export
from mtl.cli.study.plan import Plan, plan_of
from mtl.cli.study.replay import replay
from mtl.cli.study.search_space import STL
from mtl.cli.study.storage import MOST_RETRIES, Store
from mtl.cli.study.study import ALONE, ERROR, VAL, WORKER, first_number, is_finished, trials_of
from mtl.cli.study.table import best_first, is_feasible, state_of
from mtl.cli.study.trial import News, work
from mtl.errors import UserError
from mtl.experiment import run_baseline
from mtl.results.study import read_study
from tests.cli.study.conftest import LR, QUICK, config_of, killed_worker, planned, ran, silent

LAMBDA = {"finetune.methods.joint.lambda": {"kind": "float", "low": 0.05, "high": 0.95}}


def outcome(plan: Plan, store: Store, arm: str = "joint") -> list[Any]:
    """State, parameters, values and epochs of an arm's finished trials, without the trials' numbers."""
    trials = [described(trial).plain() for trial in trials_of(plan, store, arm) if is_finished(trial)]
    return [{key: t[key] for key in ("state", "params", "values", "epochs", "val")} for t in trials]


def test_a_trial_is_a_run_judged_on_validation_data(root: Path) -> None:
    plan, store = ran(root, config_of({"space": LR | LAMBDA, "seeds": [3, 4]}), 2)
    for trial in trials_of(plan, store, "joint"):
        runs = [
            json.loads(
                (plan.folder("joint", trial.number) / f"outputs/finetune/joint/seed-{seed}/run.json").read_text()
            )
            for seed in (3, 4)
        ]
        mse = sum(run["val"]["next"]["mse"] for run in runs) / 2
        accuracy = sum(run["val"][task]["accuracy"] for run in runs for task in ("phase", "up")) / 4
        assert trial.values == [pytest.approx(0.5 * mse + 0.5 * (1 - accuracy), rel=1e-12)]
        assert trial.user_attrs[VAL]["next"]["mse"] == pytest.approx(mse, rel=1e-12)
        assert len(trial.intermediate_values) == 2 * plan.config.train.epochs
        assert not (plan.folder("joint", trial.number) / ".mtl").exists()
    assert not (root / "outputs").exists()


def test_it_ends_with_exactly_the_trials_that_were_asked_for_and_goes_on_with_more(root: Path) -> None:
    config = config_of()
    plan, store = ran(root, config, 2)
    work(plan, store, None, silent)
    assert [state_of(trial) for trial in trials_of(plan, store, "joint")] == ["complete"] * 2
    more = plan_of(config, "s", 3, ["joint"], False, root)
    study.create(more, store)
    work(more, store, None, silent)
    assert len(trials_of(more, store, "joint")) == 3
    straight, other = ran(root, config, 3, name="straight")
    assert outcome(more, store) == outcome(straight, other)


def test_every_arm_gets_the_same_number_of_trials(root: Path) -> None:
    methods = {"methods": {"joint": {"kind": "weighted", "lambda": 0.3}, "learnt": {"kind": "uncertainty"}}}
    plan, store = ran(root, config_of(finetune=methods), 2, every=True)
    assert study.count_finished(plan, store) == {STL: 2, "joint": 2, "learnt": 2}
    # STL is every judged task alone, by the very code of the stage.
    trial = trials_of(plan, store, STL)[0]
    changed = config_of(finetune=methods, train=plan.config.train.model_dump() | {"lr": trial.params["train.lr"]})
    folder = run_baseline(changed, "next", changed.baseline.starts[0], 3, root, out=root / "again")
    ours = plan.folder(STL, 0) / "outputs/baseline/next/random/seed-3"
    assert sorted(p.name for p in folder.iterdir()) == sorted(p.name for p in ours.iterdir())
    for path in folder.iterdir():
        assert path.read_bytes() == (ours / path.name).read_bytes(), path.name


@pytest.mark.thorough
@pytest.mark.processes
def test_a_worker_that_is_killed_loses_nothing(root: Path) -> None:
    """Its trial goes on from its checkpoint with the same values, and the study is that of an undisturbed worker."""
    config = config_of(train=QUICK | {"epochs": 4})
    plan, store = planned(root, config, 2)
    store.close()
    killed_worker(plan, lambda news: news.number == 1 and news.done == 2)
    held = list((plan.folder("joint", 1) / ".mtl/state").rglob("*.safetensors"))
    assert len(held) == 1
    heard: list[News] = []
    work(plan, store, None, heard.append)
    trials = trials_of(plan, store, "joint")
    assert [state_of(trial) for trial in trials] == ["complete", "lost", "complete"]
    assert [first_number(trial) for trial in trials] == [0, 1, 1]
    assert trials[2].params == trials[1].params
    assert [news.done for news in heard if news.number == 2] == [0, 1, 2, 3, 4]
    undisturbed, other = ran(root, config, 2, name="undisturbed")
    assert outcome(plan, store) == outcome(undisturbed, other)
    weights, expected = (
        load_file(p.folder("joint", 1) / "outputs/finetune/joint/seed-3/weights.safetensors")
        for p in (plan, undisturbed)
    )
    assert all(torch.equal(weights[name], expected[name]) for name in expected)


@pytest.mark.processes
def test_a_worker_killed_between_drawing_and_taking_loses_nothing(root: Path) -> None:
    plan, store = planned(root, config_of(), 1)
    with pytest.warns(UserWarning, match="Heartbeat"):
        study.load(plan, store, "joint").ask()
    work(plan, store, None, silent)
    assert [state_of(trial) for trial in trials_of(plan, store, "joint")] == ["lost", "complete"]


@pytest.mark.thorough
@pytest.mark.processes
def test_a_trial_that_always_loses_its_worker_is_given_up(root: Path) -> None:
    plan, store = planned(root, config_of(), 2)
    store.close()
    for _ in range(MOST_RETRIES + 1):
        killed_worker(plan, lambda news: news.done == 0)
    work(plan, store, None, silent)
    states = Counter(state_of(trial) for trial in trials_of(plan, store, "joint"))
    assert states == {"lost": MOST_RETRIES, "failed": 1, "complete": 1}
    assert study.is_done(plan, store)


def test_a_trial_whose_loss_becomes_infinite_fails_and_counts(root: Path) -> None:
    space = {"train.lr": {"kind": "choice", "values": [1e-3, 1e30]}}
    plan, store = ran(root, config_of({"space": space, "sampler": "grid"}), 2)
    trials = {trial.params["train.lr"]: trial for trial in trials_of(plan, store, "joint")}
    assert (state_of(trials[1e-3]), state_of(trials[1e30])) == ("complete", "failed")
    assert "became" in trials[1e30].user_attrs[ERROR]


def test_values_that_exclude_each_other_fail_and_count(root: Path) -> None:
    space = {"encoder.d_model": {"kind": "choice", "values": [8, 16]},
             "encoder.heads": {"kind": "choice", "values": [1, 2]}}  # fmt: skip
    encoder = {"kind": "timedart", "patch_len": 4, "d_model": 16, "heads": 1, "layers": 1, "d_ff": 16,
               "classification": {"hidden": 8}}  # fmt: skip
    plan, store = ran(root, config_of({"space": space, "sampler": "grid"}, encoder=encoder), 4)
    found = {(t.params["encoder.d_model"], t.params["encoder.heads"]): t for t in trials_of(plan, store, "joint")}
    assert len(found) == 4
    assert {key for key, trial in found.items() if state_of(trial) == "failed"} == {(8, 2)}
    assert "width of at least 8" in found[8, 2].user_attrs[ERROR]


def test_what_no_trial_can_be_trained_with_ends_the_study_and_loses_no_trial(root: Path) -> None:
    plan, store = planned(root, config_of(), 1)
    (root / "data").unlink()
    with pytest.raises(UserError):
        work(plan, store, None, silent)
    assert [trial.state for trial in trials_of(plan, store, "joint")] == [TrialState.FAIL, TrialState.WAITING]


@pytest.mark.parametrize("sampler", ["tpe", "gp", "random"])
def test_a_draw_depends_on_the_seed_and_on_the_trials_before_it(root: Path, sampler: str) -> None:
    """And on nothing that a process remembers, so that a study that was interrupted goes on as if it had not been."""
    before = [(10 ** -(2 + n / 6), n / 12, abs(n - 7) / 7) for n in range(12)]
    seeds = {"a": 0, "b": 0, "c": 1}
    drawn: dict[str, Any] = {}
    for name, seed in seeds.items():
        plan, store = planned(root, config_of({"sampler": sampler, "sampler_seed": seed, "space": LR | LAMBDA}), 13,
                              name=name)  # fmt: skip
        joint = study.load(plan, store, "joint")
        ranges = {path: optuna.distributions.FloatDistribution(d.low, d.high, log=d.log)
                  for path, d in plan.spaces["joint"].items()}  # fmt: skip
        for lr, lam, value in before:
            params = dict(zip(ranges, (lr, min(max(lam, 0.05), 0.95)), strict=True))
            joint.add_trial(optuna.create_trial(params=params, distributions=ranges, value=value))
        with pytest.warns(UserWarning, match="Heartbeat"):
            drawn[name] = study.suggest(study.load(plan, store, "joint").ask(), plan.spaces["joint"])
    assert drawn["a"] == drawn["b"]
    assert drawn["a"] != drawn["c"]


def test_the_grid_is_visited_once(root: Path) -> None:
    space = {"train.lr": {"kind": "float", "low": 1e-3, "high": 1e-2, "points": 2},
             "train.clip": {"kind": "choice", "values": [None, 1.0]}}  # fmt: skip
    config = config_of({"sampler": "grid", "space": space}, train=QUICK)
    with pytest.raises(UserError, match="at most 4, the points of the grid of joint, found 5"):
        plan_of(config, "s", 5, ["joint"], False, root)
    plan, store = ran(root, config, 4)
    found = {(trial.params["train.lr"], trial.params["train.clip"]) for trial in trials_of(plan, store, "joint")}
    assert found == {(lr, clip) for lr in (1e-3, 1e-2) for clip in (None, 1.0)}


def test_the_constraint_compares_with_the_single_task_run(root: Path) -> None:
    space = {"train.lr": {"kind": "choice", "values": [3e-3, 1e-7]}}
    tune = {"space": space, "sampler": "grid", "objectives": ["error", "accuracy"], "tolerance": 0.05}
    train = QUICK | {"epochs": 4}
    config = config_of(tune, train=train)
    with pytest.raises(UserError, match=r"outputs/baseline/next/random/seed-3, which is missing: run `mtl repro base"):
        plan_of(config, "s", 2, ["joint"], False, root)
    folder = run_baseline(config, "next", config.baseline.starts[0], 3, root)
    mse = json.loads((folder / "run.json").read_text())["val"]["next"]["mse"]
    with pytest.raises(UserError, match="was made with other settings or data than those of now"):
        plan_of(config_of(tune, train=train | {"lr": 1e-3}), "s", 2, ["joint"], False, root)
    plan, store = ran(root, config, 2)
    for trial in trials_of(plan, store, "joint"):
        assert trial.constraints == {"next_mse": pytest.approx(trial.values[0] - 1.05 * mse, abs=1e-12)}
        assert is_feasible(trial) == (trial.values[0] <= 1.05 * mse)
    assert {state_of(trial) for trial in trials_of(plan, store, "joint")} == {"complete", "infeasible"}
    assert state_of(best_first(plan, "joint", trials_of(plan, store, "joint"))[0]) == "complete"


@pytest.mark.parametrize(
    ("tune", "changes", "said"),
    [
        ({"space": LAMBDA}, {}, "another search space"),
        ({"objectives": ["error"]}, {}, "other objectives"),
        ({"sampler": "random"}, {}, "another sampler"),
        ({"sampler_seed": 1}, {}, "another sampler seed"),
        ({"seeds": [4]}, {}, "other seeds"),
        ({"pruner": {"kind": "median"}}, {}, "another pruner"),
        ({}, {"train": {"epochs": 5}}, "other settings"),
    ],
)  # fmt: skip
def test_a_name_belongs_to_one_study(root: Path, tune: dict[str, Any], changes: dict[str, Any], said: str) -> None:
    plan, store = planned(root, config_of(), 1)
    with pytest.raises(UserError, match=f"the study 's' has {said}: .*--study NAME"):
        planned(root, config_of(tune, **changes), 1)
    assert optuna.get_all_study_names(store.storage) == [plan.stored_name("joint")]


def test_the_value_of_what_is_searched_may_change_in_the_file(root: Path) -> None:
    planned(root, config_of(), 1)
    plan, _ = planned(root, config_of(train=QUICK | {"lr": 0.5}), 1)
    assert plan.config.train.lr == 0.5


def test_the_same_study_is_the_same_file(root: Path, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "data").symlink_to(folder / "data")
    texts = []
    for place in (root, elsewhere):
        export(*ran(place, config_of(), 2))
        texts.append((place / "studies/s/study.json").read_bytes())
    assert texts[0] == texts[1]
    held = read_study("s", root).arms["joint"]
    assert [trial.state for trial in held.trials] == ["complete"] * 2
    assert held.spec.data != held.spec.code


@pytest.mark.thorough
def test_a_replayed_study_is_the_same_or_says_where_it_is_not(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export(*ran(root, config_of({"space": LR | LAMBDA}), 2))
    assert replay("s", root) == 0
    assert "The same: 2 trials" in capsys.readouterr().out
    path = root / "studies/s/study.json"
    held = json.loads(path.read_text())
    held["arms"]["joint"]["trials"][1]["values"] = [0.125]
    path.write_text(json.dumps(held))
    assert replay("s", root) == 1
    assert "joint trial 1: values[0] was 0.125, is " in capsys.readouterr().out
    held["arms"]["joint"]["spec"]["data"] = "another"
    path.write_text(json.dumps(held))
    with pytest.raises(UserError, match="was made with other data than those of now"):
        replay("s", root)
    path.write_text("{}")
    with pytest.raises(UserError, match=r"studies/s/study\.json: `study` is missing; `mtl tune --study s` writes it"):
        replay("s", root)


def test_a_trial_under_way_counts_and_is_nobody_elses(root: Path) -> None:
    plan, store = planned(root, config_of(), 2)
    with pytest.warns(UserWarning, match="Heartbeat"):
        other = study.load(plan, store, "joint").ask()
    alive = psutil.Process(os.getppid())
    other.set_user_attr(WORKER, f"{platform.node()}:{alive.pid}:{alive.create_time():.1f}")
    other.suggest_float("train.lr", 1e-4, 1e-2, log=True)
    heard: list[News] = []

    def tell(news: News) -> None:
        heard.append(news)
        if news.done == news.total:  # The other one ends last.
            other.study.tell(other.number, 0.5)

    work(plan, store, None, tell)
    assert {news.number for news in heard} == {1}
    trials = trials_of(plan, store, "joint")
    assert [state_of(trial) for trial in trials] == ["complete", "complete"]
    assert trials[1].user_attrs[ALONE] is False
