"""Changes of seeds that test on folds of their own: by hand, and by the coverage of their intervals."""

import numpy as np
import pytest

from mtl.evaluation.components import Components, fold_components, on_folds
from mtl.results.samples import BlockErrors
from mtl.tasks.undefined import Undefined


def run(fold: int, error: float, size: int = 20) -> BlockErrors:
    blocks = np.arange(fold * size, (fold + 1) * size)
    return BlockErrors(blocks, np.full(size, error), np.ones(size, dtype=int))


def test_by_hand() -> None:
    """Changes of 10, 30 and 20 percent on three folds: s² = 100, and a test part of 1/8 of the training part."""
    stl = [run(fold, 1.0) for fold in range(3)]
    joint = [run(fold, error) for fold, error in enumerate([0.9, 0.7, 0.8])]
    assert on_folds(stl)
    parts = fold_components(stl, joint, True, [160, 160, 160])
    assert isinstance(parts, Components)
    assert (parts.mean, parts.freedom, parts.count, parts.blocks) == (pytest.approx(20), 2, 3, 60)
    assert (parts.seeds, parts.data) == (pytest.approx(100 / 3), pytest.approx(100 / 8))


def test_seeds_on_one_fold_count_once() -> None:
    """Six seeds on three folds say no more of new data than the folds do."""
    errors = [0.9, 0.7, 0.8]
    once = fold_components([run(f, 1.0) for f in range(3)], [run(f, errors[f]) for f in range(3)], True, [160] * 3)
    twice = fold_components(
        [run(f % 3, 1.0) for f in range(6)], [run(f % 3, errors[f % 3]) for f in range(6)], True, [160] * 6
    )
    assert isinstance(once, Components) and isinstance(twice, Components)
    assert (twice.mean, twice.error, twice.freedom) == (once.mean, once.error, once.freedom)


def test_what_cannot_be_told_has_a_reason() -> None:
    stl = [run(fold, 1.0) for fold in range(3)]
    other = [run(fold + 1, 1.0) for fold in range(3)]
    zero = [run(fold, 0.0) for fold in range(3)]
    for words, sides in {"same test samples": (stl, other), "is 0": (zero, stl)}.items():
        reason = fold_components(*sides, True, [160] * 3)
        assert isinstance(reason, Undefined) and words in reason.reason
    alone = fold_components([run(0, 1.0)] * 2, [run(0, 0.9)] * 2, True, [160] * 2)
    assert isinstance(alone, Undefined) and "one fold" in alone.reason
    assert not on_folds([run(0, 1.0)] * 3)


@pytest.mark.thorough
def test_intervals_of_overlapping_training_parts_cover() -> None:
    """A tenth of the variance of a fold's change is shared with every other fold, as overlapping training parts share
    it: intervals over folds alone miss the truth too often, corrected ones do not."""
    random = np.random.default_rng(0)
    folds, draws, plain, corrected = 10, 1500, 0, 0
    for _ in range(draws):
        common = random.normal()
        changes = 5 + np.sqrt(0.1) * common + np.sqrt(0.9) * random.normal(size=folds)
        stl = [run(fold, 1.0, 2) for fold in range(folds)]
        joint = [run(fold, 1 - change / 100, 2) for fold, change in enumerate(changes)]
        parts = fold_components(stl, joint, True, [16] * folds)
        assert isinstance(parts, Components)
        ends = parts.interval(0.95)
        assert ends.low is not None and ends.high is not None
        corrected += ends.low <= 5 <= ends.high
        alone = Components(parts.mean, parts.seeds, 0.0, parts.freedom, parts.count, parts.blocks).interval(0.95)
        assert alone.low is not None and alone.high is not None
        plain += alone.low <= 5 <= alone.high
    assert plain / draws < 0.87 and corrected / draws > 0.93
