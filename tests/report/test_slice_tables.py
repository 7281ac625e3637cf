"""Tables of parts of the samples, and of the worst ones."""

from pathlib import Path

from mtl.report.read import Results
from mtl.report.slice_tables import MOST_VALUES, slice_tables
from mtl.results.slices import Slice, Slices, Worst
from tests.helpers.results import write_results
from tests.helpers.verdicts import typed


def test_each_part_has_the_metric_of_each_arm(tmp_path: Path) -> None:
    _, verdicts = write_results(tmp_path, methods=("joint",), seeds=2)
    parts = [
        Slice(by="groups", value=str(person), task="fault", method="joint", start="random", samples=person + 1,
              metrics={"accuracy": [0.5, 0.7]})
        for person in range(MOST_VALUES + 2)
    ]  # fmt: skip
    parts.append(parts[5].model_copy(update={"method": "boosting", "start": "", "metrics": {"accuracy": [0.8, 0.8]}}))
    worst = [Worst(task="fault", method="joint", start="random", sample=7, loss=2.5, truth="<b>", prediction="yes")]
    slices = Slices(by=["groups"], slices=parts, worst=worst)
    values, listed = slice_tables(Results({}, {}, typed(verdicts), slices=slices))
    assert values.head == ["groups", "samples", "simple (boosting)", "joint"]
    assert values.rows[3] == ["5", "6", "80.0", "60.0"], "before the networks, where it was measured"
    assert values.rows[0] == ["2", "3", "–", "60.0"] and len(values.rows) == MOST_VALUES
    assert f"{MOST_VALUES} of {MOST_VALUES + 2}" in values.caption
    assert listed.rows == [["joint", "7", "2.500", "<b>", "yes"]]
    assert slice_tables(Results({}, {}, typed(verdicts))) == []
