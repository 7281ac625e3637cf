"""A small tree of result files, in the schema that the stages write, and what the store should hold of it."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run

from mtl.config import Config, parse_config
from mtl.paths import RunPath
from tests.helpers.records import (
    epoch_json,
    history_json,
    pretraining_history_json,
    pretraining_json,
    run_json,
    timing_json,
)
from tests.helpers.verdicts import interval_json, method_json, row_json, task_json, verdicts_json

SEEDS = (0, 1)


def make_config(uri: str | None, experiment: str, **changes: Any) -> Config:
    raw: dict[str, Any] = {
        "base": {"seeds": list(SEEDS)},
        "prepare": {"sources": {"plant": {"kind": "sensors"}}},
        "tasks": {
            "ahead": {"kind": "forecast", "source": "plant", "input_len": 48, "horizon": 6},
            "fault": {"kind": "binary", "source": "plant", "input_len": 48, "label": "fault"},
        },
        "simple": {"models": []},
        "encoder": {"kind": "timedart"},
        "finetune": {"methods": {"joint": {"kind": "weighted", "lambda": 0.2}}},
        "tracking": {"uri": uri, "experiment": experiment},
    }
    return parse_config(raw | changes)


def _write(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, sort_keys=True), encoding="utf-8")


def write_run(root: Path, where: RunPath, tasks: list[str], mse: float) -> None:
    metrics = {"ahead": {"mse": mse, "mae": 0.5}, "fault": {"loss": 0.3, "accuracy": 0.9, "brier": 0.1}}
    if where.seed == SEEDS[0]:
        metrics["fault"]["auc"] = 0.8  # Undefined in the other.
    chosen = {task: metrics[task] for task in tasks}
    measured = {
        "score": 0.1, "grad_norm": 2.0, "train": {task: {"loss": 0.4} for task in tasks}, "val": chosen,
        "gradients": {"norms": dict.fromkeys(tasks, 1.0), "cosines": {"ahead|fault": -0.1} if len(tasks) > 1 else {}},
    }  # fmt: skip
    size = {"total": 99, "trainable": 99, "shared": 89, "trunk": 89, "heads": dict.fromkeys(tasks, 10)}
    run = run_json(
        where.stage, str(where.name), where.seed, tuple(tasks), epochs_run=2, best_epoch=2, steps=10, train=chosen,
        val=chosen, test=chosen, parameters=size,
    )  # fmt: skip
    folder = root / where.folder
    _write(folder / "run.json", run)
    _write(folder / "history.json", history_json(*(epoch_json(n, tuple(tasks), **measured) for n in (1, 2))))
    (folder / "weights.safetensors").write_bytes(b"weights")
    _write(root / "timings" / where.folder.relative_to("outputs").with_suffix(".json"), timing_json())


def write_results(root: Path, config: Config) -> None:
    _write(root / "params.yaml", config.model_dump(mode="json", by_alias=True))  # JSON is YAML.
    for seed in SEEDS:
        pretraining = root / RunPath("pretrain", None, None, seed).folder
        _write(pretraining / "run.json", pretraining_json(seed))
        _write(pretraining / "history.json", pretraining_history_json())
        for task in config.tasks:
            write_run(root, RunPath("baseline", task, "random", seed), [task], 0.5 + seed)
        write_run(root, RunPath("finetune", "joint", None, seed), list(config.tasks), 0.4 + seed)
    change = {"mean": 12.0, "low": None, "high": None, "n": 2}
    new_data = {"mean": 12.0, "low": 2.0, "high": 22.0, "freedom": 9.5, "blocks": 16, "data_share": 0.5}
    verdicts = verdicts_json(
        [task_json("ahead", metric="mse"), task_json("fault")],
        [method_json("joint", ["ahead", "fault"], delta_m=interval_json(6.0, 1.0, 11.0))],
        [row_json("joint", "ahead", metric="mse", change=change, new_data=new_data),
         row_json("joint", "fault", change=change | {"mean": 0.0})],
        seeds=list(SEEDS),
    )  # fmt: skip
    _write(root / "results/verdicts.json", verdicts)
    (root / "report/figures").mkdir(parents=True)
    (root / "report/report.html").write_text("<html></html>")
    meta = {"rows": 10, "columns": ["a"], "splits": [{"count": {"train": 6}}]}
    _write(root / "data/prepared/plant/meta.json", meta)


def write_simple(root: Path) -> None:
    """Simple models beside the results: alone `ahead` loses 10 % to ridge, jointly it does not; `fault` is level."""
    for seed in SEEDS:
        for task, model in (("ahead", "ridge"), ("fault", "boosting")):
            where = RunPath("simple", task, None, seed)
            write_run(root, where, [task], 0.9)
            run = json.loads((root / where.folder / "run.json").read_text(encoding="utf-8"))
            run |= {"simple": {"model": model, "candidates": {"mean": 1.5, model: 0.9}}, "method_kind": "simple"}
            _write(root / where.folder / "run.json", run)
            _write(root / where.folder / "history.json", history_json() | {"best_epoch": 0})
    verdicts = read_verdicts(root)
    lost, level = interval_json(-10.0, -12.0, -8.0), interval_json(0.5, -1.0, 2.0)
    verdicts["rows"][0]["simple"] = {"stl": lost, "joint": level, "loses": ["STL"]}
    verdicts["rows"][1]["simple"] = {"stl": level, "joint": level, "loses": []}
    _write(root / "results/verdicts.json", verdicts)


def read_verdicts(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / "results/verdicts.json").read_text(encoding="utf-8"))
    return found


RUNS = 10
"""Children in the store: 2 seeds × (pretraining, 2 tasks alone, 1 method), and two summaries."""


def runs_of(config: Config) -> list[Run]:
    """Every run of the experiment that was not deleted, by name."""
    client = MlflowClient(tracking_uri=config.tracking.uri)
    experiment = client.get_experiment_by_name(config.tracking.experiment)
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id], order_by=["tags.mlflow.runName"]))


def assert_complete(config: Config) -> None:
    """Every run is there exactly once, with all of its metrics, parameters, data and files, and none is half there."""
    runs = runs_of(config)
    assert Counter(run.info.run_name.partition(" ")[0] for run in runs) == {
        "s0": 4, "s1": 4, "mean": 2, "plant:": 1,
    }, [run.info.run_name for run in runs]  # fmt: skip
    assert len({run.info.run_name for run in runs}) == RUNS + 1
    assert {run.info.status for run in runs} == {"FINISHED"}
    client = MlflowClient(tracking_uri=config.tracking.uri)
    for run in runs:
        stage, tags = run.data.tags["stage"], run.data.tags
        assert "mtl.superseded" not in tags
        files = {file.path for file in client.list_artifacts(run.info.run_id)}
        if stage == "pipeline":
            assert {"params.yaml", "report", "results"} <= files
            assert run.data.params["train.epochs"] and "mtl.files" in tags
            continue
        assert tags["mlflow.parentRunId"] in {r.info.run_id for r in runs if r.data.tags["stage"] == "pipeline"}
        if stage == "summary":
            assert "test/ahead/mse" in run.data.metrics
            continue
        assert run.data.params["seed"] == tags["seed"]
        assert len(run.inputs.dataset_inputs) == 1
        assert {"history.json", "run.json"} | ({"weights"} if stage != "pretrain" else set()) == files
        if stage == "pretrain":
            assert run.data.metrics["val/pretrain/loss"] == 0.6
        else:
            tasks = ["ahead", "fault"] if stage == "finetune" else [tags["task"]]
            for task in tasks:
                metric = {"ahead": "mse", "fault": "accuracy"}[task]
                assert f"test/{task}/{metric}" in run.data.metrics
                assert len(client.get_metric_history(run.info.run_id, f"val/{task}/{metric}")) == 2
