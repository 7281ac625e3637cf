"""Studies by their name: what a reader asks them, and files from before."""

from pathlib import Path

import pytest

from mtl.errors import UserError
from mtl.files import write_json
from mtl.results.study import Study, read_study
from tests.helpers.records import arm_json, study_json, trial_json

TRIALS = [
    trial_json(0, "lost", None), trial_json(1, "failed", None), trial_json(3, "complete", [0.5], first=0),
    trial_json(2, "pruned", [0.75]), trial_json(4, "running", None),
]  # fmt: skip


def test_trials_that_ended_are_in_the_order_of_their_first_attempts(tmp_path: Path) -> None:
    write_json(tmp_path / "studies/s/study.json", study_json({"joint": arm_json(*TRIALS)}))
    study = read_study("s", tmp_path)
    assert [trial.number for trial in study.arms["joint"].ended] == [3, 1, 2]
    assert [trial.scores for trial in study.arms["joint"].ended] == [[0.5], [], [0.75]]
    assert study.objectives == study.spec.objectives == ["combined"]


def test_a_file_from_before_says_no_budgets_and_names_an_objective_as_it_was(tmp_path: Path) -> None:
    old = study_json({"joint": arm_json(*TRIALS, objectives=["forecast_mse"]), "stl": arm_json()})
    del old["tuning"]
    study = Study.parse(old, "study.json")
    assert study.objectives == ["error"]
    assert study.tuning is None and "tuning" not in study.plain()
    assert (study.budgets.trials, study.budgets.equal) == ({"joint": 3, "stl": 0}, False)


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, "studies/s/study.json is missing: there is no study 's'"),
     ("{", "studies/s/study.json cannot be read .*; `mtl tune --study s` writes it again")],
)  # fmt: skip
def test_a_study_that_cannot_be_read_says_what_writes_it(text: str | None, message: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "studies/s").mkdir(parents=True)
        (tmp_path / "studies/s/study.json").write_text(text)
    with pytest.raises(UserError, match=message):
        read_study("s", tmp_path)
