"""Series files, generated: good ones are read to the last bit, bad ones are refused in one line and leave nothing."""

from pathlib import Path

import numpy as np
import torch

from mtl.config import parse_config
from mtl.data.files.register import add
from mtl.data.loading.store import load_prepared
from mtl.stages.prepare import prepare
from mtl.types import Prepared
from tests.helpers import bad_tables
from tests.helpers.bad_tables import TableCase
from tests.helpers.cases import Refusal, attempt, few_and_many, for_all, params, place


def outcome(case: TableCase, root: Path) -> Prepared | Refusal:
    """As a user does it: register the file, name it in params.yaml, prepare."""
    project = root / "project"
    (project / "data/raw").mkdir(parents=True)
    (root / "outside.csv").write_bytes(b"date,a\n" + b"".join(b"%d,%d\n" % (n, n) for n in range(20)))
    (root / case.name).write_bytes(case.data)
    add("own", [root / case.name], project)
    raw = params({"path": f"data/raw/{case.name}"} | case.section)

    def run() -> Prepared:
        return prepare(parse_config(raw).prepare.sources, "own", project)

    found = attempt(run, root, "data/raw", "prepare.sources.own")
    if isinstance(found, Refusal):
        return found
    stored = load_prepared("own", project / "data/prepared")
    assert torch.equal(stored.values, found.values) and bool(torch.isfinite(found.values).all())
    return found


def check(case: TableCase) -> None:
    with place() as root:
        found = outcome(case, root)
    if case.values is not None:
        assert isinstance(found, Prepared), found
        assert found.columns == case.columns
        assert np.array_equal(found.values.numpy(), case.values)
        rows = len(case.values)
        assert found.borders == (int(rows * 0.7), rows - int(rows * 0.2), rows)
    if case.refused:
        assert isinstance(found, Refusal), found


@few_and_many(15, 100)
def test_a_good_table_is_read_to_the_last_bit(cases: int) -> None:
    for_all(bad_tables.good_tables(), cases, check)


@few_and_many(20, 300)
def test_one_odd_cell(cases: int) -> None:
    for_all(bad_tables.bad_cells(), cases, check)


@few_and_many(20, 300)
def test_odd_rows_and_settings(cases: int) -> None:
    for_all(bad_tables.bad_shapes(), cases, check)


@few_and_many(15, 100)
def test_damaged_bytes(cases: int) -> None:
    for_all(bad_tables.bad_table_bytes(), cases, check)


@few_and_many(10, 80)
def test_parquet_of_other_types(cases: int) -> None:
    for_all(bad_tables.odd_parquet(), cases, check)
