"""The commands that a DVC user types, on a project that has run."""

import json
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.e2e.project import Project, own_csv, own_settings, settings

pytestmark = pytest.mark.thorough


def test_differences_metrics_and_plots_are_shown(workspace: Project) -> None:
    params = settings()
    params["train"]["lr"] = 0.005
    workspace.use(params)
    changed = json.loads(workspace.dvc("params", "diff", "--json").well().out)["params.yaml"]
    assert changed["train.lr"] == {"old": 0.001, "new": 0.005, "diff": 0.004}
    shown = json.loads(workspace.dvc("metrics", "show", "--json").well().out)
    metrics = workspace.json("results/metrics.json")
    assert shown[""]["data"]["results/metrics.json"]["data"] == metrics
    drawn = workspace.dvc("plots", "show").well().out
    page = workspace.root / "dvc_plots/index.html"
    assert page.as_uri() in drawn
    assert "learning_curves.csv" in page.read_text(encoding="utf-8")


@pytest.mark.slow
def test_an_experiment_in_a_temporary_workspace(workspace: Project) -> None:
    """It trains what its setting changes, leaves the project's files alone, and its runs are not lost with it."""
    workspace.use(settings())
    assert workspace.run("git", "status", "--porcelain").well().out == ""
    before = workspace.results()
    done = workspace.dvc("exp", "run", "--temp", "--name", "more-labels", "-S", "finetune.methods.joint.lambda=0.9")
    assert done.code == 0, done.out + done.err
    assert done.ran == ["finetune", "cluster", "evaluate"]
    assert workspace.results() == before
    assert workspace.run("git", "status", "--porcelain").well().out == ""
    compared = json.loads(workspace.dvc("metrics", "diff", "HEAD", "more-labels", "--json").well().out)
    changed = compared["results/metrics.json"]
    assert all(name.startswith("joint.") for name in changed), changed
    assert "joint.ahead.mse" in changed
    client = MlflowClient(tracking_uri=f"sqlite:///{workspace.root / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("mtl")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], "tags.stage = 'pipeline'")
    assert [run.data.params["finetune.methods.joint.lambda"] for run in runs] == ["0.9"]
    assert runs[0].data.tags["execution"] == "more-labels"


@pytest.mark.slow
def test_raw_data_in_a_temporary_workspace_and_of_one_source_alone(own: Project, tmp_path: Path) -> None:
    """Raw files are in no commit, and DVC copies what git holds; the file of another source is nobody's matter."""
    place = own.copy(tmp_path / "project")
    (tmp_path / "other.csv").write_text(own_csv())
    place.mtl("data", "add", "other", str(tmp_path / "other.csv")).well()
    params = own_settings()
    params["prepare"]["sources"]["other"] = params["prepare"]["sources"]["mine"] | {"path": "data/raw/other.csv"}
    place.use(params)
    place.commit()
    done = place.dvc("exp", "run", "--temp", "-S", "+prepare.sources.mine.on_missing=interpolate", "prepare@mine")
    assert done.code == 0 and done.ran == ["prepare@mine"], done.out + done.err
    (place.root / "data/raw/other.csv").unlink()
    place.mtl("repro", "prepare@mine").well()
    refused = place.mtl("repro", "index")
    assert refused.code == 2 and "data/raw/other.csv is missing" in refused.err
