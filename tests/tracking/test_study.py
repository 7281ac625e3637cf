"""A study in MLflow: a parent run, a run for each trial that came to an end, each once."""

import json
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from mtl.config import Config
from mtl.paths import STUDIES, TRIALS
from mtl.tracking import publish_study, settle, sync
from tests.helpers.records import arm_json, epoch_json, history_json, study_json, trial_json
from tests.tracking.results import make_config, runs_of


@pytest.fixture
def config(database: str, request: pytest.FixtureRequest) -> Config:
    return make_config(database, request.node.name)


def trial(number: int, state: str, **changes: Any) -> dict[str, Any]:
    ended = state in ("complete", "infeasible")
    plain = trial_json(
        number, state, [0.5 - number / 10] if state != "failed" else None, params={"train.lr": 10.0**-number},
        constraints={"ahead_mse": -0.1} if ended else {}, epochs={"1": 0.6, "2": 0.5},
        val={"ahead": {"mse": 0.5}} if ended else None, error="the loss became inf" if state == "failed" else None,
    )  # fmt: skip
    return plain | changes


def write_study(root: Path, trials: list[dict[str, Any]], wanted: int = 4) -> None:
    content = study_json({"joint": arm_json(*trials)}, wanted)
    done = sum(one["state"] in ("complete", "infeasible", "pruned", "failed") for one in trials)
    content["tuning"] = {"trials": {"stl": 0, "joint": done}, "equal": done == 0}
    folder = root / STUDIES / "s"
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    (folder / "study.json").write_text(json.dumps(content))
    (folder / "figures/study_history.png").write_bytes(b"png")
    for one in trials:
        if one["val"] is not None:
            for seed in (0, 1):
                run = root / TRIALS / "s/joint" / f"trial-{one['first']}/outputs/finetune/joint/seed-{seed}"
                run.mkdir(parents=True, exist_ok=True)
                epochs = [epoch_json(n, ("ahead",), val={"ahead": {"mse": 0.5 + seed + n / 10}}) for n in (1, 2)]
                (run / "history.json").write_text(json.dumps(history_json(*epochs)))


def named(config: Config) -> dict[str, Run]:
    return {run.info.run_name: run for run in runs_of(config)}


def test_trials_are_nested_and_their_state_is_seen(config: Config, tmp_path: Path) -> None:
    lost = trial(4, "lost")
    again = trial(5, "complete", first=4, attempts=[4])
    write_study(
        tmp_path, [trial(0, "complete"), trial(1, "infeasible"), trial(2, "pruned"), trial(3, "failed"), lost, again]
    )
    done = sync(config, tmp_path)
    assert (done.new, done.problem) == (5, None)
    runs = named(config)
    parent = next(run for name, run in runs.items() if name.startswith("study: s"))
    trials = {name: run for name, run in runs.items() if run is not parent}
    assert {name: run.info.status for name, run in trials.items()} == {
        "joint:0": "FINISHED", "joint:1 infeasible": "FINISHED", "joint:2 pruned": "KILLED",
        "joint:3 failed": "FAILED", "joint:5": "FINISHED",
    }  # fmt: skip
    assert all(run.data.tags["mlflow.parentRunId"] == parent.info.run_id for run in trials.values())
    first = runs["joint:0"]
    assert first.data.params["train.lr"] == "1.0"
    assert first.data.metrics["objective/combined"] == 0.5
    assert first.data.metrics["excess/ahead_mse"] == -0.1
    assert first.data.metrics["best_val/ahead/mse"] == 0.5
    client = MlflowClient(config.tracking.uri)
    curve = client.get_metric_history(first.info.run_id, "val/ahead/mse")
    assert [(point.step, point.value) for point in curve] == [(1, pytest.approx(1.1)), (2, pytest.approx(1.2))]
    assert runs["joint:3 failed"].data.tags["error"] == "the loss became inf"
    assert runs["joint:5"].data.tags["attempts"] == "2"
    assert parent.data.metrics["best/joint/combined"] == 0.0
    assert (parent.data.tags["tuning"], parent.data.tags["tuning.equal"]) == ("STL 0, joint 5", "no")
    assert "Unequal budgets of tuning: STL 0, joint 5 finished trials" in parent.data.tags["mlflow.note.content"]
    assert parent.data.params["joint.space.train.lr"] == json.dumps(
        {"high": 0.01, "kind": "float", "log": True, "low": 0.0001, "points": 5}
    )
    shown = {file.path for file in client.list_artifacts(parent.info.run_id, "studies/s")}
    assert shown == {"studies/s/figures", "studies/s/study.json"}


@pytest.mark.slow
def test_publishing_again_adds_what_is_new_and_nothing_twice(config: Config, tmp_path: Path) -> None:
    write_study(tmp_path, [trial(0, "complete")])
    assert publish_study(config, "s", tmp_path, wait=True).new == 1
    again = publish_study(config, "s", tmp_path, wait=True)
    assert (again.new, again.problem) == (0, None)
    write_study(tmp_path, [trial(0, "complete"), trial(1, "pruned")])
    publish_study(config, "s", tmp_path)
    settle(tmp_path, patience=60.0)
    assert sync(config, tmp_path).new == 0
    names = [run.info.run_name for run in runs_of(config)]
    assert len(names) == len(set(names)) == 3


@pytest.mark.thorough
def test_a_tracker_that_is_away_costs_a_warning(tmp_path: Path, warnings_of: list[str]) -> None:
    config = make_config(f"sqlite:///{tmp_path}/folder/mlflow.db", "e")
    (tmp_path / "folder").write_text("not a folder")
    write_study(tmp_path, [trial(0, "complete")])
    done = publish_study(config, "s", tmp_path, wait=True)
    assert done.problem is not None
    assert len(warnings_of) == 1
    assert "`mtl sync` publishes them later" in warnings_of[0]
