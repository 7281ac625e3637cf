"""A stage that is killed in the middle goes on where it was, bit for bit, and leaves no process behind."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml
from safetensors import safe_open

from mtl.config import load_config
from mtl.experiment import run_finetune
from mtl.paths import RunPath
from mtl.results.kept import KEY
from mtl.stages.kept import Kept
from tests.e2e.killing import alive, family, interruptible, until
from tests.e2e.project import SEEDS, Project, settings

EPOCHS = 80

pytestmark = [
    pytest.mark.processes,
    pytest.mark.thorough,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends workers with their parent"),
]


@pytest.fixture
def place(workspace: Project) -> Project:
    """The finished place, about to train for long enough to be killed."""
    params = settings()
    params["tracking"]["enabled"] = False
    params["base"]["jobs"] = 2
    params["train"] |= {"epochs": EPOCHS, "stopping": {"patience": None}}
    workspace.use(params)
    return workspace


def epoch_of(state: Path) -> int:
    with safe_open(state, framework="pt") as file:
        return int(json.loads(file.metadata()["state"])["record"]["epoch"])


def result(root: Path, seed: int) -> dict[str, bytes]:
    folder = root / RunPath("finetune", "joint", None, seed).folder
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_killed_stage_goes_on_bit_for_bit(place: Project, tmp_path: Path) -> None:
    command = (sys.executable, "-m", "mtl.stages.finetune", "joint")
    states = place.root / ".mtl/state"
    before = [result(place.root, seed) for seed in SEEDS]
    kept = Kept(Path("outputs/finetune"), place.root)
    keys = [json.loads(held[KEY])["key"] for held in before]
    stage = subprocess.Popen(
        command, cwd=place.root, env=place.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    try:
        until(lambda: list(states.rglob("*.safetensors")), 300, "the first epoch")
        workers = psutil.Process(stage.pid).children(recursive=True)
    finally:
        stage.send_signal(signal.SIGKILL)  # The parent alone: that its workers end as well is the matter.
    stage.wait()
    assert len(workers) == 2
    until(lambda: not any(map(alive, workers)), 30, "the workers to end with their parent")
    held = {path: path.read_bytes() for path in states.rglob("*.*")}
    time.sleep(0.2)
    assert {path: path.read_bytes() for path in states.rglob("*.*")} == held, "something goes on writing"
    reached = [epoch_of(path) for path in states.rglob("*.safetensors")]
    assert reached and all(1 <= epoch < EPOCHS for epoch in reached), reached
    assert not (place.root / "outputs/finetune/joint").exists(), "half a result"
    assert all((kept.runs / key).is_dir() for key in keys), "results of the settings before are not lost"

    resumed = place.run(*command).well()
    assert f"joint / seed 0: done, {EPOCHS} epochs" in resumed.out
    assert not list(states.rglob("*.safetensors"))
    timing = place.json("timings/finetune/joint/seed-0.json")
    assert timing["epochs"] == EPOCHS

    untouched = Project(tmp_path / "untouched")
    untouched.root.mkdir()
    for name in ("data", "plugins"):
        (untouched.root / name).symlink_to(place.root / name)
    config = load_config(place.root / "params.yaml")
    for seed in SEEDS:
        run_finetune(config, "joint", seed, untouched.root)
        assert result(place.root, seed) == result(untouched.root, seed)
        assert len(json.loads(result(place.root, seed)["history.json"])["epochs"]) == EPOCHS
    assert not list(kept.runs.iterdir()), "DVC's cache has the results before"
    for seed, key, held in zip(SEEDS, keys, before, strict=True):
        assert kept.bring_back(place.root / RunPath("finetune", "joint", None, seed).folder, key)
        assert result(place.root, seed) == held


@pytest.mark.slow
def test_ctrl_c_ends_in_one_line_and_the_run_goes_on(place: Project) -> None:
    """As a terminal does it: every process of the group is told at once."""
    params = yaml.safe_load((place.root / "params.yaml").read_text())
    params["train"]["epochs"] = 5000  # it is ended long before
    place.use(params)
    running = subprocess.Popen(
        interruptible("-m", "pipelines", "repro"), cwd=place.root, env=place.environment(),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    until(lambda: list((place.root / ".mtl/state").rglob("*.safetensors")), 300, "the first epoch")
    top = place.root / ".mtl/state"
    states = {path.parent.relative_to(top).as_posix() for path in top.rglob("*.safetensors")}
    members = family(running.pid)
    os.killpg(running.pid, signal.SIGINT)
    _, said = running.communicate(timeout=120)
    assert running.returncode == 130, said
    assert "Interrupted; `mtl repro` goes on from the last states." in said
    assert "Traceback" not in said
    until(lambda: not any(map(alive, members)), 30, "everything that it started to end")
    listed = place.mtl("runs", "list").well().out
    assert "goes on" in listed and all(run.startswith("baseline/") and run in listed for run in states)


@pytest.mark.slow
@pytest.mark.parametrize(
    "hears",
    [
        pytest.param(True, id="in the foreground"),
        pytest.param(False, id="where interrupts are ignored", marks=pytest.mark.slow),
    ],
)
def test_a_second_pipeline_in_the_same_folder_is_refused(place: Project, hears: bool) -> None:
    """One message with our exit code; the first goes on until it is asked to end, and leaves nothing running."""
    params = yaml.safe_load((place.root / "params.yaml").read_text())
    params["train"]["epochs"] = 5000  # it is ended long before
    place.use(params)
    first = subprocess.Popen(
        interruptible("-m", "pipelines", "repro", ignored=not hears), cwd=place.root, env=place.environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    states = place.root / ".mtl/state"
    try:
        until(lambda: list(states.rglob("*.safetensors")), 300, "the first epoch")
        second = place.mtl("repro")
        by_hand = place.run(sys.executable, "-m", "mtl.stages.baseline")
        members = family(first.pid)
        assert all(map(alive, members)) and len(members) >= 4
    finally:
        first.send_signal(signal.SIGTERM)
        assert first.wait(60) == 130
    until(lambda: not any(map(alive, members)), 30, "everything that it started to end")
    assert second.code == 2, second.err
    told = (
        f"error: another `mtl repro` or `dvc` works in this folder (process {members[1].pid}): wait until it is done."
    )
    assert second.err.splitlines() == [told], second.err
    assert by_hand.code == 2, by_hand.err
    held = (
        r"error: outputs/baseline/\w+/\w+/seed-[01] is being computed by another process \("  # any of two comes first
    )
    assert re.match(held, by_hand.err), by_hand.err
    assert "Traceback" not in second.err + by_hand.err
