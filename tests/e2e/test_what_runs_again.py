"""Stages that a change makes DVC compute again, and above all those that it does not."""

import re

import pytest

from tests.e2e.conftest import Finished
from tests.e2e.project import Json, Project, settings

pytestmark = pytest.mark.thorough


def quiet_settings() -> Json:
    """`settings` without MLflow: what is computed is the matter here."""
    params = settings()
    params["tracking"]["enabled"] = False
    return params


def append(project: Project, path: str, text: str) -> None:
    file = project.root / path
    file.write_text(file.read_text(encoding="utf-8") + text, encoding="utf-8")


@pytest.mark.slow
def test_methods_come_and_go(finished: Finished, workspace: Project) -> None:
    """Neither of them retrains another, and a removed one leaves nothing behind."""
    params = quiet_settings()
    params["finetune"]["methods"]["uncertainty"] = {"kind": "uncertainty"}
    workspace.use(params)
    added = workspace.mtl("repro").well()
    assert added.ran == ["finetune", "cluster", "evaluate"]
    assert added.trained == ["finetune@uncertainty"]
    assert [method["name"] for method in workspace.json("results/verdicts.json")["methods"]][-1] == "uncertainty"
    workspace.use(quiet_settings())
    removed = workspace.mtl("repro").well()
    assert removed.trained == []
    assert workspace.results() == finished.project.results(), "no ghost is left"


@pytest.mark.slow
def test_settings_that_change_no_result_compute_nothing(workspace: Project) -> None:
    """Jobs, tracking and its code; the report's code and its settings draw the report again and train nothing."""
    params = quiet_settings()
    params["base"]["jobs"] = 2
    params["tracking"] |= {"experiment": "another", "log_weights": False}
    workspace.use(params)
    append(workspace, "mtl/tracking/mirror.py", "\n# Changed.\n")
    assert workspace.dvc("status").well().out.strip() == "Data and pipelines are up to date."
    params["evaluate"]["confidence"] = 0.9
    workspace.use(params)
    append(workspace, "mtl/report/words.py", "\n# Changed.\n")
    done = workspace.mtl("repro").well()
    assert done.ran == ["evaluate"]
    assert workspace.json("results/verdicts.json")["confidence"] == 0.9
    assert "change % ± 90 %" in done.out


def test_dvc_is_asked_to_run_nothing_where_it_finds_all_up_to_date(workspace: Project) -> None:
    """`mtl repro` believes its look at the stages, which sees a result that is gone."""
    workspace.use(quiet_settings())
    again = workspace.mtl("repro", MTL_ESTIMATE="yes").well()
    assert "Nothing trains: all" in again.out and "\nData and pipelines are up to date.\n" in again.out
    assert "Stage 'evaluate'" not in again.out and "\nAdvice  " in again.out
    before = workspace.contents("results")
    (workspace.root / "results/metrics.json").unlink()
    done = workspace.mtl("repro", MTL_ESTIMATE="yes").well()
    assert done.trained == [] and "up to date" not in done.out
    assert workspace.contents("results") == before


@pytest.mark.slow
def test_the_settings_of_one_source_prepare_that_source(workspace: Project) -> None:
    params = quiet_settings()
    params["prepare"]["sources"]["other"] = params["prepare"]["sources"]["sensors"] | {"seed": 1}
    workspace.use(params)
    workspace.mtl("data", "add", "other").well()
    assert workspace.mtl("repro", "index").well().ran == ["prepare@other", "index"]
    before = workspace.contents("data/prepared/sensors")
    params["prepare"]["sources"]["other"]["seed"] = 2
    workspace.use(params)
    done = workspace.mtl("repro", "index").well()
    assert done.ran == ["prepare@other", "index"]
    assert workspace.contents("data/prepared/sensors") == before
    waiting = re.findall(r"^(\S+):$", workspace.dvc("status").well().out, re.MULTILINE)
    assert {"pretrain", "baseline", "finetune"} <= set(waiting)
    assert not {"prepare@sensors", "prepare@other", "index"} & set(waiting)
