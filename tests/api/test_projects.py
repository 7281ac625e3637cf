"""A result that is saved is a project: its runs again give the same bits, and it opens as the same result."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import mtl
from mtl.api.result import Result
from mtl.errors import UserError
from tests.api.conftest import unchecked

PROJECT = Path(__file__).parents[2]


def hashes(folder: Path) -> dict[str, str]:
    """Path → sha256 of every file that the stages write but those of the report."""
    files = [path for place in ("data/prepared", "outputs", "results") for path in (folder / place).rglob("*")]
    files += [folder / "data/index.json", folder / "data/tasks.json"]
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if path.is_file()
    }


@pytest.fixture(scope="module")
def saved(result: Result, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return result.save(tmp_path_factory.mktemp("saved") / "wines")


def test_it_opens_as_the_same_result(saved: Path, result: Result, frame: pd.DataFrame) -> None:
    opened = mtl.open(saved)
    pd.testing.assert_frame_equal(opened.verdicts, result.verdicts)
    pd.testing.assert_frame_equal(opened.simple, result.simple)
    pd.testing.assert_frame_equal(opened.predictions, result.predictions)
    pd.testing.assert_frame_equal(opened.model("equal").predict(frame), result.model("equal").predict(frame))
    assert not (saved / "models").exists(), "models of a project that was opened stand in a folder of their own"


def test_it_is_a_whole_project(saved: Path) -> None:
    assert (saved / ".git").is_dir() and (saved / "README.md").read_text(encoding="utf-8").startswith("# wines\n")
    assert not (saved / ".mtl").exists() and not (saved / "data/raw/.origins").exists()
    for file in saved.rglob("*.json"):
        assert "/tmp/" not in file.read_text(encoding="utf-8") and "mtl-" not in file.read_text(encoding="utf-8"), file


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.processes
def test_its_stages_give_the_same_bits(saved: Path, tmp_path: Path) -> None:
    project = tmp_path / "again"
    shutil.copytree(saved, project)
    before = hashes(project)
    for place in ("data/prepared", "outputs", "results", "report"):
        shutil.rmtree(project / place, ignore_errors=True)
    environment = os.environ | {"PYTHONPATH": str(PROJECT), "MTL_ESTIMATE": "no"}
    command = [sys.executable, "-m", "mtl.cli", "repro"]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    assert hashes(project) == before and any(name.endswith("weights.safetensors") for name in before)


def test_a_folder_with_files_is_left_alone(result: Result, saved: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    for place in (saved, tmp_path, tmp_path / "mine.txt"):
        with pytest.raises(UserError):
            result.save(place)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_folder_without_results_is_told(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no project, for it has no"):
        mtl.open(tmp_path)
    for load in (mtl.open, mtl.load_model):
        with pytest.raises(UserError, match="`folder` should be a path, found 3"):
            unchecked(load)(3)
    shutil.copy(saved / "params.yaml", tmp_path)
    with pytest.raises(UserError, match="run `mtl repro` in"):
        mtl.open(tmp_path)
