"""Nothing of validation and test rows reaches training, and no target can be read off an input without a word."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter

from mtl.config import Task
from mtl.config.table_source import TableSource
from mtl.data.build import read_source
from mtl.data.loading.leaks import leaks
from mtl.data.loading.tasks import build_tasks
from mtl.errors import DataError
from mtl.types import SourceData

ROWS = 120
TOWNS = ["Ulm", "Jena", "Bonn", "Kiel", "Trier"]


def cells(row: int, salt: int) -> list[str]:
    """Numbers (one of them missing here and there), a category, yes or no, a date, and a target."""
    random = np.random.default_rng([row, salt])
    dose, size = random.normal(loc=100 * salt, scale=1 + salt), random.integers(0, 9 + salt)
    town = TOWNS[random.integers(0, 2 + salt)]
    day = (
        f"20{10 + salt + random.integers(0, 5):02d}-{1 + random.integers(0, 12):02d}-{13 + random.integers(0, 15):02d}"
    )
    return [
        "" if random.random() < 0.2 else f"{dose:.3f}", str(size), town, ["no", "yes"][random.integers(0, 2)], day,
        f"{random.normal():.3f}",
    ]  # fmt: skip


def written(folder: Path, salted: set[int], salt: int, split: dict[str, Any]) -> SourceData:
    """The table with other contents in the rows `salted`; parts stand in a column."""
    part = ["train", "train", "train", "val", "test"]
    rows = [",".join([part[row % 5], *cells(row, salt if row in salted else 0)]) for row in range(ROWS)]
    (folder / "own.csv").write_text("\n".join(["part,dose,size,town,smoker,day,score", *rows]) + "\n")
    section = {"kind": "table", "path": "own.csv", "split": {"kind": "column", "column": "part"}} | split
    return read_source("own", TableSource.model_validate(section), folder)


TASKS: dict[str, Task] = {
    "score": TypeAdapter(Task).validate_python({"kind": "regression", "source": "own", "target": "score"}),
    "smokes": TypeAdapter(Task).validate_python({"kind": "binary", "source": "own", "label": "smoker"}),
}


def test_no_input_of_training_moves_with_validation_and_test_rows(tmp_path: Path) -> None:
    """Medians, scales, vocabularies and the encoded training rows are the same bytes when every other row holds other
    numbers, categories and dates."""
    others = {row for row in range(ROWS) if row % 5 >= 3}
    before, after = (build_tasks(TASKS, {"own": written(tmp_path, others, salt, {})}, 0) for salt in (0, 3))
    assert before.fitted["own"].plain() == after.fitted["own"].plain()
    for one, other in zip(before.pools["train"], after.pools["train"], strict=True):
        index = torch.arange(len(one))
        assert len(one) == len(other) == sum(row % 5 < 3 for row in range(ROWS))
        first, second = one.batch(index), other.batch(index)
        assert torch.equal(first.x, second.x)
        for task in TASKS:
            assert torch.equal(first.target(task), second.target(task))
    val = [pools["val"][0].batch(torch.arange(len(pools["val"][0]))).x for pools in (before.pools, after.pools)]
    assert not torch.equal(*val)  # they did move themselves


def table(folder: Path, **columns: list[object]) -> SourceData:
    """Rows of 60 with three inputs of noise beside the columns."""
    random = np.random.default_rng(0)
    noise = {f"noise{n}": [f"{value:.4f}" for value in random.normal(size=60)] for n in range(3)}
    lines = [",".join(map(str, row)) for row in zip(*columns.values(), *noise.values(), strict=True)]
    (folder / "own.csv").write_text("\n".join([",".join([*columns, *noise]), *lines]) + "\n")
    return read_source("own", SOURCE, folder)


SOURCE = TableSource(kind="table", path="own.csv")
SCORE = [float(f"{value:.3f}") for value in np.random.default_rng(1).normal(size=60)]
GRADE = np.random.default_rng(2).integers(1, 4, size=60).tolist()


def judged(folder: Path, task: dict[str, Any], allow: list[str] | None = None, **columns: list[object]) -> list[str]:
    tasks = {"t": TypeAdapter(Task).validate_python({"source": "own"} | task)}
    data = table(folder, **columns)
    return leaks(tasks, {"own": SOURCE.model_copy(update={"allow": allow or []})}, {"own": data})["own"]


REGRESSION = {"kind": "regression", "target": "score"}


def test_copies_of_a_number_are_refused_unless_allowed(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"own\.csv, column `again`: is an exact copy of the target `score`.*`ignore`"):
        judged(tmp_path, REGRESSION, score=[*SCORE], again=[*SCORE])
    (note,) = judged(tmp_path, REGRESSION, ["again"], score=[*SCORE], again=[*SCORE])
    assert "which `allow` lets in" in note


@pytest.mark.parametrize(
    ("column", "words"),
    [([float(np.exp(value)) for value in SCORE], "grows or falls strictly with the target `score` (correlation 0.8"),
     ([2 * value + 0.05 * (n % 2) for n, value in enumerate(SCORE)], "has a correlation of 0.9999 with the target")],
)  # fmt: skip
def test_what_comes_close_to_a_number_is_told_with_the_figure(tmp_path: Path, column: list[object], words: str) -> None:
    (note,) = judged(tmp_path, REGRESSION, score=[*SCORE], close=column)
    assert note.startswith("close: ") and words.split(" (")[0] in note


@pytest.mark.parametrize(
    "again", [[f"grade {n}" for n in GRADE], [{1: 7, 2: 5, 3: 6}[n] for n in GRADE], [n + 0.5 for n in GRADE]]
)
def test_other_names_for_a_label_are_refused(tmp_path: Path, again: list[object]) -> None:
    task = {"kind": "classification", "label": "grade"}
    with pytest.raises(
        DataError, match=r"column `again`: is (an exact copy|a copy with other names .*) of the label `grade`"
    ):
        judged(tmp_path, task, grade=[*GRADE], again=again)
    assert judged(tmp_path, task, grade=[*GRADE], town=[TOWNS[n % 3] for n in range(60)]) == []


def test_a_copy_of_a_label_that_a_rule_makes_is_refused(tmp_path: Path) -> None:
    task = {"kind": "binary", "label": {"column": "score", "above": 0}}
    with pytest.raises(DataError, match=r"column `positive`: is .*copy.* of the label `above\(0\) of score`"):
        judged(tmp_path, task, score=[*SCORE], positive=[["no", "yes"][value > 0] for value in SCORE])


@pytest.mark.parametrize(
    ("rule", "behind", "again"),
    [({"column": "score", "above": 0}, SCORE, SCORE),
     ({"column": "grade", "at_least": 3}, GRADE, [f"{n} stars" for n in GRADE]),
     ({"column": "town", "one_vs_rest": "Jena"}, [TOWNS[n] for n in GRADE], [7 * n for n in GRADE])],
)  # fmt: skip
def test_a_copy_of_the_column_behind_a_rule_is_refused_unless_allowed(
    tmp_path: Path, rule: dict[str, Any], behind: list[object], again: list[object]
) -> None:
    task, column = {"kind": "binary", "label": rule}, rule["column"]
    words = rf"column `again`: is .*copy.* of the column `{column}`, which a label is made from"
    with pytest.raises(DataError, match=words):
        judged(tmp_path, task, again=again, **{column: behind})
    assert "which `allow` lets in" in judged(tmp_path, task, ["again"], again=again, **{column: behind})[0]
    others = judged(tmp_path, task, half=[n // 2 for n in range(60)], **{column: behind})
    assert others == [], "only copies are looked for"


def test_names_lie_on_no_side_of_a_limit(tmp_path: Path) -> None:
    names = ["a", "b", "c", "d", "e", "f"]
    (note,) = judged(tmp_path, {"kind": "binary", "label": "smoker"}, letter=[names[n % 6] for n in range(60)],
                     smoker=[["no", "yes"][n % 6 > 2] for n in range(60)])  # fmt: skip
    assert "letter: has values each of which belongs to one class" in note


def test_the_column_that_a_rule_reads_is_no_input(tmp_path: Path) -> None:
    data = table(tmp_path, score=[*SCORE])
    tasks = {"t": TypeAdapter(Task).validate_python(
        {"kind": "binary", "source": "own", "label": {"column": "score", "above": 0}})}  # fmt: skip
    assert build_tasks(tasks, {"own": data}, 0).pools["train"][0].batch(torch.arange(3)).x.shape == (3, 3)


def test_whole_numbers_may_be_classes_and_others_may_not(tmp_path: Path) -> None:
    data = table(tmp_path, grade=[*GRADE], score=[*SCORE])
    task = TypeAdapter(Task)
    spec = build_tasks({"t": task.validate_python({"kind": "classification", "source": "own", "label": "grade"})},
                       {"own": data}, 0).specs["t"]  # fmt: skip
    assert spec.outputs == 3
    bad = {"t": task.validate_python({"kind": "classification", "source": "own", "label": "score"})}
    with pytest.raises(Exception, match=r"tasks\.t\.label.*`\{column: score, at_least: …\}`"):
        build_tasks(bad, {"own": data}, 0)
