"""Variance components of a change: by hand, by deletion of whole blocks, and by the coverage of their intervals."""

import numpy as np
import pytest

from mtl.evaluation.components import MIN_BLOCKS, Components, change_components
from mtl.evaluation.intervals import over_seeds, t_interval
from mtl.results.samples import BlockErrors, in_blocks
from mtl.tasks.undefined import Undefined

SIDES = tuple[list[BlockErrors], list[BlockErrors]]


def errors(seed: int, seeds: int = 5, blocks: int = 8, size: int = 30, **spread: float) -> SIDES:
    """Both sides' errors around 1 and 0.95, whose differences vary by seed, by block and by both."""
    random = np.random.default_rng(seed)
    block = np.repeat(np.arange(blocks), size)
    single = 1 + 0.1 * random.normal(size=(seeds, len(block)))
    by_seed = spread.get("by_seed", 0.02) * random.normal(size=(seeds, 1))
    by_block = spread.get("by_block", 0.05) * random.normal(size=blocks)[block]
    by_both = spread.get("by_both", 0.02) * random.normal(size=(seeds, blocks))[:, block]
    together = single - 0.05 + by_seed + by_block + by_both
    return [in_blocks(row, block) for row in single], [in_blocks(row, block) for row in together]


def found(sides: SIDES, lower_is_better: bool = True) -> Components:
    components = change_components(*sides, lower_is_better)
    assert isinstance(components, Components), components
    return components


def changes(sides: SIDES) -> list[float]:
    means = [[run.sums.sum() / run.samples.sum() for run in side] for side in sides]
    return [100 * (1 - joint / single) for single, joint in zip(*means, strict=True)]


def test_sums_over_blocks() -> None:
    result = in_blocks(np.array([1.0, 2.0, 4.0, 8.0]), np.array([7, 3, 7, 9]))
    assert (result.blocks.tolist(), result.sums.tolist(), result.samples.tolist()) == ([3, 7, 9], [2, 5, 8], [1, 2, 1])


def test_components_by_hand() -> None:
    """Single-task errors are 1 throughout, so the change is linear in the joint errors: with equal blocks pseudo-values
    are 100·(1 − error), and the mean squares those of the table of errors."""
    table = np.array([[0.9, 0.7, 1.0, 0.8, 0.6], [0.8, 0.6, 1.0, 0.9, 0.7], [1.0, 0.8, 1.1, 0.7, 0.9]])
    block = np.repeat(np.arange(5), 2)
    single, joint = [in_blocks(np.ones(10), block)] * 3, [in_blocks(np.repeat(row, 2), block) for row in table]
    result = found((single, joint))
    of_seed, of_block = table.mean(axis=1), table.mean(axis=0)
    square_s = 5 * ((of_seed - table.mean()) ** 2).sum() / 2
    square_b = 3 * ((of_block - table.mean()) ** 2).sum() / 4
    residual = sum((table[s, b] - of_seed[s] - of_block[b] + table.mean()) ** 2 for s in range(3) for b in range(5)) / (
        2 * 4
    )
    assert result.mean == pytest.approx(100 * (1 - table.mean()))
    assert result.seeds == pytest.approx(1e4 * square_s / 15)
    assert result.data == pytest.approx(1e4 * (square_b - residual) / 15)
    satterthwaite = (square_s + square_b - residual) ** 2 / (square_s**2 / 2 + square_b**2 / 4 + residual**2 / 8)
    assert result.freedom == pytest.approx(satterthwaite)
    assert result.error == pytest.approx((result.seeds + result.data) ** 0.5)
    assert result.data_share == pytest.approx(result.data / (result.seeds + result.data))


def test_blocks_are_left_out_of_both_sides() -> None:
    """One block of odd samples after the other is deleted, and both means are taken anew."""
    random = np.random.default_rng(3)
    sizes = [5, 20, 10, 30, 15, 8]
    block = np.repeat(np.arange(6), sizes)
    single, joint = random.uniform(0.5, 1.5, (4, len(block))), random.uniform(0.4, 1.3, (4, len(block)))
    joint += np.array([0.0, 0.2, -0.1, 0.3, -0.2, 0.1])[block]
    result = found(([in_blocks(row, block) for row in single], [in_blocks(row, block) for row in joint]))
    whole = 100 * (1 - joint.mean(axis=1) / single.mean(axis=1))
    pseudo = np.empty((4, 6))
    for b in range(6):
        kept = block != b
        without = 100 * (1 - joint[:, kept].mean(axis=1) / single[:, kept].mean(axis=1))
        pseudo[:, b] = 6 * whole - 5 * without
    of_block = pseudo.mean(axis=0)
    rest = pseudo - pseudo.mean(axis=1, keepdims=True) - of_block + pseudo.mean()
    data = of_block.var(ddof=1) / 6 - (rest**2).sum() / (3 * 5 * 4 * 6)
    assert result.mean == pytest.approx(whole.mean())
    assert result.data == pytest.approx(data, rel=1e-9) and data > 0


