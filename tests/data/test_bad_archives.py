"""Archives, generated: good ones are read exactly, nothing of a bad one is written, and none grows too large."""

import numpy as np

from mtl.config import parse_config
from mtl.data.files.register import add
from mtl.stages.prepare import prepare
from mtl.types import Prepared
from tests.helpers import bad_archives
from tests.helpers.bad_archives import ArchiveCase
from tests.helpers.cases import Refusal, attempt, few_and_many, for_all, params, place
from tests.helpers.data_files import HAR_LENGTH, HAR_TEST, HAR_TRAIN, har_signal

EXPECTED = np.stack([[har_signal(c, w) for c in range(9)] for w in range(HAR_TRAIN + HAR_TEST)]).transpose(0, 2, 1)


def check(case: ArchiveCase) -> None:
    with place() as root:
        project = root / "a" / "project"
        (project / "data/raw").mkdir(parents=True)
        (root / case.name).write_bytes(case.data)
        add("own", [root / case.name], project)
        raw = params({"kind": "har", "path": f"data/raw/{case.name}", "folds": 4})

        def run() -> Prepared:
            return prepare(parse_config(raw).prepare.sources, "own", project)

        found = attempt(run, root, f"data/raw/{case.name}", "prepare.sources.own")
        inside = sorted(path.name for path in root.rglob("*") if path.is_file() and "prepared" not in path.parts)
        assert inside == sorted([case.name, case.name, "own.json", "own.json"]), inside
    if case.refused:
        assert isinstance(found, Refusal), found
    if case.good:
        assert isinstance(found, Prepared), found
        assert np.allclose(found.values.numpy().reshape(-1, HAR_LENGTH, 9), EXPECTED, rtol=0, atol=1e-6)
        assert found.labels["activity"].tolist() == [w % 3 for w in range(HAR_TRAIN + HAR_TEST)]


@few_and_many(10, 40)
def test_good_archives_are_read_exactly(cases: int) -> None:
    for_all(bad_archives.good_archives(), cases, check)


@few_and_many(20, 250)
def test_hostile_archives(cases: int) -> None:
    for_all(bad_archives.hostile_archives(), cases, check)


@few_and_many(20, 250)
def test_other_contents(cases: int) -> None:
    for_all(bad_archives.bad_layouts(), cases, check)
