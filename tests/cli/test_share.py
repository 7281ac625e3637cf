"""`mtl share`: what is pushed is said first, and a colleague sees verdicts, page and models without training."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import mtl
from mtl.cli.share import Tracked, in_bytes, remote_of, share
from mtl.cli.share import Wish as ShareWish
from mtl.data.files.manifest import read_manifest
from mtl.errors import UserError
from tests.api.conftest import QUICK, wines

PROJECT = Path(__file__).resolve().parents[2]
IDENTITY = ["-c", "user.name=Someone", "-c", "user.email=someone@example.org", "-c", "commit.gpgsign=false"]


def run(folder: Path, *command: str, code: int = 0) -> str:
    """Output of a command in a folder, errors after the rest."""
    environment = os.environ | {"PYTHONPATH": str(PROJECT), "DVC_NO_ANALYTICS": "1", "COLUMNS": "200"}
    ended = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert ended.returncode == code, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


def mtl_(folder: Path, *arguments: str, code: int = 0) -> str:
    return run(folder, sys.executable, "-m", "mtl.cli", *arguments, code=code)


def dvc(folder: Path, *arguments: str) -> str:
    return run(folder, sys.executable, "-m", "mtl.cli.repro", *arguments)


def commit(folder: Path) -> None:
    run(folder, "git", "add", "--all")
    run(folder, "git", *IDENTITY, "commit", "--quiet", "--message", "results")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with results, a deployed model, and all of it committed to git and to DVC."""
    result = mtl.compare(wines(), {"quality": "regression", "good": "binary"}, methods=["equal"], **QUICK)
    result.report()
    folder = result.save(tmp_path_factory.mktemp("share") / "wines")
    mtl_(folder, "deploy", "--method", "equal")
    dvc(folder, "commit", "--force", "--quiet")
    commit(folder)
    return folder


def copy(project: Path, folder: Path) -> Path:
    shutil.copytree(project, folder, symlinks=True)
    return folder


def colleague(project: Path, folder: Path, *pull: str) -> Path:
    """A clone by way of a bare repository, with what DVC has for it."""
    bare, clone = folder / "bare.git", folder / "clone"
    run(folder, "git", "init", "--quiet", "--bare", str(bare))
    run(project, "git", "push", "--quiet", str(bare), "HEAD:main")
    run(folder, "git", "clone", "--quiet", "--branch", "main", str(bare), str(clone))
    run(clone, sys.executable, "-m", "dvc", "pull", "--quiet", *pull)
    return clone


@pytest.mark.slow
@pytest.mark.thorough
def test_a_colleague_sees_all_of_it_and_trains_nothing(project: Path, tmp_path: Path) -> None:
    mine, remote = copy(project, tmp_path / "mine"), tmp_path / "remote"
    before = (mine / ".dvc/config").read_text(encoding="utf-8")
    told = mtl_(mine, "share", str(remote), code=2)
    assert "prepared data: every value of inputs and targets" in told and "Raw files (data/raw) stay here" in told
    assert "nobody can be asked here" in told and "not everything is up to date" not in told
    assert not remote.exists() and (mine / ".dvc/config").read_text(encoding="utf-8") == before
    told = mtl_(mine, "share", str(remote), "--yes")
    sent = sum(file.stat().st_size for file in remote.rglob("*") if file.is_file())
    said = int(told.partition("Together ")[2].partition(" bytes")[0].replace(",", ""))
    assert said > 0 and sent >= 0.5 * said, "lists of folders come on top, equal files go once"
    assert "git add --all && git commit" in told and "git has no remote yet" in told
    commit(mine)
    clone = colleague(mine, tmp_path)
    assert {file.suffix for file in (clone / "data/raw").iterdir()} == {".json"}
    shown = [mtl_(folder, "show").partition("method / sum of STL")[0] for folder in (clone, mine)]
    assert shown[0] == shown[1] and "quality" in shown[0], "the times below are those of a machine, and stay on it"
    assert (clone / "report/report.html").read_bytes() == (mine / "report/report.html").read_bytes()
    wines().drop(columns=["quality", "good"]).to_csv(tmp_path / "new.csv", index=False)
    for folder in (mine, clone):
        mtl_(folder, "predict", str(tmp_path / "new.csv"), "-o", "predicted.csv")
    assert (clone / "predicted.csv").read_bytes() == (mine / "predicted.csv").read_bytes()
    (mine / "predicted.csv").unlink()
    assert not (clone / ".mtl/state").exists()
    assert "Next    git push\n" in mtl_(mine, "share", "--yes"), "again, to the remote that is the default now"


