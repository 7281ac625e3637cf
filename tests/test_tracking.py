"""The mirror in MLflow, on a real SQLite store and a small tree of result files."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from mtl.config import Config, parse_config
from mtl.errors import ConfigError
from mtl.paths import RunPath
from mtl.tracking import open_store, publish, publish_stage, resolve_uri

SEEDS = (0, 1)


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One database for all tests, since making one takes seconds; each test has its own experiment."""
    uri = f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"
    open_store(_config(uri, "first"), Path("/"))
    return uri


@pytest.fixture
def config(database: str, request: pytest.FixtureRequest) -> Config:
    return _config(database, request.node.name)


@pytest.fixture(scope="module")
def published(database: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, Path]:
    """Results that are in the store, for tests that only look."""
    config, root = _config(database, "looked at"), tmp_path_factory.mktemp("results")
    _write_results(root, config)
    publish(config, root)
    return config, root


@pytest.fixture
def root(tmp_path: Path, config: Config) -> Iterator[Path]:
    _write_results(tmp_path, config)
    yield tmp_path


def _config(uri: str | None, experiment: str, **changes: Any) -> Config:
    raw: dict[str, Any] = {
        "base": {"seeds": list(SEEDS)},
        "prepare": {"sources": {"plant": {"kind": "sensors"}}},
        "tasks": {
            "ahead": {"kind": "forecast", "source": "plant", "input_len": 48, "horizon": 6},
            "fault": {"kind": "binary", "source": "plant", "input_len": 48, "label": "fault"},
        },
        "encoder": {"kind": "timedart"},
        "finetune": {"methods": {"joint": {"kind": "weighted", "lambda": 0.2}}},
        "tracking": {"uri": uri, "experiment": experiment},
    }
    return parse_config(raw | changes)


def _write(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, sort_keys=True), encoding="utf-8")


def _write_run(root: Path, where: RunPath, tasks: list[str], mse: float) -> None:
    metrics = {"ahead": {"mse": mse, "mae": 0.5}, "fault": {"loss": 0.3, "accuracy": 0.9}}
    chosen = {task: metrics[task] for task in tasks}
    epoch = {
        "steps": 5, "lr": 0.001, "lambda": None, "weights": dict.fromkeys(tasks, 1.0), "score": 0.1, "grad_norm": 2.0,
        "train": {task: {"loss": 0.4} for task in tasks}, "val": chosen,
        "gradients": {"norms": dict.fromkeys(tasks, 1.0), "cosines": {"ahead|fault": -0.1} if len(tasks) > 1 else {}},
    }  # fmt: skip
    run = {
        "stage": where.stage, "name": where.name, "start": "random", "init": "random", "freeze": "none",
        "seed": where.seed, "tasks": tasks, "epochs_run": 2, "best_epoch": 2, "steps": 10, "val": chosen,
        "test": chosen, "parameters": {"total": 99},
    }  # fmt: skip
    folder = root / where.folder
    _write(folder / "run.json", run)
    _write(folder / "history.json", {"epochs": [epoch | {"epoch": 1}, epoch | {"epoch": 2}]})
    (folder / "weights.safetensors").write_bytes(b"weights")
    timing = {"train_seconds": 7.5, "epochs": 2, "steps": 10,
              "started": "2026-01-01T00:00:00+00:00", "finished": "2026-01-01T00:00:08+00:00"}  # fmt: skip
    _write(root / "timings" / where.folder.relative_to("outputs").with_suffix(".json"), timing)


def _write_results(root: Path, config: Config) -> None:
    _write(root / "params.yaml", config.model_dump(mode="json", by_alias=True))  # JSON is YAML.
    for seed in SEEDS:
        pretraining = root / RunPath("pretrain", None, None, seed).folder
        _write(pretraining / "run.json", {"sources": ["plant"], "val": {}})
        _write(pretraining / "history.json", {"epochs": [{"epoch": 1, "train": {"loss": 0.5}, "val": {"loss": 0.6}}]})
        for task in config.tasks:
            _write_run(root, RunPath("baseline", task, "random", seed), [task], 0.5 + seed)
        _write_run(root, RunPath("finetune", "joint", None, seed), list(config.tasks), 0.4 + seed)
    change = {"mean": 12.0, "low": None, "high": None, "n": 2}
    verdicts = {
        "tasks": [{"name": "ahead", "metric": "mse"}, {"name": "fault", "metric": "accuracy"}],
        "methods": [{"name": "joint", "delta_m": {"mean": 6.0, "low": 1.0, "high": 11.0, "n": 2}}],
        "rows": [
            {"method": "joint", "task": "ahead", "metric": "mse", "change": change},
            {"method": "joint", "task": "fault", "metric": "accuracy", "change": change | {"mean": 0.0}},
        ],
    }
    _write(root / "results/verdicts.json", verdicts)
    (root / "report/figures").mkdir(parents=True)
    (root / "report/report.html").write_text("<html></html>")
    meta = {"rows": 10, "columns": ["a"], "splits": [{"count": {"train": 6}}]}
    _write(root / "data/prepared/plant/meta.json", meta)


