"""Intervals for new data of finished models: known values, and how often they hold the truth."""

import numpy as np
import pytest

from mtl.evaluation.fixed_models import change_between, value_of
from mtl.evaluation.intervals import Effect
from mtl.results.samples import BlockErrors, in_blocks
from mtl.tasks.undefined import Undefined


def blocks_of(errors: np.ndarray, blocks: np.ndarray | None = None) -> BlockErrors:
    return in_blocks(errors, np.arange(len(errors)) if blocks is None else blocks)


def test_a_mean_has_its_textbook_error() -> None:
    errors = np.array([1.0, 2, 4, 8, 5])
    effect = value_of(blocks_of(errors), lower_is_better=True)
    assert isinstance(effect, Effect)
    assert (effect.mean, effect.freedom) == (4.0, 4.0)
    assert effect.error == pytest.approx(errors.std(ddof=1) / 5**0.5)
    hits = value_of(blocks_of(errors / 10), lower_is_better=False)
    assert isinstance(hits, Effect) and hits.mean == pytest.approx(0.6)


def test_blocks_count_and_not_their_samples() -> None:
    errors = np.repeat([1.0, 2, 4, 8, 5], 50)
    effect = value_of(blocks_of(errors, np.repeat(np.arange(5), 50)), lower_is_better=True)
    alone = value_of(blocks_of(np.array([1.0, 2, 4, 8, 5])), lower_is_better=True)
    assert isinstance(effect, Effect) and isinstance(alone, Effect)
    assert effect.error == pytest.approx(alone.error)


def test_changes_have_their_direction_and_none_is_zero() -> None:
    draw = np.random.default_rng(0)
    old = draw.exponential(1, 200)
    half = change_between(blocks_of(old), blocks_of(old / 2), lower_is_better=True)
    assert isinstance(half, Effect) and half.mean == pytest.approx(50) and half.error == pytest.approx(0, abs=1e-9)
    same = change_between(blocks_of(old), blocks_of(old), lower_is_better=True)
    assert same == Effect(0.0, 0.0, 199.0)
    wrong = (draw.random(200) < 0.3).astype(float)
    worse = change_between(blocks_of(wrong), blocks_of(np.ones(200) * 0.65), lower_is_better=False)
    assert isinstance(worse, Effect) and worse.mean == pytest.approx(100 * (0.35 / (1 - wrong.mean()) - 1))


def test_few_blocks_and_zeros_have_no_interval() -> None:
    few = value_of(blocks_of(np.ones(4)), lower_is_better=True)
    assert few == Undefined("4 independent blocks, and fewer than 5 tell no spread")
    none = change_between(blocks_of(np.zeros(9)), blocks_of(np.ones(9)), lower_is_better=True)
    assert none == Undefined("a value of 0 leaves no relative change")


@pytest.mark.parametrize("blocks", [12, 100])
def test_intervals_hold_the_true_change_as_often_as_they_say(blocks: int) -> None:
    """Intervals of 400 files whose samples depend on each other in a block hold the planted change in about 95 %."""
    draw, held = np.random.default_rng(blocks), 0
    for _ in range(400):
        of_block, block = draw.gamma(4, 0.25, blocks), np.repeat(np.arange(blocks), 10)
        before = of_block[block] * draw.gamma(4, 0.25, len(block))
        after = before * 0.9 * draw.gamma(8, 1 / 8, blocks)[block]
        effect = change_between(blocks_of(before, block), blocks_of(after, block), lower_is_better=True)
        assert isinstance(effect, Effect)
        ends = effect.ends(0.05)
        assert ends.low is not None and ends.high is not None
        held += ends.low <= 10 <= ends.high
    assert 0.90 <= held / 400 <= 0.98