@pytest.mark.slow
def test_prepared_data_stay_and_raw_files_go_when_asked(project: Path, tmp_path: Path) -> None:
    mine = copy(project, tmp_path / "mine")
    told = mtl_(mine, "share", str(tmp_path / "remote"), "--yes", "--no-prepared")
    assert "Prepared data stay here." in told and "every value" not in told
    assert "dvc pull --remote share --allow-missing" in told
    commit(mine)
    (tmp_path / "first").mkdir()
    clone = colleague(mine, tmp_path / "first", "--allow-missing")
    assert not list((clone / "data/prepared").rglob("*")), "DVC makes the folder, and nothing comes into it"
    assert (clone / "results/verdicts.json").exists()
    told = mtl_(mine, "share", "share", "--yes", "--raw")
    assert "raw files, as they came" in told and "stay here" not in told
    commit(mine)
    (tmp_path / "second").mkdir()
    assert "`dvc pull --remote share data/raw/*.dvc`" in told
    clone = colleague(mine, tmp_path / "second")
    dvc(clone, "pull", "--quiet", *(str(file.relative_to(clone)) for file in (clone / "data/raw").glob("*.dvc")))
    manifest = read_manifest("table", mine)
    assert manifest is not None
    raw = [mine / "data/raw" / file for file in manifest.files]
    assert raw and all((clone / "data/raw" / file.name).read_bytes() == file.read_bytes() for file in raw)
    assert (clone / "data/prepared").is_dir()


@pytest.mark.thorough
def test_a_remote_that_cannot_be_written_leaves_the_settings_alone(project: Path, tmp_path: Path) -> None:
    mine = copy(project, tmp_path / "mine")
    before = (mine / ".dvc/config").read_text(encoding="utf-8")
    told = mtl_(mine, "share", "/proc/nowhere", "--yes", code=2)
    assert "error: /proc/nowhere could not be reached or written" in told
    assert (mine / ".dvc/config").read_text(encoding="utf-8") == before
    (mine / "params.yaml").write_text((mine / "params.yaml").read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert "1 file is not committed (params.yaml)" in mtl_(mine, "share", str(tmp_path / "remote"), "--yes", code=2)


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Path]:
    """The least that a project has before anything was run."""
    folder = tmp_path / "project"
    (folder / ".dvc").mkdir(parents=True)
    shutil.copyfile(PROJECT / "params.yaml", folder / "params.yaml")
    (folder / ".dvc/config").write_text("[core]\n    analytics = false\n", encoding="utf-8")
    yield folder


def refused(folder: Path, message: str, remote: str | None = None) -> None:
    with pytest.raises(UserError, match=message):
        share(ShareWish(remote), folder)


def test_what_is_no_evaluated_project_is_told_so(bare: Path, tmp_path: Path) -> None:
    refused(tmp_path, r"params\.yaml")
    refused(bare, r"dvc\.yaml or \.dvc/config is missing: run this from the folder of a project")
    (bare / "dvc.yaml").write_text("stages: {}\n", encoding="utf-8")
    refused(bare, "no results to share yet.*`mtl repro` makes them")
    (bare / "results").mkdir()
    for file in ("dvc.lock", "results/verdicts.json"):
        (bare / file).write_text("{}\n", encoding="utf-8")
    refused(bare, "this folder is no git repository.*git init", "/media/team")
    run(bare, "git", "init", "--quiet")
    refused(bare, "REMOTE is missing, and DVC has no default one.*mtl share /media/team/wine")
    refused(bare, r"4 files are not committed \(dvc.lock, dvc.yaml, params.yaml, …\)", "/media/team")


def test_a_remote_is_a_name_or_an_address(bare: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"with a slash, found 'team'\. A folder here is written \./team\."):
        remote_of("team", bare)
    with pytest.raises(UserError, match="should lie outside of the project"):
        remote_of(str(bare / "remote"), bare)
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match="should be a folder, found the file"):
        remote_of(str(tmp_path / "file/below"), bare)
    assert remote_of("s3://bucket/wine", bare).address == "s3://bucket/wine"
    made = remote_of(str(tmp_path / "team"), bare)
    assert (made.name, made.address, made.new) == ("share", str(tmp_path / "team"), True)
    with (bare / ".dvc/config").open("a", encoding="utf-8") as settings:
        settings.write(f"    remote = team\n['remote \"team\"']\n    url = {tmp_path / 'team'}\n")
        settings.write("['remote \"share\"']\n    url = s3://bucket\n")
    assert remote_of(str(tmp_path / "team"), bare).name == "team"
    assert remote_of(None, bare) == remote_of("team", bare)
    assert remote_of(str(tmp_path / "other"), bare).name == "share2"
    with pytest.raises(UserError, match=r"found 'nobody'\. Known: team \(.*\), share \(s3://bucket\)"):
        remote_of("nobody", bare)


def test_sizes_and_kinds_are_words() -> None:
    assert in_bytes(999) == "999 bytes" and in_bytes(1_204_000) == "1,204,000 bytes (1.2 MB)"
    kinds = {"data/raw/a.csv": "data/raw", "data/prepared/a": "data/prepared", "data/index.json": "data",
             "models/auto": "models", "modelsx": "", "else/file": ""}  # fmt: skip
    assert {path: Tracked(path, 1, 1).kind for path in kinds} == kinds
