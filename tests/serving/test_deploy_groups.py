"""Models of groups deploy, predict and export as one: those of the clusters, soft and branched, and of groupings beside
them."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from numpy.testing import assert_allclose

import mtl
from mtl.api.deployment.deploy import Wish, deploy
from mtl.config import parse_config
from mtl.config.methods import Start
from mtl.errors import UserError
from mtl.evaluation.groupings import compare_groupings
from mtl.evaluation.runs import read_runs
from mtl.paths import GROUPS, MODELS, VERDICTS, RunPath
from mtl.results.deployment import Deployment
from mtl.results.groups import Facts, Groups, Stability
from mtl.results.reading import read_run
from mtl.results.serving import Serving
from mtl.results.verdicts import Verdicts
from mtl.serving.deployed import DeployedModel
from mtl.serving.export.check import expected
from mtl.serving.export.graph import graph_of
from mtl.serving.predict import Request, origins_of, predict_file
from mtl.stages.specialise import specialise
from tests.helpers.deployable import SEEDS, table_settings, write_verdicts
from tests.helpers.deployable import flats as flats_frame
from tests.serving.conftest import Project

pytestmark = pytest.mark.slow
PROJECT = Path(__file__).resolve().parents[2]
TASKS = ["rent", "band", "dear"]


@pytest.fixture(scope="module")
def grouped(flats: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Rows whose tasks were found to belong to two clusters, softly, with every model that this leads to."""
    root = flats.copy(tmp_path_factory.mktemp("grouped")).root
    settings = table_settings()
    settings["finetune"]["methods"]["joint"]["datamap"] = {}
    settings |= {
        "cluster": {"source": "joint", "clusters": 2},
        "specialise": {"weights": "mean_one", "random_draws": 2},
    }
    config = parse_config(settings)
    (root / "params.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    Groups(
        source="joint", relation=config.cluster.relation, algorithm=config.cluster.algorithm, choose_by=None,
        seeds=SEEDS, start=Start(), tasks=TASKS, clusters=2, memberships=[[0.9, 0.1], [0.7, 0.3], [0.2, 0.8]],
        labels=[0, 0, 1], groups=[["rent", "band"], ["dear"]], scores={}, stability=Stability(runs=None, starts=None),
        labels_of_runs={}, distances=np.zeros((3, 3)).tolist(), facts=Facts(),
        linkage=[[0.0, 1.0, 0.1, 2.0], [2.0, 3.0, 0.2, 3.0]],
    ).write(root / GROUPS)  # fmt: skip
    specialise(config, lambda jobs: [job.work(*job.arguments, root=root) for job in jobs], root)
    write_verdicts(root, config, {})
    verdicts = Verdicts.read(root / VERDICTS)
    made = compare_groupings(config, read_runs(config, root), root)
    verdicts.model_copy(update={"grouping": made}).write(root / VERDICTS)
    return dataclasses.replace(flats, root=root, config=config)


def deployed(project: Project, method: str, seeds: str, out: Path) -> tuple[Path, Deployment, DeployedModel]:
    place, deployment = deploy(Wish(method, seeds, name="groups"), project.root, out)  # type: ignore[arg-type]
    model = mtl.load_model(out / place)
    assert isinstance(model, DeployedModel)
    return out / place, deployment, model


@pytest.mark.parametrize("method", ["clusters", "ensemble", "random_1", "together"])
@pytest.mark.parametrize("seeds", ["best", "ensemble"])
def test_a_grouping_predicts_and_exports_as_one(method: str, seeds: str, grouped: Project, tmp_path: Path) -> None:
    _, deployment, model = deployed(grouped, method, seeds, tmp_path)
    assert {served.how for served in deployment.tasks.values()} == {"cluster"}
    assert all(served.test is not None for served in deployment.tasks.values())
    data = tmp_path / "new.csv"
    flats_frame(30, seed=4).to_csv(data, sep=";", index=False)
    done = predict_file(model, Request(data, tmp_path / "out.csv"), origins_of(model))
    assert (done.samples, done.tasks) == (30, TASKS)
    answers = pd.read_csv(tmp_path / "out.csv")
    assert np.isfinite(answers[["rent", "band", "dear_p:dear"]].to_numpy()).all()
    graph = graph_of(model, None)
    samples = graph.first.draw(300, torch.Generator().manual_seed(3))
    for right, got in zip(expected(model, graph, samples), graph(*samples.values()), strict=True):
        assert_allclose(got.numpy(), right, rtol=1e-5, atol=1e-5)


def test_a_cluster_has_the_test_value_of_its_own_run(grouped: Project, tmp_path: Path) -> None:
    """In a hard grouping each task is answered by one network, and its test value is that of the run."""
    place, _ = deploy(Wish("clusters", 0, name="first"), grouped.root, tmp_path)
    kept = Deployment.of_folder(tmp_path / place)
    serve = next(row for row in Serving.read(grouped.root / MODELS, "").candidates if row.name == "clusters").serve
    for task, served in kept.tasks.items():
        (model,) = serve[task]
        run = read_run(RunPath("specialise", model, None, 0), grouped.root)
        assert served.test is not None
        assert served.test[served.metric] == pytest.approx(run.value(task, served.metric), rel=1e-12)


def test_means_over_draws_are_no_models_and_the_best_partition_is_its_own(grouped: Project, tmp_path: Path) -> None:
    verdicts = Verdicts.read(grouped.root / VERDICTS)
    assert verdicts.grouping is not None
    rows = {row.kind: row for row in verdicts.grouping.rows}
    for kind in ("random_mean", "partition_mean"):
        with pytest.raises(UserError, match="--method should be one of auto, stl, simple, joint, together, clus"):
            deploy(Wish(rows[kind].name, name="mean"), grouped.root, tmp_path)
    _, deployment, _ = deployed(grouped, rows["best"].name, "best", tmp_path)
    (name,) = {served.name for served in deployment.tasks.values()}
    assert next(row for row in verdicts.grouping.rows if row.name == name).groups == rows["best"].groups


def test_the_models_of_the_clusters_are_one_file(grouped: Project, tmp_path: Path) -> None:
    """By the command, in a process of its own: the checks of types that tests add cannot be traced."""
    folder, _, _ = deployed(grouped, "clusters", "best", tmp_path)
    command = [sys.executable, "-m", "mtl.cli", "export", "--to", "torch", "--model", str(folder)]
    told = subprocess.run([*command, "-o", str(tmp_path / "groups.pt2")], cwd=PROJECT, capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    assert "at 1, 3, 257, 1000 samples at once" in told.stdout and (tmp_path / "groups.pt2").is_file()
