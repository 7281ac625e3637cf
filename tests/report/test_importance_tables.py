"""Tables of the inputs that matter: joint beside STL, the most important first."""

from pathlib import Path

from mtl.report.importance_tables import MOST_INPUTS, importance_tables
from mtl.report.read import Results
from mtl.results.importance import Arm, Importance, Lost
from mtl.results.statistics import Interval
from tests.helpers.results import write_results
from tests.helpers.verdicts import typed


def lost(name: str, mean: float, half: float | None = 0.01) -> Lost:
    ends = (None, None) if half is None else (mean - half, mean + half)
    return Lost(input=name, lost=Interval(mean=mean, low=ends[0], high=ends[1], n=2), values=[mean, mean])


def test_each_input_has_what_each_arm_loses(tmp_path: Path) -> None:
    _, verdicts = write_results(tmp_path, methods=("joint",), seeds=2)
    many = [lost(f"c{number}", number / 1000) for number in range(MOST_INPUTS + 2)]
    joint = Arm(task="fault", metric="accuracy", method="joint", start="random", usual=[0.8, 0.9], inputs=many)
    few = [lost("c3", 0.2, None), lost("c7", -0.001)]
    other = joint.model_copy(update={"method": "second", "inputs": few, "usual": [0.7, 0.7]})
    simple = joint.model_copy(update={"method": "simple", "inputs": few[:1]})
    shown = Importance(permutations=3, most=2000, arms=[simple, joint, other])
    (table,) = importance_tables(Results({}, {}, typed(verdicts), importance=shown))
    assert table.head == ["input", "simple", "joint", "second"]
    assert table.rows[0] == ["(all in place)", "85.0", "85.0", "70.0"]
    assert table.rows[1] == ["c3", "+20.0", "+0.3 [−0.7, +1.3]", "+20.0"]
    assert table.rows[2] == ["c21", "–", "+2.1 [+1.1, +3.1]", "–"]
    assert len(table.rows) == MOST_INPUTS + 1
    assert "fault: accuracy % that is lost" in table.caption and "20 of 22" in table.caption
    assert "mean of 3 permutations and all seeds [95 % interval" in table.caption
    assert "stand in for each other" in table.caption
    assert importance_tables(Results({}, {}, typed(verdicts))) == []
    assert importance_tables(Results({}, {}, typed(verdicts), importance=shown.model_copy(update={"arms": []}))) == []
