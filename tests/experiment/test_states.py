"""Training states around whole runs: who holds a run, what is left for a stage that is started again, bad disks."""

import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mtl.config import Config
from mtl.errors import UserError
from mtl.experiment import run_finetune
from mtl.experiment.states import held, is_held, list_states, release
from mtl.paths import RunPath
from tests.experiment.conftest import configure

SEED = 3
WHERE = RunPath("finetune", "joint", None, SEED)
RUN = f"finetune/joint/seed-{SEED}"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def eager(**changes: Any) -> Config:
    """With a state after every step."""
    return configure(base={"seeds": [3, 4], "device": "cpu", "state_seconds": 0}, **changes)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """As on a full disk, writing fails beyond some bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture(scope="module")
def untouched(folder: Path) -> dict[str, bytes]:
    """Results of a run that nothing happened to."""
    return contents(run_finetune(configure(), "joint", SEED, folder))


def test_a_finished_run_is_written_again_without_training(root: Path, untouched: dict[str, bytes]) -> None:
    told: list[tuple[int, int]] = []
    first = run_finetune(configure(), "joint", SEED, root, lambda done, total: told.append((done, total)))
    assert told == [(1, 2), (2, 2)]
    (state,) = list_states(root)
    assert (state.run, state.epochs, state.finished) == (RUN, 2, True)
    for path in first.iterdir():  # as DVC does before a stage
        path.unlink()
    again = run_finetune(configure(), "joint", SEED, root, lambda done, total: told.append((done, total)))
    assert len(told) == 2, "it trained again"
    assert contents(again) == untouched
    release(WHERE, root)
    assert list_states(root) == []
    assert not any((root / ".mtl/state").iterdir()), "empty folders"


@pytest.mark.parametrize("damage", ["truncated", "foreign"])
def test_a_damaged_state_is_said_and_the_run_starts_over(
    damage: str, root: Path, untouched: dict[str, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    run_finetune(configure(), "joint", SEED, root)
    (state,) = list_states(root)
    if damage == "truncated":
        state.path.write_bytes(state.path.read_bytes()[:-100])
    else:
        run_finetune(configure(), "joint", 4, root)
        (other,) = (found for found in list_states(root) if found.run != RUN)
        state.path.write_bytes(other.path.read_bytes())
    told = []
    folder = run_finetune(configure(), "joint", SEED, root, lambda done, _: told.append(done))
    assert told == [1, 2]
    assert contents(folder) == untouched
    (message,) = caplog.messages
    assert message.startswith(f"{state.path} is not a usable training state (")
    assert [found.path.name for found in list_states(root) if found.left_over] == [state.path.name + ".unusable"]


def test_settings_that_change_a_result_start_over_and_others_go_on(root: Path) -> None:
    run_finetune(configure(), "joint", SEED, root)
    told: list[int] = []
    run_finetune(eager(), "joint", SEED, root, lambda done, _: told.append(done))
    assert told == [], "how often a state is saved changes no result"
    slower = configure(train={"epochs": 2, "batch_size": 16, "lr": 1e-3, "gradient_probes": 1})
    run_finetune(slower, "joint", SEED, root, lambda done, _: told.append(done))
    assert told == [1, 2]
    assert len(list_states(root)) == 2


@pytest.mark.processes
def test_a_run_that_another_process_computes_is_refused(root: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from mtl.experiment.states import held; from mtl.paths import RunPath\n"
        f"with held(RunPath('finetune', 'joint', None, {SEED}), Path({str(root)!r})):\n"
        "    print('held', flush=True); sys.stdin.readline()"
    )
    other = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with other:
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        assert is_held(RUN, root) == str(other.pid)
        expected = rf"outputs/{RUN} is being computed by another process \({other.pid}\): wait until it is done"
        with pytest.raises(UserError, match=expected), held(WHERE, root, patience=0.1):
            pass
        with held(RunPath("finetune", "joint", None, 4), root, patience=0.1):
            pass
        other.kill()
    assert is_held(RUN, root) is None
    with held(WHERE, root, patience=0.1):
        assert is_held(RUN, root) is not None


def test_a_full_disk_stops_the_run_and_it_goes_on_when_there_is_room(root: Path, untouched: dict[str, bytes]) -> None:
    told: list[int] = []
    before = run_finetune(configure(), "joint", 4, root)
    earlier = contents(before)
    (state,) = list_states(root)
    size = state.path.stat().st_size
    release(RunPath("finetune", "joint", None, 4), root)
    with files_of_at_most(size // 2), pytest.raises(UserError, match=r"\.safetensors cannot be written: "):
        run_finetune(configure(), "joint", SEED, root, lambda done, _: told.append(done))
    assert not (root / WHERE.folder).exists()
    assert [path.name for path in (root / ".mtl/state").rglob("*") if path.is_file()] == []
    assert contents(before) == earlier
    assert contents(run_finetune(configure(), "joint", SEED, root)) == untouched


def test_results_that_cannot_be_written_leave_the_state(root: Path, untouched: dict[str, bytes]) -> None:
    """A disk that fills up when the results are written: everything but that is done."""
    folder = root / WHERE.folder
    told: list[int] = []

    def fill(done: int, total: int) -> None:
        told.append(done)
        if done == total:
            folder.parent.parent.mkdir(parents=True)
            folder.parent.write_text("in the way")

    with pytest.raises(UserError, match=rf"{folder} cannot be written: "):
        run_finetune(configure(), "joint", SEED, root, fill)
    folder.parent.unlink()
    assert contents(run_finetune(configure(), "joint", SEED, root, lambda done, _: told.append(done))) == untouched
    assert told == [1, 2]


def test_a_place_that_cannot_be_written_is_found_before_training(root: Path) -> None:
    (root / "outputs").write_text("in the way")
    told: list[int] = []
    with pytest.raises(UserError, match=r"outputs/finetune/joint cannot be written: "):
        run_finetune(configure(), "joint", SEED, root, lambda done, _: told.append(done))
    assert told == []
