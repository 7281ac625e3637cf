"""Entries that the mirror adds to a real SQLite store, from a small tree of result files."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from mtl.config import Config
from mtl.errors import ConfigError
from mtl.paths import RunPath
from mtl.tracking import open_database, publish, publish_stage, resolve_uri, settle, sync
from mtl.tracking.identity import accepted, flat
from mtl.tracking.store import open_store
from tests.tracking.results import SEEDS, make_config, runs_of, write_results, write_run, write_simple

MEET = """
import multiprocessing, sys
from pathlib import Path
import mlflow
from mtl.config import load_config
from mtl.tracking import open_database

def create(together, found):
    together.wait()
    found.put(open_database(load_config(), Path(sys.argv[1])))

context = multiprocessing.get_context("fork")
together, found = context.Barrier(3), context.Queue()
children = [context.Process(target=create, args=(together, found)) for _ in range(3)]
for child in children:
    child.start()
for child in children:
    child.join()
print(*(child.exitcode for child in children))
for child in children:
    print(found.get(timeout=1))
"""


@pytest.fixture
def config(database: str, request: pytest.FixtureRequest) -> Config:
    return make_config(database, request.node.name)


@pytest.fixture(scope="module")
def published(database: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, Path]:
    """Results that are in the store, for tests that only look."""
    config, root = make_config(database, "looked at"), tmp_path_factory.mktemp("results")
    write_results(root, config)
    sync(config, root)
    return config, root


@pytest.fixture
def root(tmp_path: Path, config: Config) -> Iterator[Path]:
    write_results(tmp_path, config)
    yield tmp_path


def _named(config: Config) -> dict[str, Run]:
    return {run.info.run_name: run for run in runs_of(config)}


def test_publishing_twice_adds_nothing(config: Config, root: Path) -> None:
    first = sync(config, root)
    again = sync(config, root)

    # 2 seeds × (pretraining, 2 tasks alone, 1 method) and two summaries.
    assert (first.new, first.present, first.problem) == (10, 0, None)
    assert (again.new, again.present) == (0, 10)
    assert len(runs_of(config)) == 11


def test_names_of_columns_that_mlflow_refuses_are_spelt_otherwise(database: str, tmp_path: Path) -> None:
    columns = ["Fläche (m²)", "Fläche [m²]", "50 %", "km/h", "a//b", "c/", "über 5 €", "x" * 300, "x" * 301, "."]
    named = {column: place for place, column in enumerate(columns)}
    changes = {"kind": "table", "path": "flats.csv", "units": dict.fromkeys(columns[:4], "1")}
    config = make_config(database, "names", prepare={"sources": {"plant": {"kind": "sensors"}, "flats": changes}})
    write_results(tmp_path, config)
    assert sync(config, tmp_path).problem is None
    store = open_store(database, "names", lambda: None)
    run = store.start("named", {})
    store.log(run, [], flat(named, "inputs"))
    params = store.client.get_run(run).data.params
    assert len(params) == len(columns)
    assert (params["inputs.Fläche _m²_"], params["inputs.Fläche _m²_ 2"], params["inputs.km/h"]) == ("0", "1", "3")
    assert accepted({"train.lr": 1, "tasks.good.label": 2}) == {"train.lr": 1, "tasks.good.label": 2}


def test_runs_are_nested_named_and_tagged(published: tuple[Config, Path]) -> None:
    config, _ = published

    runs = _named(config)
    parents = [run for run in runs.values() if "mlflow.parentRunId" not in run.data.tags]
    assert len(parents) == 1
    assert all(
        r.data.tags["mlflow.parentRunId"] == parents[0].info.run_id for r in runs.values() if r is not parents[0]
    )
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert {
        "s0 pretraining", "s0 stl ahead", "s1 stl fault", "s1 joint",
        "mean joint", "mean stl",
    } <= set(runs)  # fmt: skip
    tags = runs["s1 stl fault"].data.tags
    expected = {"stage": "baseline", "method": "stl", "task": "fault", "seed": "1", "execution": "cached"}
    assert expected.items() <= tags.items()


def test_metrics_follow_the_epochs(published: tuple[Config, Path]) -> None:
    config, _ = published

    run = _named(config)["s1 joint"]
    client = MlflowClient(tracking_uri=config.tracking.uri)
    history = client.get_metric_history(run.info.run_id, "val/ahead/mse")
    assert [(point.step, point.value) for point in history] == [(1, 1.4), (2, 1.4)]
    assert run.data.metrics["test/ahead/mse"] == 1.4
    assert run.data.metrics["best_val/fault/accuracy"] == 0.9
    assert run.data.metrics["gradient_cosine/ahead-fault"] == -0.1
    assert run.data.metrics["time/train_seconds"] == 7.5
    assert run.info.end_time - run.info.start_time == 8000
    assert "lambda" not in run.data.metrics
    assert run.data.params["method.lambda"] == "0.2"
    pretraining = _named(config)["s0 pretraining"]
    assert pretraining.data.metrics["val/pretrain/loss"] == 0.6


def test_summaries_hold_every_task_also_for_stl(published: tuple[Config, Path]) -> None:
    config, _ = published

    runs = _named(config)
    stl, joint = runs["mean stl"].data.metrics, runs["mean joint"].data.metrics
    assert runs["s0 joint"].data.metrics["test/fault/auc"] == runs["s0 joint"].data.metrics["best_val/fault/auc"] == 0.8
    names = {"test/ahead/mse", "test/ahead/mae", "test/fault/loss", "test/fault/accuracy", "test/fault/brier"}
    assert set(stl) == names, "one seed alone has an AUC: no mean over seeds"
    assert stl["test/fault/brier"] == joint["test/fault/brier"] == 0.1
    assert stl["test/ahead/mse"] == pytest.approx(1.0)
    assert joint["test/ahead/mse"] == pytest.approx(0.9)
    new_data = {"delta_new_data_low/ahead", "delta_new_data_high/ahead"}
    assert set(joint) == names | new_data | {"delta/ahead", "delta/fault", "delta_m", "delta_m_low", "delta_m_high"}
    assert (joint["delta/ahead"], joint["delta_new_data_low/ahead"]) == (12.0, 2.0)
    said = {key: value for key, value in runs["mean joint"].data.tags.items() if key.startswith("verdict/")}
    assert said == dict.fromkeys(("verdict/ahead", "verdict/fault"), "not known: too few seeds")


def test_simple_models_stand_beside_the_networks(database: str, tmp_path: Path) -> None:
    config, root = make_config(database, "simple models", simple={"models": None}), tmp_path
    write_results(root, config)
    write_simple(root)
    assert sync(config, root).problem is None

    runs = _named(config)
    simple = runs["s0 simple ahead"]
    assert simple.data.metrics["test/ahead/mse"] == simple.data.metrics["best_val/ahead/mse"] == 0.9
    assert simple.data.params["model"] == "ridge"
    assert runs["mean simple"].data.metrics["test/ahead/mse"] == 0.9
    stl, joint = runs["mean stl"].data, runs["mean joint"].data
    assert stl.metrics["delta_simple/ahead"] == -10.0 and stl.metrics["delta_simple_high/ahead"] == -8.0
    assert joint.metrics["delta_simple/ahead"] == 0.5 and joint.metrics["delta_simple/fault"] == 0.5
    assert stl.tags["loses_to_simple"] == "ahead" and "loses_to_simple" not in joint.tags
    parent = next(run for run in runs.values() if run.data.tags["stage"] == "pipeline").data.tags
    assert parent["loses_to_simple"] == "ahead (STL)"
    assert "by more than the margin: ahead (STL): mend these networks first" in parent["mlflow.note.content"]


def test_without_a_loss_no_run_is_marked(published: tuple[Config, Path]) -> None:
    for run in runs_of(published[0]):
        assert "loses_to_simple" not in run.data.tags and "margin" not in run.data.tags.get("mlflow.note.content", "")


def test_data_weights_and_report_go_along(published: tuple[Config, Path]) -> None:
    config, _ = published

    client = MlflowClient(tracking_uri=config.tracking.uri)
    runs = _named(config)
    run = runs["s0 joint"]
    assert [used.dataset.name for used in run.inputs.dataset_inputs] == ["plant"]
    assert len(run.inputs.dataset_inputs[0].dataset.digest) == 36
    assert {file.path for file in client.list_artifacts(run.info.run_id)} == {"history.json", "run.json", "weights"}
    parent = run.data.tags["mlflow.parentRunId"]
    assert {file.path for file in client.list_artifacts(parent)} == {"params.yaml", "report", "results"}


def test_weights_stay_away_when_not_asked_for(database: str, tmp_path: Path) -> None:
    tracking = {"uri": database, "experiment": "no weights", "log_weights": False}
    config = make_config(database, "no weights", tracking=tracking)
    write_results(tmp_path, config)
    sync(config, tmp_path)

    run = _named(config)["s0 joint"]
    files = MlflowClient(tracking_uri=database).list_artifacts(run.info.run_id)
    assert {file.path for file in files} == {"history.json", "run.json"}


@pytest.mark.thorough
def test_a_stage_publishes_its_own_and_the_rest_follows(config: Config, root: Path) -> None:
    folders = [RunPath("baseline", "fault", "random", seed).folder for seed in SEEDS]
    publish_stage("baseline", folders, root)
    settle(root, patience=120.0)
    rest = sync(config, root)

    assert (rest.new, rest.present) == (8, 2)
    runs = _named(config)
    assert runs["s0 stl fault"].data.tags["execution"] == "computed"
    assert runs["s0 joint"].data.tags["execution"] == "cached"


def test_a_new_result_supersedes_the_old_one(config: Config, root: Path) -> None:
    sync(config, root)
    write_run(root, RunPath("finetune", "joint", None, 0), ["ahead", "fault"], 0.3)
    again = sync(config, root)

    assert again.new == 2  # The run and the summary of its method.
    marked = [run.info.run_name for run in runs_of(config) if "mtl.superseded" in run.data.tags]
    assert sorted(marked) == ["mean joint", "s0 joint"]
    assert sync(config, root).new == 0


def test_a_run_that_was_cut_off_while_published_is_published_again(config: Config, root: Path) -> None:
    sync(config, root)
    client = MlflowClient(tracking_uri=config.tracking.uri)
    client.update_run(_named(config)["s0 joint"].info.run_id, status="RUNNING")

    assert sync(config, root).new == 1
    assert len(runs_of(config)) == 11


def test_another_configuration_has_a_parent_of_its_own(config: Config, root: Path) -> None:
    sync(config, root)
    other = config.model_copy(update={"train": config.train.model_copy(update={"lr": 0.5})})
    parallel = config.model_copy(update={"base": config.base.model_copy(update={"jobs": 1})})

    assert sync(other, root).new == 10
    assert sync(parallel, root).new == 0  # The number of processes changes no result.


def test_removed_methods_are_not_published(config: Config, root: Path) -> None:
    write_run(root, RunPath("finetune", "gone", None, 0), ["ahead", "fault"], 0.3)
    sync(config, root)
    assert not any("gone" in name for name in _named(config))


def test_an_experiment_in_the_bin_is_taken_out_of_it(config: Config, root: Path) -> None:
    MlflowClient(tracking_uri=config.tracking.uri).delete_experiment(open_database(config, root))
    assert sync(config, root).new == 10


def test_switched_off_means_nothing_is_written(tmp_path: Path) -> None:
    config = make_config(None, "off", tracking={"enabled": False})
    write_results(tmp_path, config)
    before = sorted(tmp_path.rglob("*"))
    assert publish(config, tmp_path).new == 0
    assert sync(config, tmp_path).new == 0
    publish_stage("baseline", [RunPath("baseline", "fault", "random", 0).folder], tmp_path)
    settle(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


def test_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = make_config(None, "x")
    assert resolve_uri(plain, tmp_path) == f"sqlite:///{tmp_path}/mlflow.db"
    assert resolve_uri(make_config("sqlite:////else/where.db", "x"), tmp_path) == "sqlite:////else/where.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracker:5000")
    assert resolve_uri(make_config("sqlite:///own.db", "x"), tmp_path) == "http://tracker:5000"


@pytest.mark.parametrize("copy", [".dvc/tmp/exps/standalone/tmpab12", ".dvc/tmp/exps/tmpab12", ".dvc/tmp/exps/t/sub"])
def test_a_temporary_workspace_uses_the_database_of_the_project(tmp_path: Path, copy: str) -> None:
    assert resolve_uri(make_config(None, "x"), tmp_path / copy) == f"sqlite:///{tmp_path}/mlflow.db"


@pytest.mark.parametrize("uri", ["file:///tmp/mlruns", "mlruns", "ftp://host/x"])
def test_an_address_that_mlflow_cannot_use_is_named(tmp_path: Path, uri: str) -> None:
    with pytest.raises(ConfigError, match=r"`tracking\.uri` should start with one of sqlite://.*found"):
        resolve_uri(make_config(uri, "x"), tmp_path)


@pytest.mark.processes
@pytest.mark.thorough
def test_processes_that_meet_on_a_fresh_database_do_not_break_it(tmp_path: Path) -> None:
    """Two processes that both create a SQLite store break it for good, unless the lock holds.

    They are forks of one that has imported MLflow, which takes longer than to create the store, and start together.
    """
    done = subprocess.run([sys.executable, "-c", MEET, str(tmp_path)], capture_output=True, text=True, timeout=300)
    codes, *found = done.stdout.splitlines()
    assert codes == "0 0 0", done.stderr
    assert len(found) == 3 and len(set(found)) == 1


def test_watched_test_metrics_are_curves_of_their_own(config: Config, root: Path) -> None:
    path = root / RunPath("finetune", "joint", None, 0).folder / "history.json"
    history = json.loads(path.read_text())
    for number, epoch in enumerate(history["epochs"]):
        epoch["test"] = {"fault": {"accuracy": 0.8 + number / 10}}
    path.write_text(json.dumps(history))
    sync(config, root)
    client = MlflowClient(tracking_uri=config.tracking.uri)
    run = _named(config)["s0 joint"].info.run_id
    watched = client.get_metric_history(run, "watched_test/fault/accuracy")
    assert [(point.step, point.value) for point in watched] == [(1, 0.8), (2, 0.9)]
    assert len(client.get_metric_history(run, "test/fault/accuracy")) == 1


def test_the_parent_says_how_many_trials_of_tuning_each_arm_had(database: str, tmp_path: Path) -> None:
    config = make_config(database, "tuned", evaluate={"trials": {"joint": 20}})
    write_results(tmp_path, config)
    sync(config, tmp_path)
    (tags,) = [run.data.tags for run in runs_of(config) if run.data.tags["stage"] == "pipeline"]
    assert (tags["tuning"], tags["tuning.equal"]) == ("STL 0, joint 20", "no")
    assert "Unequal budgets of tuning: STL 0, joint 20 finished trials" in tags["mlflow.note.content"]
