"""Runs that stages keep, through DVC: in a clone that has pulled them, when settings change to and fro, and by name."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import Finished
from tests.e2e.project import IDENTITY, Json, Project, settings

pytestmark = [pytest.mark.thorough, pytest.mark.slow]


def edited() -> Json:
    """`settings` with another λ, and without MLflow."""
    params = settings()
    params["tracking"]["enabled"] = False
    params["finetune"]["methods"]["joint"]["lambda"] = 0.9
    return params


def test_a_clone_that_has_pulled_trains_what_was_edited(workspace: Project, tmp_path: Path) -> None:
    """By plain DVC, to the bytes of the project itself after the same edit."""
    workspace.commit()
    workspace.dvc("remote", "add", "--default", "there", str(tmp_path / "remote")).well()
    workspace.dvc("push", "--quiet").well()
    workspace.commit()
    subprocess.run(["git", *IDENTITY, "clone", "--quiet", str(workspace.root), str(tmp_path / "clone")], check=True)
    clone = Project(tmp_path / "clone")
    clone.dvc("pull", "--quiet").well()
    assert not (clone.root / ".mtl").exists()
    for place in (workspace, clone):
        place.use(edited())
        done = place.dvc("repro").well()
        assert done.ran == ["finetune", "cluster", "evaluate"] and done.trained == ["finetune@joint"]
    assert clone.results() == workspace.results()
    params = edited()
    params["finetune"]["methods"]["joint"]["lambda"] = 0.2
    clone.use(params)
    assert clone.dvc("repro").well().trained == [], "and back, as it was pulled"


def test_a_method_by_its_name(workspace: Project, finished: Finished) -> None:
    params = edited()
    params["finetune"]["methods"]["more"] = {"kind": "uncertainty"}
    workspace.use(params)
    done = workspace.mtl("repro", "finetune@more").well()
    assert (done.ran, done.trained) == (["finetune"], ["finetune@more"])
    assert "Other runs of finetune lack or are of other settings: `mtl repro` makes them.\n" in done.out
    assert "ERROR" not in done.err and "failed" not in done.err
    waiting = workspace.dvc("status").well().out
    assert "finetune:" in waiting, "DVC does not take the stage for done"
    done = workspace.mtl("repro", "finetune@joint").well()
    assert (done.ran, done.trained) == (["finetune"], ["finetune@joint"])
    assert workspace.mtl("repro", "finetune").well().ran == [], "nothing lacked any more"
    back = settings()
    back["tracking"]["enabled"] = False
    workspace.use(back)
    assert workspace.mtl("repro").well().trained == []
    assert workspace.results() == finished.project.results()


def test_made_anew_by_force_and_brought_back_without(workspace: Project, finished: Finished) -> None:
    forced = workspace.mtl("repro", "--force", "baseline@fault").well()
    assert (forced.ran, forced.trained) == (["baseline"], ["baseline@fault"])
    shutil.rmtree(workspace.root / "outputs")
    lost = workspace.mtl("repro").well()
    assert lost.trained == [] and {"baseline", "finetune"} <= set(lost.ran)
    assert workspace.results() == finished.project.results()
    (workspace.root / "outputs/finetune/joint/seed-1/weights.safetensors").write_bytes(b"damaged")
    assert workspace.mtl("repro").well().trained == [], "DVC's cache has it whole"
    assert workspace.results() == finished.project.results()