def _runs(config: Config, root: Path) -> list[Run]:
    store = open_store(config, root)
    return list(store.client.search_runs([store.experiment_id], order_by=["tags.mlflow.runName"]))


def _named(config: Config, root: Path) -> dict[str, Run]:
    return {run.info.run_name: run for run in _runs(config, root)}


def test_publishing_twice_adds_nothing(config: Config, root: Path) -> None:
    first = publish(config, root)
    again = publish(config, root)

    # 2 seeds × (pretraining, 2 tasks alone, 1 method) and two summaries.
    assert (first.new, first.present, first.problem) == (10, 0, None)
    assert (again.new, again.present) == (0, 10)
    assert len(_runs(config, root)) == 11


def test_runs_are_nested_named_and_tagged(published: tuple[Config, Path]) -> None:
    config, root = published

    runs = _named(config, root)
    parents = [run for run in runs.values() if "mlflow.parentRunId" not in run.data.tags]
    assert len(parents) == 1
    assert all(
        r.data.tags["mlflow.parentRunId"] == parents[0].info.run_id for r in runs.values() if r is not parents[0]
    )
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert {
        "pretraining / seed 0", "stl / ahead / seed 0", "stl / fault / seed 1", "joint / seed 1",
        "joint (mean of 2 seeds)", "stl (mean of 2 seeds)",
    } <= set(runs)  # fmt: skip
    tags = runs["stl / fault / seed 1"].data.tags
    expected = {"stage": "baseline", "method": "stl", "task": "fault", "seed": "1", "execution": "cached"}
    assert expected.items() <= tags.items()


def test_metrics_follow_the_epochs(published: tuple[Config, Path]) -> None:
    config, root = published

    run = _named(config, root)["joint / seed 1"]
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
    pretraining = _named(config, root)["pretraining / seed 0"]
    assert pretraining.data.metrics["val/pretrain/loss"] == 0.6


def test_summaries_hold_every_task_also_for_stl(published: tuple[Config, Path]) -> None:
    config, root = published

    runs = _named(config, root)
    stl, joint = runs["stl (mean of 2 seeds)"].data.metrics, runs["joint (mean of 2 seeds)"].data.metrics
    names = {"test/ahead/mse", "test/ahead/mae", "test/fault/loss", "test/fault/accuracy"}
    assert set(stl) == names
    assert stl["test/ahead/mse"] == pytest.approx(1.0)
    assert joint["test/ahead/mse"] == pytest.approx(0.9)
    assert set(joint) == names | {"delta/ahead", "delta/fault", "delta_m", "delta_m_low", "delta_m_high"}
    assert joint["delta/ahead"] == 12.0


def test_data_weights_and_report_go_along(published: tuple[Config, Path]) -> None:
    config, root = published

    client = MlflowClient(tracking_uri=config.tracking.uri)
    runs = _named(config, root)
    run = runs["joint / seed 0"]
    assert [used.dataset.name for used in run.inputs.dataset_inputs] == ["plant"]
    assert len(run.inputs.dataset_inputs[0].dataset.digest) == 36
    assert {file.path for file in client.list_artifacts(run.info.run_id)} == {"history.json", "run.json", "weights"}
    parent = run.data.tags["mlflow.parentRunId"]
    assert {file.path for file in client.list_artifacts(parent)} == {"params.yaml", "report", "results"}


def test_weights_stay_away_when_not_asked_for(database: str, tmp_path: Path) -> None:
    tracking = {"uri": database, "experiment": "no weights", "log_weights": False}
    config = _config(database, "no weights", tracking=tracking)
    _write_results(tmp_path, config)
    publish(config, tmp_path)

    run = _named(config, tmp_path)["joint / seed 0"]
    files = MlflowClient(tracking_uri=database).list_artifacts(run.info.run_id)
    assert {file.path for file in files} == {"history.json", "run.json"}


def test_a_stage_publishes_its_own_and_the_rest_follows(config: Config, root: Path) -> None:
    folders = [RunPath("baseline", "fault", "random", seed).folder for seed in SEEDS]
    stage = publish_stage("baseline", folders, root)
    rest = publish(config, root)

    assert stage.new == 2
    assert (rest.new, rest.present) == (8, 2)
    runs = _named(config, root)
    assert runs["stl / fault / seed 0"].data.tags["execution"] == "computed"
    assert runs["joint / seed 0"].data.tags["execution"] == "cached"


