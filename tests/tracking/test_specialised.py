"""Specialised models and groupings in a real SQLite store: readable names below the same parent, and nothing stale."""

from pathlib import Path

import pytest
from mlflow.entities import Run

from mtl.config import Config
from mtl.files import write_json
from mtl.paths import MODELS, RunPath
from mtl.results.serving import Model, Serving
from mtl.tracking import publish_stage, settle, sync
from tests.helpers.verdicts import grouping_json
from tests.tracking.results import SEEDS, make_config, read_verdicts, runs_of, write_results, write_run

TASKS = ["ahead", "fault"]
MODEL_TASKS = {"cluster_1": TASKS, "set_ahead_fault": TASKS}
GROUPED = {
    "cluster": {"source": "joint", "clusters": 1, "relation": {"kind": "gradient_cosine"}},
    "specialise": {"weights": "raw"},
}


def row(name: str, kind: str, change: float) -> dict[str, object]:
    interval = {"mean": change, "low": change - 1, "high": change + 1, "n": 2}
    return grouping_json(name, kind=kind, models=1, groups=[TASKS], delta_m=interval,
                         metrics={"ahead": 0.4, "fault": 0.9})  # fmt: skip


def write_grouped(root: Path, config: Config) -> list[Path]:
    """Results with a model of a cluster; returns the folders of its runs."""
    write_results(root, config)
    models = {name: Model(tasks=tasks, weights=[0.9, 0.1]) for name, tasks in MODEL_TASKS.items()}
    Serving(models=models, tasks=TASKS, candidates=[], weights="raw", soft={}).write(root / MODELS)
    places = [RunPath("specialise", name, None, seed) for name in MODEL_TASKS for seed in SEEDS]
    for place in places:
        write_run(root, place, TASKS, 0.3)
    verdicts = read_verdicts(root)
    verdicts["grouping"] = {"rows": [row("clusters", "hard", 2.0), row("random_1", "random", 1.0)], "weights": "raw"}
    write_json(root / "results/verdicts.json", verdicts)
    return [place.folder for place in places]


def named(config: Config) -> dict[str, Run]:
    return {run.info.run_name: run for run in runs_of(config)}


@pytest.fixture
def config(database: str, request: pytest.FixtureRequest) -> Config:
    return make_config(database, request.node.name, **GROUPED)


@pytest.mark.thorough
def test_models_and_groupings_stand_below_the_parent_by_name(config: Config, tmp_path: Path) -> None:
    write_grouped(tmp_path, config)
    done = sync(config, tmp_path)
    # Beside the 10 runs of these results: two models × two seeds, their summaries, and one grouping.
    assert (done.new, done.problem) == (10 + 4 + 2 + 1, None)
    runs = named(config)
    (parent,) = [run for run in runs.values() if run.data.tags["stage"] == "pipeline"]
    assert {
        "s0 cluster_1 (ahead, fault)", "s1 cluster_1 (ahead, fault)",
        "s0 set_ahead_fault", "mean cluster_1",
        "mean grouping/clusters",
    } <= set(runs)  # fmt: skip
    run = runs["s1 cluster_1 (ahead, fault)"]
    assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert {"stage": "specialise", "method": "specialised/cluster_1", "seed": "1"}.items() <= run.data.tags.items()
    assert run.data.params["model.weights"] == "[0.9, 0.1]"
    assert run.data.metrics["test/ahead/mse"] == 0.3
    grouping = runs["mean grouping/clusters"].data.metrics
    assert (grouping["delta_m"], grouping["delta_m_low"], grouping["models"]) == (2.0, 1.0, 1.0)
    assert not any("random_1" in name for name in runs)
    again = sync(config, tmp_path)
    assert (again.new, again.present) == (0, 17)


@pytest.mark.thorough
def test_the_stage_publishes_its_models_and_the_rest_follows(config: Config, tmp_path: Path) -> None:
    folders = write_grouped(tmp_path, config)
    publish_stage("specialise", folders, tmp_path)
    settle(tmp_path, patience=120.0)
    rest = sync(config, tmp_path)
    assert (rest.new, rest.present) == (13, 4)
    tags = named(config)["s1 set_ahead_fault"].data.tags
    assert tags["execution"] == "computed"


@pytest.mark.parametrize("left", ["nothing asked for", "no models.json", "a damaged models.json"])
def test_what_another_setting_left_is_not_shown(database: str, tmp_path: Path, left: str) -> None:
    config = make_config(database, left, **({} if left == "nothing asked for" else GROUPED))
    write_grouped(tmp_path, config)
    if left == "no models.json":
        (tmp_path / MODELS).unlink()
    elif left == "a damaged models.json":
        (tmp_path / MODELS).write_text("{")
    sync(config, tmp_path)
    methods = {run.data.tags["method"] for run in runs_of(config) if run.data.tags["stage"] != "pipeline"}
    assert "joint" in methods and not any(method.startswith("specialised/") for method in methods)
