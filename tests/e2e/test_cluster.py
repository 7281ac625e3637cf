"""`mtl repro --scheduler` with a scheduler and workers that are processes of their own, in folders of their own."""

import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.e2e.killing import interruptible, until
from tests.e2e.project import Project, settings
from tests.helpers.dask_cluster import DaskCluster

pytestmark = pytest.mark.processes
Json = dict[str, Any]


@pytest.fixture
def dask(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[DaskCluster]:
    """A scheduler; its workers know no project, and keep files in a folder of theirs."""
    folder = tmp_path_factory.mktemp("dask")
    monkeypatch.setenv("MTL_CACHE", str(folder / "cache"))
    made = DaskCluster(folder / "log")
    yield made
    made.close()


def hired(dask: DaskCluster, count: int) -> None:
    for _ in range(count):
        dask.hire(dask.log.parent)


def ran(epochs: int = 1, seeds: int = 2) -> Json:
    """Settings with eight runs, each of which takes `epochs` epochs; some start from pretrained weights."""
    chosen = settings()
    chosen["tracking"] = {"enabled": False}
    chosen["base"] |= {"seeds": list(range(seeds)), "jobs": 2}
    chosen["train"] |= {"epochs": epochs, "stopping": {"patience": None}}
    return chosen


def results(project: Project) -> dict[str, str]:
    return {path: digest for path, digest in project.results().items() if path.startswith(("outputs", "results"))}


def left_behind(dask: DaskCluster) -> list[psutil.Process]:
    """Processes that make runs."""
    made = [p for p in psutil.process_iter(["cmdline"]) if "mtl.jobs.cluster_job" in (p.info["cmdline"] or [])]
    return [p for p in made if p.is_running() and p.cwd().startswith(str(dask.log.parent))]


@pytest.mark.slow
def test_files_are_those_of_a_run_on_this_machine(workspace: Project, dask: DaskCluster, tmp_path: Path) -> None:
    workspace.use(ran())
    here = workspace.copy(tmp_path / "here")
    here.mtl("repro").well()
    hired(dask, 2)
    done = workspace.mtl("repro", "--scheduler", dask.address, "--store", str(tmp_path / "store")).well()
    assert done.trained == ["baseline@ahead", "baseline@fault", "finetune@handed", "finetune@joint"]
    assert results(workspace) == results(here)
    assert (tmp_path / "store/files").is_dir() and [path.name for path in (tmp_path / "store").iterdir()] == ["files"]
    again = workspace.mtl("repro", MTL_SCHEDULER=dask.address).well()
    assert not again.trained, "what came back is kept"


@pytest.mark.slow
def test_workers_that_are_killed_at_random_and_the_scheduler_lose_nothing(
    workspace: Project, dask: DaskCluster, tmp_path: Path
) -> None:
    workspace.use(ran(epochs=30, seeds=3))
    here = workspace.copy(tmp_path / "here")
    here.mtl("repro").well()
    workspace.mtl("repro", "pretrain").well()
    hired(dask, 2)
    draw = random.Random(3)
    process = subprocess.Popen(
        interruptible("-m", "mtl.cli", "repro"), cwd=workspace.root, text=True,
        env=workspace.environment(MTL_SCHEDULER=dask.address),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    kills = restarts = 0
    try:
        while process.poll() is None:
            time.sleep(1.0 + 2 * draw.random())
            if kills < 6 and left_behind(dask):
                kills += 1
                if draw.random() < 0.5:
                    dask.kill(draw.choice(dask.workers))
                    hired(dask, 1)
                else:
                    draw.choice(left_behind(dask)).kill()
            elif kills >= 6 and not restarts:
                restarts += 1
                dask.restart()
                hired(dask, 2)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, out + err
    assert kills == 6 and restarts == 1, "the runs were too short for this machine"
    assert results(workspace) == results(here)


@pytest.mark.slow
def test_ctrl_c_ends_the_runs_and_the_same_command_goes_on(workspace: Project, dask: DaskCluster) -> None:
    workspace.use(ran(epochs=30))
    hired(dask, 2)
    workspace.mtl("repro", "pretrain").well()
    shutil.rmtree(workspace.root / "outputs/baseline")  # Runs of other settings, which would pass for finished ones.
    process = subprocess.Popen(
        interruptible("-m", "mtl.cli", "repro", "baseline"), cwd=workspace.root, start_new_session=True,
        env=workspace.environment(MTL_SCHEDULER=dask.address),
    )  # fmt: skip
    folders = workspace.root / "outputs/baseline"
    until(lambda: len(list(folders.rglob("key.json"))) >= 2, 240, "two finished runs")
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 130
    until(lambda: not left_behind(dask) or all(p.cpu_percent(0.2) < 5 for p in left_behind(dask)), 30, "idle workers")
    held = {path: path.stat().st_mtime_ns for path in folders.rglob("key.json")}
    assert len(held) >= 2
    workspace.mtl("repro", "baseline", "--scheduler", dask.address).well()
    assert {path: path.stat().st_mtime_ns for path in held} == held, "these were not made again"
    assert len(list(folders.rglob("key.json"))) == 8


@pytest.mark.slow
def test_a_worker_of_other_code_is_left_out(workspace: Project, dask: DaskCluster, tmp_path: Path) -> None:
    workspace.use(ran())
    workspace.mtl("repro", "pretrain").well()
    with (workspace.root / "mtl/experiment/runs.py").open("a") as file:
        file.write("# another version\n")
    hired(dask, 1)
    done = workspace.mtl("repro", "baseline", MTL_SCHEDULER=dask.address)
    assert done.code == 2, done.out + done.err
    assert "can take part. Worker" in done.err and "code of mtl" in done.err and "same commit" in done.err
