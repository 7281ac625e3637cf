"""`mtl validate` on a table: a copy of a target is an error, what comes close is told, and nothing is written."""

from pathlib import Path

import numpy as np
import pytest

from mtl.config import Config, parse_config
from mtl.errors import DataError, SettingError
from mtl.setup.table_checks import check_tables
from tests.helpers.cases import tree


def config(target: str = "score", **section: object) -> Config:
    raw = {
        "prepare": {"sources": {"own": {"kind": "table", "path": "own.csv"} | section}},
        "tasks": {"t": {"kind": "regression", "source": "own", "target": target}},
        "encoder": {"kind": "mlp"},
        "finetune": {"methods": {"all": {"kind": "uncertainty"}}},
    }
    return parse_config(raw)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    score, noise = random.normal(size=60), random.normal(size=60)
    rows = [f"{x:.3f},{2 * x + 1:.3f},{x:.3f},{z:.3f}" for x, z in zip(score, noise, strict=True)]
    (tmp_path / "own.csv").write_text("\n".join(["score,scaled,again,noise", *rows]) + "\n")
    return tmp_path


def test_copies_of_a_target_and_what_comes_close(folder: Path) -> None:
    before = tree(folder)
    with pytest.raises(DataError, match=r"own\.csv, column `again`: is an exact copy of the target `score`.*`ignore`"):
        check_tables(config(), folder)
    (note,) = check_tables(config(ignore=["again"]), folder)
    assert note.startswith("own: scaled: grows or falls strictly with the target `score` (correlation 1.0000)")
    assert check_tables(config(ignore=["again", "scaled"]), folder) == []
    assert tree(folder) == before


def test_a_column_that_is_not_there(folder: Path) -> None:
    with pytest.raises(SettingError, match=r"tasks\.t\.target` .*'points'"):
        check_tables(config("points", ignore=["again"]), folder)


def test_a_table_that_is_not_there_yet_is_no_matter_of_this_check(tmp_path: Path) -> None:
    assert check_tables(config(), tmp_path) == []