def test_a_new_result_supersedes_the_old_one(config: Config, root: Path) -> None:
    publish(config, root)
    _write_run(root, RunPath("finetune", "joint", None, 0), ["ahead", "fault"], 0.3)
    again = publish(config, root)

    assert again.new == 2  # The run and the summary of its method.
    marked = [run.info.run_name for run in _runs(config, root) if "mtl.superseded" in run.data.tags]
    assert sorted(marked) == ["joint (mean of 2 seeds)", "joint / seed 0"]
    assert publish(config, root).new == 0


def test_a_run_that_was_cut_off_while_published_is_published_again(config: Config, root: Path) -> None:
    publish(config, root)
    store = open_store(config, root)
    store.client.update_run(_named(config, root)["joint / seed 0"].info.run_id, status="RUNNING")

    assert publish(config, root).new == 1
    assert len(_runs(config, root)) == 11


def test_another_configuration_has_a_parent_of_its_own(config: Config, root: Path) -> None:
    publish(config, root)
    other = config.model_copy(update={"train": config.train.model_copy(update={"lr": 0.5})})
    parallel = config.model_copy(update={"base": config.base.model_copy(update={"jobs": 1})})

    assert publish(other, root).new == 10
    assert publish(parallel, root).new == 0  # The number of processes changes no result.


def test_removed_methods_are_not_published(config: Config, root: Path) -> None:
    _write_run(root, RunPath("finetune", "gone", None, 0), ["ahead", "fault"], 0.3)
    publish(config, root)
    assert not any("gone" in name for name in _named(config, root))


def test_an_experiment_in_the_bin_is_taken_out_of_it(config: Config, root: Path) -> None:
    store = open_store(config, root)
    store.client.delete_experiment(store.experiment_id)
    assert publish(config, root).new == 10


def test_a_tracker_that_cannot_be_reached_costs_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    config = _config("http://127.0.0.1:9", "away")
    _write_results(tmp_path, config)
    with caplog.at_level(logging.WARNING, "mtl.tracking"):
        done = publish(config, tmp_path)

    assert done.new == 0 and done.problem
    assert [record.name for record in caplog.records].count("mtl.tracking") == 1
    assert "mtl sync" in caplog.text


def test_switched_off_means_nothing_is_written(tmp_path: Path) -> None:
    config = _config(None, "off", tracking={"enabled": False})
    _write_results(tmp_path, config)
    before = sorted(tmp_path.rglob("*"))
    assert publish(config, tmp_path).new == 0
    assert publish_stage("baseline", [], tmp_path).new == 0
    assert sorted(tmp_path.rglob("*")) == before


def test_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = _config(None, "x")
    assert resolve_uri(plain, tmp_path) == f"sqlite:///{tmp_path}/mlflow.db"
    assert resolve_uri(_config("sqlite:////else/where.db", "x"), tmp_path) == "sqlite:////else/where.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracker:5000")
    assert resolve_uri(_config("sqlite:///own.db", "x"), tmp_path) == "http://tracker:5000"


@pytest.mark.parametrize("copy", [".dvc/tmp/exps/standalone/tmpab12", ".dvc/tmp/exps/tmpab12", ".dvc/tmp/exps/t/sub"])
def test_a_temporary_workspace_uses_the_database_of_the_project(tmp_path: Path, copy: str) -> None:
    assert resolve_uri(_config(None, "x"), tmp_path / copy) == f"sqlite:///{tmp_path}/mlflow.db"


@pytest.mark.parametrize("uri", ["file:///tmp/mlruns", "mlruns", "ftp://host/x"])
def test_an_address_that_mlflow_cannot_use_is_named(tmp_path: Path, uri: str) -> None:
    with pytest.raises(ConfigError, match=r"`tracking\.uri` should start with one of sqlite://.*found"):
        resolve_uri(_config(uri, "x"), tmp_path)


def test_processes_that_meet_on_a_fresh_database_do_not_break_it(tmp_path: Path) -> None:
    """Two processes that both create a SQLite store break it for good, unless the lock holds."""
    code = (
        "from pathlib import Path; from mtl.config import load_config; from mtl.tracking import open_store;"
        f"print(open_store(load_config(), Path({str(tmp_path)!r})).experiment_id)"
    )
    children = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    found = [child.communicate()[0].strip() for child in children]
    assert [child.returncode for child in children] == [0, 0, 0]
    assert len(set(found)) == 1
