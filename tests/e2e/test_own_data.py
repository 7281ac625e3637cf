"""The user's own CSV, in a clone and after another preset: the same bytes, and nothing of what was there before."""

import re

import pytest

from tests.e2e.conftest import Finished, Switched
from tests.e2e.project import Project, own_csv

pytestmark = [pytest.mark.thorough, pytest.mark.slow]


def test_five_lines_of_yaml_give_a_report(own: Project) -> None:
    said = (own.root.parent / "out").read_text()
    assert re.search(r"^mine: 300 rows × 2 columns; train 210, val 30, test 60$", said, re.MULTILINE)
    for task in ("ahead", "state"):
        assert re.search(rf"^  {task} +\S.* not known(: too few seeds)?( †|…)?$", said, re.MULTILINE)
    assert re.search(r"^Report  report/report\.html$", said, re.MULTILINE)
    page = (own.root / "report/report.html").read_text(encoding="utf-8")
    assert "load" in page and "temperature" in page and "state" in page
    run = own.json("outputs/finetune/joint/seed-2/run.json")
    assert run["detail"]["state"]["classes"] == ["high", "low", "middle"]
    assert set(run["detail"]["ahead"]["mse_by_channel"]) == {"load", "temperature"}
    assert run["optimum"] == {}, "nobody knows the optimum of a user's data"
    verdicts = own.json("results/verdicts.json")
    assert verdicts["seeds"] == [2, 1]
    assert {row["gap_closed"] for row in verdicts["rows"]} == {None}


def test_the_same_bytes_with_other_jobs_and_another_hash_seed(own: Project, switched: Switched) -> None:
    there, held = switched.there, switched.held_there
    assert {"baseline@ahead", "baseline@state", "finetune@joint"} <= set(there.trained)
    expected = {path: value for path, value in own.results().items() if path.startswith(("data/", "outputs/"))}
    assert len(expected) == 2 + 2 + 2 * 2 + 1 + 2 * 2 * 5 + 3 * 2 * 6 + 2, "simple models of two tasks, three arms"
    assert {path: held[path] for path in expected} == expected


def test_what_another_preset_left_behind_haunts_nothing(own: Project, switched: Switched) -> None:
    held = switched.held_there
    assert any(path.startswith("data/prepared/sensors/") for path in held), "the ghosts are there"
    shown = ("outputs/baseline/", "outputs/finetune/", "results/", "report/")
    expected = {path: value for path, value in own.results().items() if path.startswith(shown)}
    assert {path: value for path, value in held.items() if path.startswith(shown)} == expected


def test_the_way_back_trains_nothing_and_gives_the_first_bytes(finished: Finished, switched: Switched) -> None:
    back, held = switched.back, switched.held_back
    assert back.trained == []
    assert not any(stage.startswith("prepare") for stage in back.ran)
    expected = finished.project.results()
    ghosts = set(held) - set(expected)
    assert {path: held[path] for path in expected} == expected
    assert all(path.startswith("data/prepared/mine/") for path in ghosts), ghosts


def test_the_file_itself_is_in_place_and_unknown_to_git(own: Project) -> None:
    assert (own.root / "data/raw/mine.csv").read_text() == own_csv()
    assert own.run("git", "check-ignore", "data/raw/mine.csv").code == 0
    assert own.run("git", "check-ignore", "data/raw/mine.json").code == 1
