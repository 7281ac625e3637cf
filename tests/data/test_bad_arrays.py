"""Files of arrays, generated: good ones are read exactly, nothing in a bad one is run, and a lie costs no memory."""

from pathlib import Path

import numpy as np
import pytest

from mtl.config import parse_config
from mtl.data.files.register import add
from mtl.stages.prepare import prepare
from mtl.types import Prepared
from tests.helpers import bad_arrays
from tests.helpers.bad_arrays import SPRUNG, ArraysCase
from tests.helpers.cases import Refusal, attempt, few_and_many, for_all, params, place


def check(case: ArraysCase) -> None:
    with place() as root:
        project = root / "project"
        (project / "data/raw").mkdir(parents=True)
        (root / "own.npz").write_bytes(case.data)
        add("own", [root / "own.npz"], project)
        raw = params({"kind": "arrays", "path": "data/raw/own.npz"} | case.section)

        def run() -> Prepared:
            return prepare(parse_config(raw).prepare.sources, "own", project)

        found = attempt(run, root, "data/raw", "prepare.sources.own")
    assert not SPRUNG.exists()
    if case.refused:
        assert isinstance(found, Refusal), found
    if case.values is not None:
        assert isinstance(found, Prepared), found
        assert np.array_equal(found.values.numpy().reshape(case.values.shape), case.values)
        assert found.labels["label"].tolist() == case.labels
        assert found.fold is not None
        assert found.fold[12:].tolist() == [-1] * 4
        assert set(found.fold[:12].tolist()) == set(range(found.folds))


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs each test in its own folder, in which a pickle that was executed would leave its file."""
    monkeypatch.chdir(tmp_path)


@few_and_many(15, 80)
def test_good_arrays_are_read_exactly(cases: int) -> None:
    for_all(bad_arrays.good_arrays(), cases, check)


@few_and_many(30, 400)
def test_bad_arrays(cases: int) -> None:
    for_all(bad_arrays.bad_arrays(), cases, check)
