"""Figures of TweetEval: of stance the tweets of all subjects count together."""

from pathlib import Path

import pytest

from benchmarks.tweeteval import f1, figures, main
from mtl.results.record import Detail, Run

CLASSES = ["against", "favor", "none"]
MANY = Detail(classes=CLASSES, confusion=[[8, 0, 2], [0, 6, 0], [2, 4, 0]])
FEW = Detail(classes=["none", "against", "favor"], confusion=[[4, 0, 0], [1, 0, 1], [0, 0, 4]])


def test_f1_of_a_class_over_several_tasks() -> None:
    assert f1([MANY], "against") == pytest.approx(2 * 8 / (10 + 10)) and f1([FEW], "against") == 0
    assert f1([MANY, FEW], "against") == pytest.approx(2 * 8 / (10 + 12))
    assert f1([MANY, FEW], "favor") == pytest.approx(2 * 10 / (15 + 10))


def test_figures_of_a_joint_run() -> None:
    run = Run.model_construct(
        test={"irony": {"f1": 0.5}, "sentiment": {"balanced_accuracy": 0.6}},
        detail={"stance_a": MANY, "stance_b": FEW, "irony": Detail()},
    )
    made = figures(dict.fromkeys(["irony", "sentiment", "stance_a", "stance_b"], run))
    each = [0.8, 2 * 6 / 16, 0, 2 * 4 / 9]
    assert made == pytest.approx({
        "irony": 50, "sentiment": 60, "stance": 50 * (2 * 8 / 22 + 2 * 10 / 25),
        "stance, mean of subjects": 100 * sum(each) / 4,
    })  # fmt: skip


def test_runs_that_are_not_there_have_no_row(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "params.yaml").write_text((project / "params.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    assert main(["--out", str(tmp_path), "--project", str(tmp_path)]) == 0
    assert "| tweeteval |" in capsys.readouterr().out
