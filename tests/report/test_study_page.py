"""The page of a study: every figure, self-contained, and the same bytes for the same study."""

import re
from pathlib import Path

import pytest

from mtl.report.plot_study import best_so_far, draw_study, front_of
from mtl.report.study_page import write_study_page
from mtl.report.style import Missing, Picture
from mtl.results.study import Study, Trial
from tests.helpers.records import Json, arm_json, study_json, trial_json

LR = {"kind": "float", "low": 1e-4, "high": 1e-2, "log": True, "points": 5}
SCHEDULE = {"kind": "choice", "values": ["constant", "warmup"]}


def trial(number: int, state: str, values: list[float] | None) -> Json:
    return trial_json(
        number, state, values, constraints={"ahead_mse": 0.1 if state == "infeasible" else -0.1} if values else {},
        params={"train.lr": 10 ** -(2 + number / 4), "finetune.methods.joint.schedule": "warmup"},
        error="the loss became inf <b>" if state == "failed" else None,
    )  # fmt: skip


def content(names: list[str]) -> Json:
    rows = [(0, "complete", [0.5, 0.6]), (1, "lost", None), (2, "complete", [0.4, 0.5]), (3, "infeasible", [0.9, 0.9]),
            (4, "failed", None), (5, "complete", [0.6, 0.8])]  # fmt: skip
    trials = [trial(n, state, values and values[: len(names)]) for n, state, values in rows]
    space = {"train.lr": LR, "finetune.methods.joint.schedule": SCHEDULE}
    arm = arm_json(*trials, objectives=names, seeds=[3], space=space)
    arm["importances"] = {"train.lr": 0.75, "finetune.methods.joint.schedule": 0.25}
    return study_json({"joint": arm}) | {"tuning": {"trials": {"stl": 0, "joint": 5}, "equal": False}}


def study(names: list[str]) -> Study:
    return Study.parse(content(names), "study.json")


def with_arms(one: Json, *names: str) -> Study:
    """The same study with several arms, whose trials are those of its one."""
    trials = dict.fromkeys(names, 5)
    arms = dict.fromkeys(names, one["arms"]["joint"])
    return Study.parse(one | {"arms": arms, "tuning": {"trials": trials, "equal": True}}, "study.json")


def test_the_page_holds_every_figure_and_nothing_from_outside(tmp_path: Path) -> None:
    page = write_study_page(study(["error", "accuracy"]), tmp_path).read_text(encoding="utf-8")
    assert {path.stem for path in (tmp_path / "figures").iterdir()} == {
        "study_history", "study_pareto", "study_importances", "study_parallel_joint",
    }  # fmt: skip
    assert page.count("<figure") == page.count("<svg ") == 4
    assert not re.search(r'(?:src|href)="(?!#|data:)', page)
    assert "http" not in page.replace("http://www.w3.org", "")
    assert "the loss became inf &lt;b&gt;" in page
    assert page.count("<tr") == 1 + 5
    assert "Unequal budgets of tuning:</strong> STL 0, joint 5 finished trials; STL is not tuned in this study." in page
    assert "<caption>joint: 5 finished trials ‡</caption>" in page


def test_the_same_study_is_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_study_page(study(["combined"]), tmp_path / name)
    first, second = (
        {path.relative_to(tmp_path / name): path.read_bytes() for path in sorted((tmp_path / name).rglob("*.*"))}
        for name in ("a", "b")
    )
    assert first == second
    assert len(first) == 4


def test_a_figure_that_has_no_data_says_why() -> None:
    empty = content(["combined"])
    empty["arms"]["joint"] |= {"trials": [trial(0, "failed", None)], "importances": None}
    figures = draw_study(Study.parse(empty, "study.json"))
    missing = [figure for figure in figures if isinstance(figure, Missing)]
    assert len(missing) == len(figures) - 1
    assert all(figure.reason for figure in missing)
    assert isinstance(draw_study(study(["combined"]))[0], Picture)


def test_the_front_holds_feasible_trials_that_none_beats() -> None:
    trials = study(["error", "accuracy"]).arms["joint"].trials
    assert [t.number for t in front_of(trials, ["error", "accuracy"])] == [0, 2, 5]
    worse = [*trials, Trial.model_validate(trial(6, "complete", [0.55, 0.55]))]
    assert [t.number for t in front_of(worse, ["error", "accuracy"])] == [0, 2, 5]


@pytest.mark.parametrize(("number", "maximise", "expected"), [(0, False, [0.5, 0.4, 0.4]), (1, True, [0.6, 0.6, 0.8])])
def test_the_best_so_far_is_of_feasible_trials(number: int, maximise: bool, expected: list[float]) -> None:
    trials = study(["error", "accuracy"]).arms["joint"].trials
    assert best_so_far([t for t in trials if t.state == "complete"], number, maximise) == expected
    assert best_so_far([trials[3], trials[0]], number, maximise)[1:] == [trials[0].scores[number]]


def test_equal_budgets_of_tuning_are_said_and_not_marked(tmp_path: Path) -> None:
    page = write_study_page(with_arms(content(["combined"]), "stl", "joint"), tmp_path).read_text(encoding="utf-8")
    assert "Every arm (STL and the method) had 5 finished trials." in page
    assert "‡" not in page
