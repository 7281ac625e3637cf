"""Kills with SIGKILL at random moments, of whichever process it hits: the results are those of an untouched run."""

import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mtl.config import Config, Start, load_config
from mtl.experiment import run_baseline, run_finetune, run_pretrain
from mtl.results.kept import KEY
from tests.e2e.killing import alive, family, until
from tests.e2e.project import SEEDS, TASKS, Project, settings

pytestmark = [
    pytest.mark.processes,
    pytest.mark.thorough,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends workers with their parent at once"),
]


def pretrain(config: Config, seed: int, root: Path) -> list[Path]:
    return [run_pretrain(config, seed, root)]


def baseline(config: Config, seed: int, root: Path) -> list[Path]:
    return [run_baseline(config, task, Start(init="random"), seed, root) for task in TASKS]


def finetune(config: Config, seed: int, root: Path) -> list[Path]:
    return [run_finetune(config, method, seed, root) for method in config.finetune.methods]


STAGES: dict[str, Callable[[Config, int, Path], list[Path]]] = {
    "pretrain": pretrain, "baseline": baseline, "finetune": finetune,
}  # fmt: skip


@pytest.fixture
def place(workspace: Project) -> Project:
    """The finished place, about to train for some seconds, with a state after every step."""
    params = settings()
    params["tracking"]["enabled"] = False
    params["base"] |= {"jobs": 2, "state_seconds": 0}
    params["pretrain"]["epochs"] = 12
    params["train"] |= {"epochs": 12, "stopping": {"patience": None}}
    params["baseline"]["starts"] = [{"init": "random"}]
    params["finetune"]["methods"] = {
        "joint": {"kind": "weighted", "lambda": 0.2, "schedule": "warmup"}, "equal": {"kind": "equal"},
    }  # fmt: skip
    workspace.use(params)
    return workspace


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def ended_by_us(process: "subprocess.Popen[bytes]", moment: float, luck: random.Random) -> bool:
    """Kills a process or one of its family after `moment` seconds, unless it has ended before."""
    try:
        process.wait(moment)
        return False
    except subprocess.TimeoutExpired:
        members = family(process.pid)
        luck.choice(members).kill()
        process.wait(120)
        until(lambda: not any(map(alive, members)), 30, "the others to end with the one that was killed")
        return True


def storm(place: Project, stage: str, through: str, kills: int, luck: random.Random, tmp_path: Path) -> None:
    """Kills one process after the other until `kills` have hit, then lets the stage end and compares; what a kill left
    is whole, and what the settings do not ask for is out of sight in the end."""
    run = STAGES[stage]
    untouched = Project(tmp_path / "untouched")
    untouched.root.mkdir()
    for name in ("data", "plugins"):
        (untouched.root / name).symlink_to(place.root / name)
    config = load_config(place.root / "params.yaml")
    expected = {
        path.relative_to(untouched.root): contents(path)
        for seed in SEEDS
        for path in run(config, seed, untouched.root)
    }  # fmt: skip
    command = [sys.executable, "-m", f"mtl.stages.{stage}"]
    if through == "dvc":
        command = [sys.executable, "-m", "dvc", "repro", "--single-item", "--force", stage]
    hit, longest = 0, 0.0
    while True:
        began = time.monotonic()
        # Enough time for imports on the first try; later ones fall anywhere from the start to the end of training.
        moment = luck.uniform(1.0, max(4.0, 1.2 * longest)) if hit < kills else 300
        with (tmp_path / "said").open("w") as said:
            process = subprocess.Popen(
                command, cwd=place.root, env=place.environment(), stdout=said, stderr=said, start_new_session=True
            )
            if ended_by_us(process, moment, luck):
                hit += 1
                assert hit <= kills, "waited 300 s for the stage"
                for path in expected if stage != "pretrain" else ():
                    held = contents(place.root / path) if (place.root / path).exists() else {}
                    assert held == expected[path] or held.get(KEY) != expected[path][KEY], "of the settings before"
                continue
        longest = max(longest, time.monotonic() - began)
        assert process.returncode == 0, (tmp_path / "said").read_text()
        held = {path.parent.relative_to(place.root) for path in (place.root / "outputs" / stage).rglob("run.json")}
        assert held == set(expected)
        assert {path: contents(place.root / path) for path in expected} == expected
        if hit >= kills:
            break
        states = list((place.root / ".mtl/state").rglob("*.safetensors"))
        assert states == [], "a stage that ended leaves no state"
        for name in (f"outputs/{stage}", ".mtl/kept"):  # else all runs are kept
            shutil.rmtree(place.root / name, ignore_errors=True)
    parts = [path.name for path in (place.root / "outputs").rglob("*.part")]
    assert parts == [], "half a result"


@pytest.mark.parametrize(("stage", "through"), [("pretrain", "stage"), ("baseline", "dvc"), ("finetune", "stage")])
def test_a_few_kills(place: Project, stage: str, through: str, tmp_path: Path) -> None:
    storm(place, stage, through, 2, random.Random(f"{stage} {through}"), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("through", ["stage", "dvc"])
@pytest.mark.parametrize("stage", STAGES)
def test_many_kills(place: Project, stage: str, through: str, tmp_path: Path) -> None:
    storm(place, stage, through, 6, random.Random(f"{stage} {through} many"), tmp_path)
