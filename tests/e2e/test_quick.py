"""`mtl repro --quick` beside real results: it marks its own, and neither reads nor changes those."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from mtl.setup.new_project import lay_out
from tests.e2e.conftest import Finished
from tests.e2e.killing import alive, family, interruptible, until
from tests.e2e.project import Done, Json, Project, settings

pytestmark = pytest.mark.slow
QUICK = Path(".mtl/quick")
REPORT = f"{QUICK}/report/report.html"


@dataclass(frozen=True)
class Looked:
    """A finished project in which a quick look was taken afterwards."""

    project: Project
    before: dict[str, str]
    """Path → hash of every file of the project before."""
    done: Done
    verdicts: Json


@pytest.fixture(scope="module")
def looked(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Looked:
    project = finished.project.copy(tmp_path_factory.mktemp("looked") / "project")
    before = project.contents()
    done = project.mtl("repro", "--quick").well()
    return Looked(project, before, done, project.json(f"{QUICK}/results/verdicts.json"))


def test_the_results_of_the_project_stay_as_they_are(looked: Looked) -> None:
    after = looked.project.contents()
    fresh = {path for path in after if path.startswith(("mlflow.db", "mlartifacts/"))}
    assert fresh, "the look is in MLflow"
    assert {path: content for path, content in after.items() if path not in fresh} == looked.before
    status = looked.project.run("git", "status", "--porcelain").well().out
    assert "quick" not in status and "mlflow" not in status


def test_what_seeds_and_epochs_do_not_change_is_taken_over(looked: Looked) -> None:
    assert not {"prepare@sensors", "index"} & set(looked.done.ran)
    assert {"baseline", "finetune", "evaluate"} <= set(looked.done.ran)


def test_everything_that_is_shown_says_what_it_is(looked: Looked) -> None:
    said = "1 of 2 seeds and 1 of 1 epoch"
    assert looked.done.out.startswith(f"Quick look in {QUICK}: {said}. The results of `mtl repro` stay as they are.")
    assert f"QUICK LOOK, no result: {said}" in looked.done.out and f"Report  {REPORT}" in looked.done.out
    assert not re.search(r"HELPED|HURT|LEVEL|± \d", looked.done.out)
    assert said in (looked.project.root / REPORT).read_text(encoding="utf-8")
    assert looked.verdicts["quick"] == {"seeds": 1, "of_seeds": 2, "epochs": 1, "of_epochs": 1}
    assert {row["verdict"]["open"] for row in looked.verdicts["rows"]} == {"quick look"}
    assert not any("new_data" in row for row in looked.verdicts["rows"])
    assert {row["change"]["low"] for row in looked.verdicts["rows"]} == {None}


def test_its_runs_lie_in_an_experiment_of_their_own(looked: Looked) -> None:
    with closing(sqlite3.connect(looked.project.root / "mlflow.db")) as database:
        runs = database.execute(
            "SELECT e.name, r.name, t.value FROM runs r JOIN experiments e ON e.experiment_id = r.experiment_id "
            "LEFT JOIN tags t ON t.run_uuid = r.run_uuid AND t.key = 'quick'"
        ).fetchall()
    assert {name for name, _, _ in runs} == {"mtl (quick)"}
    assert {mark for _, _, mark in runs} == {"1 of 2 seeds and 1 of 1 epoch"}
    names = {name for _, name, _ in runs}
    assert {"s0 joint", "mean joint", "mean stl"} <= names and not any(name.startswith("s1 ") for name in names)
    assert any(name.startswith("quick look: ") for name in names)


@pytest.mark.slow
def test_both_know_what_is_up_to_date(looked: Looked) -> None:
    """A second look, one of a stage, and the real pipeline compute nothing; what is no stage is refused."""
    for arguments in (["--quick"], ["--quick", "finetune@joint"], []):
        assert looked.project.mtl("repro", *arguments).well().ran == []
    shown = looked.project.mtl("show").well().out
    assert "QUICK" not in shown
    refused = looked.project.mtl("repro", "--quick", "finetune@none")
    assert refused.code == 2 and "should be given stages among" in refused.err
    stage = looked.project.mtl("repro", "--quick", "finetune@joint").well().out
    assert stage.rstrip().endswith("`mtl repro --quick` without a stage evaluates.")


@pytest.mark.slow
def test_ctrl_c_and_on(fresh: Project, tmp_path: Path) -> None:
    place = fresh.copy(tmp_path / "project")
    params = settings()
    params["train"] |= {"epochs": 500, "stopping": {"patience": None}}  # of which 100 are trained; it is ended before
    params["tracking"]["enabled"] = False
    place.use(params)
    running = subprocess.Popen(
        interruptible("-m", "pipelines", "repro", "--quick", "baseline@ahead"), cwd=place.root,
        env=place.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    states = place.root / QUICK / ".mtl/state"
    until(lambda: list(states.rglob("*.safetensors")), 300, "the first epoch")
    members = family(running.pid)
    os.killpg(running.pid, signal.SIGINT)
    _, said = running.communicate(timeout=120)
    assert running.returncode == 130 and "Traceback" not in said, said
    assert "Interrupted; `mtl repro --quick` goes on from the last states." in said
    until(lambda: not any(map(alive, members)), 30, "everything that it started to end")
    assert list(states.rglob("*.safetensors"))
    assert not (place.root / "outputs").exists() and not (place.root / "dvc.lock").exists()
    again = place.mtl("repro", "--quick", "baseline@ahead").well()
    assert "stl / ahead / random / seed 0: done, 100 epochs" in again.out
    timing = place.json(f"{QUICK}/timings/baseline/ahead/random/seed-0.json")
    assert timing["epochs"] == 100
    assert not (place.root / "outputs").exists()


@pytest.mark.slow
def test_a_project_of_the_installed_package(tmp_path: Path) -> None:
    root = tmp_path / "a project"
    lay_out(root)
    place = Project(root)
    params = settings()
    params["pretrain"] = {"objective": {"kind": "none"}}
    params["baseline"] = {"starts": [{"init": "random"}]}
    params["finetune"]["methods"] = {"joint": {"kind": "equal"}}
    params["encoder"] = {"kind": "linear", "input_len": 24}
    (root / "data/raw").mkdir(parents=True)
    (root / "data/raw/sensors.json").write_text('{"files": {}}\n')
    (root / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    before = place.contents()
    code = str(Path(__file__).resolve().parents[2])
    command = [sys.executable, "-m", "mtl.cli", "repro", "--quick"]
    done = place.run(*command, PYTHONPATH=code).well()
    assert f"Report  {REPORT}" in done.out and "QUICK LOOK" in done.out
    after = {path: v for path, v in place.contents().items() if not path.startswith(("mlflow.db", "mlartifacts/"))}
    assert after == before
    assert place.run(*command, PYTHONPATH=code).well().ran == []
