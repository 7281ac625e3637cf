"""Runs by their place: another run's files, and messages that say which stage to run."""

from pathlib import Path

import pytest

from mtl.errors import UserError
from mtl.files import write_json
from mtl.paths import RunPath
from mtl.results.reading import read_history, read_pretraining, read_run
from mtl.results.reference import Reference
from tests.helpers.records import epoch_json, history_json, pretraining_history_json, pretraining_json, run_json

JOINT, EARLY = RunPath("finetune", "joint", None, 3), RunPath("pretrain", None, None, 1)


def test_the_files_of_a_run_are_read_by_its_place(tmp_path: Path) -> None:
    write_json(tmp_path / JOINT.folder / "run.json", run_json("finetune", "joint", 3))
    write_json(tmp_path / JOINT.folder / "history.json", history_json(epoch_json(1)))
    write_json(tmp_path / EARLY.folder / "run.json", pretraining_json(1))
    write_json(tmp_path / EARLY.folder / "history.json", pretraining_history_json())
    assert read_run(JOINT, tmp_path).path == JOINT
    assert [epoch.epoch for epoch in read_history(JOINT, tmp_path).epochs] == [1]
    run, history = read_pretraining(EARLY, tmp_path)
    assert run.path == EARLY and history.epochs[0].val.loss == 0.6


@pytest.mark.parametrize(
    ("path", "stage"),
    [
        (JOINT, "finetune@joint"),
        (RunPath("baseline", "fault", "random", 0), "baseline@fault"),
        (RunPath("specialise", "cluster_1", None, 0), "specialise"),
    ],
)
def test_a_missing_run_names_its_stage(path: RunPath, stage: str, tmp_path: Path) -> None:
    for read, name in ((read_run, "run.json"), (read_history, "history.json")):
        with pytest.raises(UserError, match=rf"{path.folder / name} is missing; run `mtl repro {stage}`\.$"):
            read(path, tmp_path)


def test_another_runs_files_are_refused(tmp_path: Path) -> None:
    write_json(tmp_path / JOINT.folder / "run.json", run_json("finetune", "joint", 2))
    with pytest.raises(UserError, match=r"another run \('finetune', 'joint', 2\); run `mtl repro finetune@joint --f"):
        read_run(JOINT, tmp_path)
    with pytest.raises(UserError, match="run `mtl repro pretrain`"):
        read_pretraining(EARLY, tmp_path)


def test_a_reference_that_a_run_is_not_in_says_so() -> None:
    known = Reference(mse={"ahead": {"random": {"3": 0.5}}}, weights={})
    assert known.error("ahead", "random", 3) == 0.5
    with pytest.raises(UserError, match="no validation MSE of ahead from the start random with seed 4"):
        known.error("ahead", "random", 4)
