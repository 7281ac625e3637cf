"""`mtl runs`: what it says of every state, and what it deletes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from mtl.cli.runs import clean, list_runs, show
from mtl.data.loading.store import write_prepared
from mtl.errors import UserError
from mtl.experiment import run_baseline, run_finetune
from mtl.experiment.states import FINISHED, held, list_states
from mtl.paths import PREPARED, RunPath
from tests.experiment.conftest import configure
from tests.helpers.problems import waves


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A folder with a prepared source; runs ask for deterministic kernels, for the whole process."""
    before = torch.are_deterministic_algorithms_enabled()
    write_prepared(waves(), tmp_path / PREPARED / "line", {})
    yield tmp_path
    torch.use_deterministic_algorithms(before)


def statuses(root: Path) -> dict[str, str]:
    return {f"{entry.state.run} {entry.state.path.suffix}": entry.status for entry in list_runs(configure(), root)}


@pytest.fixture
def left(root: Path) -> Path:
    """A project with a state of every kind."""
    config = configure()
    for seed in (3, 4):
        run_finetune(config, "joint", seed, root)
    (root / ".mtl/state/finetune/joint/seed-4" / FINISHED).unlink()  # as if killed before its results were in place
    slow = configure(train={"epochs": 1, "batch_size": 16, "lr": 1e-4})
    run_baseline(slow, "up", config.baseline.starts[0], 3, root)
    broken = root / ".mtl/state/baseline/next/random/seed-3"
    broken.mkdir(parents=True)
    (broken / "abc-0.safetensors").write_bytes(b"nothing")
    (broken / "abc-0.99.tmp").write_bytes(b"half")
    return root


EXPECTED = {
    "finetune/joint/seed-3 .safetensors": "finished",
    "finetune/joint/seed-4 .safetensors": "goes on",
    "baseline/up/random/seed-3 .safetensors": "other settings",
    "baseline/next/random/seed-3 .safetensors": "unusable",
    "baseline/next/random/seed-3 .tmp": "unusable",
}


def test_every_state_has_its_status(left: Path) -> None:
    assert statuses(left) == EXPECTED
    with held(RunPath("finetune", "joint", None, 4), left):
        assert statuses(left)["finetune/joint/seed-4 .safetensors"] == "running"


def test_a_run_with_a_curriculum_goes_on_while_its_single_task_models_are_those_of_before(root: Path) -> None:
    config = configure(finetune={"methods": {"joint": {"kind": "equal", "curriculum": {}, "tasks": ["phase", "up"]}}})

    def status() -> str:
        (entry,) = (entry for entry in list_runs(config, root) if entry.state.run == "finetune/joint/seed-3")
        return entry.status

    for task in ("phase", "up"):
        run_baseline(config, task, config.baseline.starts[0], 3, root)
    run_finetune(config, "joint", 3, root)
    (root / ".mtl/state/finetune/joint/seed-3" / FINISHED).unlink()  # as if killed before its results were in place
    assert status() == "goes on"
    weights = root / "outputs/baseline/up/random/seed-3/weights.safetensors"
    weights.write_bytes(weights.read_bytes() + b" ")
    assert status() == "other settings"


def test_the_table_names_run_epochs_and_status(left: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show(configure(), left)
    said = capsys.readouterr().out
    (line,) = (line for line in said.splitlines() if line.strip().startswith("finetune/joint/seed-4"))
    assert line.split()[:2] == ["finetune/joint/seed-4", "2"]
    assert line.rstrip().endswith("goes on")
    assert "goes on: `mtl repro` goes on from here" in said
    clean(configure(), [], True, left)
    show(configure(), left)
    assert capsys.readouterr().out == "No training state in .mtl/state: nothing was interrupted.\n"


def test_cleaning_keeps_what_a_run_can_go_on_from(left: Path) -> None:
    gone = clean(configure(), [], False, left)
    assert {entry.status for entry in gone} == {"other settings", "unusable"}
    assert statuses(left) == {name: status for name, status in EXPECTED.items() if name.startswith("finetune")}
    clean(configure(), ["finetune/joint/seed-4"], False, left)
    assert set(statuses(left).values()) == {"finished"}
    with held(RunPath("finetune", "joint", None, 3), left):
        assert clean(configure(), [], True, left) == []
    clean(configure(), [], True, left)
    assert list_states(left) == []


def test_a_run_without_a_state_is_named(left: Path) -> None:
    with pytest.raises(UserError, match=r"`RUN` should be one of baseline/next/random/seed-3, .*, found 'joint'"):
        clean(configure(), ["joint"], False, left)
    assert statuses(left) == EXPECTED
