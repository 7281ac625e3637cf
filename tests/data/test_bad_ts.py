"""UEA sets, generated: good ones are read to the last bit, bad ones are refused in one line and leave nothing."""

import numpy as np
import torch

from mtl.config import parse_config
from mtl.data.files.register import add
from mtl.stages.prepare import prepare
from mtl.types import Prepared
from tests.helpers import bad_ts
from tests.helpers.bad_ts import TsCase
from tests.helpers.cases import Refusal, attempt, few_and_many, for_all, params, place


def check(case: TsCase) -> None:
    with place() as root:
        project = root / "project"
        (project / "data/raw").mkdir(parents=True)
        (root / "Toy_TRAIN.ts").write_bytes(case.train)
        (root / "Toy_TEST.ts").write_bytes(case.test)
        add("own", [root / "Toy_TRAIN.ts"], project)

        def run() -> Prepared:
            return prepare(parse_config(params(case.section)).prepare.sources, "own", project)

        found = attempt(run, root, "data/raw/Toy", "prepare.sources.own")
    if case.refused:
        assert isinstance(found, Refusal), found
    if case.values is not None:
        assert isinstance(found, Prepared), found
        assert np.array_equal(found.values.numpy().reshape(case.values.shape), case.values)
        assert found.labels["label"].tolist() == case.labels
        assert found.fold is not None
        assert found.fold[6:].tolist() == [-1] * 4
        # Six training cases, three of each class, in two folds.
        for fold in range(2):
            assert torch.bincount(found.labels["label"][found.fold == fold], minlength=2).min() >= 1


@few_and_many(15, 80)
def test_a_good_set_is_read_to_the_last_bit(cases: int) -> None:
    for_all(bad_ts.good_sets(), cases, check)


@few_and_many(25, 300)
def test_a_bad_set(cases: int) -> None:
    for_all(bad_ts.bad_sets(), cases, check)
