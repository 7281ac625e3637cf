"""Runs side by side: what is said of a run that has ended is what its files hold, whenever its news arrive."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mtl.config import BaseConfig
from mtl.jobs.local import Job, run_jobs
from mtl.paths import RunPath
from tests.helpers.records import epoch_json, history_json

pytestmark = pytest.mark.processes


class Slow(int):
    """A number that takes its time on the way from a worker to its parent."""

    def __reduce__(self) -> tuple[type[int], tuple[int]]:
        time.sleep(0.5)
        return int, (20,)


def run(folder: Path, held: int, told: list[int], tell: Callable[..., None]) -> Path:
    """A run of `held` epochs, of which this process trained those that it tells; the last of its news is slow."""
    (folder / "history.json").write_text(json.dumps(history_json(*map(epoch_json, range(1, held + 1)))))
    for done in told:
        tell(done, 20)
    if told:
        tell(Slow(), 20)
    return folder


@pytest.mark.parametrize(
    ("held", "told", "said"),
    [
        (20, [18, 19], "done, 20 epochs"),
        (20, [], "done, 20 epochs"),  # ended after its last state, before its results
        (11, [16], "done, 11 epochs"),  # two phases of 8 at most, the first of which stopped after 3
        (1, [1], "done, 1 epoch"),
        (0, [], "done"),  # pretraining with no objective
    ],
)
def test_the_epochs_that_are_said_are_those_of_the_run(
    held: int, told: list[int], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    job = Job("one", RunPath("baseline", "one", "random", 0), run, (tmp_path, held, told))
    base = BaseConfig(seeds=[0], device="cpu", jobs=1)
    assert run_jobs([job], base) == [tmp_path]
    assert capsys.readouterr().out == f"one: {said}\n"