@pytest.mark.parametrize("seed", range(4))
def test_the_part_of_the_seeds_is_that_of_the_interval_over_seeds(seed: int) -> None:
    sides = errors(seed, by_block=0.05 * (seed % 2))
    result, paired = found(sides), t_interval(changes(sides), 0.95)
    wide = result.interval(0.95)
    assert paired.mean is not None and paired.high is not None and wide.low is not None and wide.high is not None
    assert result.mean == pytest.approx(paired.mean)
    assert 2.7764451 * result.seeds**0.5 == pytest.approx(paired.high - paired.mean)
    assert paired.low is not None and wide.low <= paired.low + 1e-12 and wide.high >= paired.high - 1e-12
    effect = over_seeds(changes(sides))
    assert effect is not None and result.p_value() >= effect.p_value - 1e-12


@pytest.mark.parametrize("seed", range(6))
def test_p_value_and_interval_decide_alike(seed: int) -> None:
    result = found(errors(seed))
    p = result.p_value()
    at, beyond = result.interval(1 - p * (1 + 1e-6)), result.interval(1 - p * (1 - 1e-6))
    assert (abs(at.sign), beyond.sign) == (1, 0)


def test_of_a_share_of_right_answers() -> None:
    """Higher is better: 20 % wrong against 10 % wrong is 80 against 90 % right, 12.5 % more."""
    block = np.repeat(np.arange(5), 10)
    single, joint = (in_blocks((np.arange(50) % 10 < wrong).astype(float), block) for wrong in (2, 1))
    result = found(([single] * 2, [joint] * 2), lower_is_better=False)
    assert result.mean == pytest.approx(12.5) and result.error == pytest.approx(0, abs=1e-9)


def test_sources_of_variance_are_told_apart() -> None:
    by_seed = found(errors(0, by_seed=0.1, by_block=0.0, by_both=0.0))
    by_block = found(errors(0, by_seed=0.0, by_block=0.1, by_both=0.0))
    assert by_seed.data_share < 0.02 and by_seed.freedom < 4.5
    assert by_block.data_share > 0.98 and 6 < by_block.freedom < 8


def test_equal_changes_have_no_variance_from_seeds() -> None:
    single, joint = errors(0, seeds=1)
    result = found((single * 3, joint * 3))
    assert (result.seeds, result.data_share) == (0.0, 1.0)
    assert result.freedom == pytest.approx(7)


def test_too_little_to_tell_has_a_reason() -> None:
    few, (single, joint) = errors(0, blocks=MIN_BLOCKS - 1), errors(0)
    none = [BlockErrors(run.blocks, 0 * run.sums, run.samples) for run in single]
    reasons = {
        "independent blocks": change_components(*few, True),
        "seed": change_components(single[:1], joint[:1], True),
        "same test samples": change_components(single, errors(0, size=31)[1], True),
        "is 0": change_components(none, joint, True),
    }
    for words, result in reasons.items():
        assert isinstance(result, Undefined) and words in result.reason


@pytest.mark.parametrize(
    "spreads",
    [
        {"by_seed": 0.08, "by_block": 0.02, "by_both": 0.02},
        {"by_seed": 0.06, "by_block": 0.06, "by_both": 0.02},
        {"by_seed": 0.02, "by_block": 0.1, "by_both": 0.02},
        {"by_seed": 0.02, "by_block": 0.02, "by_both": 0.1},
    ],
    ids=["seeds lead", "equal", "test data lead", "their interaction leads"],
)
def test_intervals_cover_the_true_change(spreads: dict[str, float]) -> None:
    """95 % intervals of five seeds and twelve blocks; the binomial error of 600 repetitions is 0.9 %."""
    inside = 0
    for seed in range(600):
        interval = found(errors(seed, blocks=12, size=4, **spreads)).interval(0.95)
        assert interval.low is not None and interval.high is not None
        inside += interval.low <= 5.0 <= interval.high
    assert 0.93 <= inside / 600 <= 0.99
