"""A stage that is killed in the middle goes on where it was, bit for bit, and leaves no process behind."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from safetensors import safe_open

from mtl.config import load_config
from mtl.experiment import run_finetune
from mtl.paths import RunPath
from tests.e2e.killing import alive, until
from tests.e2e.project import SEEDS, Project, settings

EPOCHS = 80

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends workers with their parent")


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
    command = (sys.executable, "-m", "stages.finetune", "joint")
    states = place.root / ".mtl/state"
    before = [result(place.root, seed) for seed in SEEDS]
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
    assert [result(place.root, seed) for seed in SEEDS] == before, "half a result"

    resumed = place.run(*command).well()
    assert f"joint / seed 0: done, {EPOCHS} epochs" in resumed.out
    assert not list(states.rglob("*.safetensors"))
    timing = place.json("timings/finetune/joint/seed-0.json")
    assert timing["epochs"] == EPOCHS

    untouched = Project(tmp_path / "untouched")
    untouched.root.mkdir()
    (untouched.root / "data").symlink_to(place.root / "data")
    config = load_config(place.root / "params.yaml")
    for seed in SEEDS:
        run_finetune(config, "joint", seed, untouched.root)
        assert result(place.root, seed) == result(untouched.root, seed)
        assert len(json.loads(result(place.root, seed)["history.json"])["epochs"]) == EPOCHS
