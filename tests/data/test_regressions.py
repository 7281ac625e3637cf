"""Two planted regressions: what a narrow network can reach, against numbers that are drawn."""

import math

import numpy as np
import pytest
import torch

from mtl.config import RegressionsSource
from mtl.data.build import read_source
from mtl.data.inputs.every import input_of
from mtl.data.sources.regressions import directions, equal_turn, excess, front
from mtl.types import RowSet

SOURCE = RegressionsSource(kind="regressions", rows=100_000, angle=50.0, signal=(0.9, 0.6), seed=3)


def drawn(source: RegressionsSource) -> RowSet:
    rows = read_source("own", source)
    assert isinstance(rows, RowSet)
    return rows


@pytest.fixture(scope="module")
def rows() -> RowSet:
    return drawn(SOURCE)


def reached(rows: RowSet, direction: np.ndarray) -> list[float]:
    """Least mean squared error of each target by a linear head on one number."""
    z = rows.values.numpy() @ direction
    return [float(np.mean((y - z * (z @ y) / (z @ z)) ** 2)) for y in (t.numpy() for t in rows.numbers.values())]


@pytest.mark.parametrize("degrees", [0, 20, 50])
def test_the_front_is_what_least_squares_reaches(rows: RowSet, degrees: float) -> None:
    first, second = directions(SOURCE)
    across = second - (first @ second) * first
    across /= np.linalg.norm(across)
    turn = math.radians(degrees)
    assert reached(rows, math.cos(turn) * first + math.sin(turn) * across) == pytest.approx(
        front(SOURCE, turn), rel=0.02
    )


def test_no_direction_lies_beyond_the_front(rows: RowSet) -> None:
    generator = np.random.default_rng(0)
    for direction in generator.standard_normal((200, SOURCE.inputs)):
        errors = reached(rows, direction)
        assert excess(SOURCE, (errors[0], errors[1])) > -0.01


def test_equal_weights_choose_the_least_sum() -> None:
    turns = np.linspace(0, math.radians(SOURCE.angle), 2001)
    best = min(turns, key=lambda turn: sum(front(SOURCE, turn)))
    assert equal_turn(SOURCE) == pytest.approx(best, abs=1e-3)


@pytest.mark.parametrize("turn", [0.0, 0.3, 0.8])
def test_the_distance_to_the_front_is_known(turn: float) -> None:
    first, second = front(SOURCE, turn)
    assert excess(SOURCE, (first, second)) == pytest.approx(0, abs=1e-9)
    assert excess(SOURCE, (first + 0.1, second + 0.1)) == pytest.approx(0.1, abs=1e-9)
    assert excess(SOURCE, (first - 0.05, second - 0.05)) == pytest.approx(-0.05, abs=0.01)


def test_the_optimum_leaves_the_noise(rows: RowSet) -> None:
    for share, (target, best) in zip(SOURCE.signal, rows.oracle_numbers.items(), strict=True):
        assert float((rows.numbers[target] - best).square().mean()) == pytest.approx(1 - share, rel=0.02)
        assert float(rows.numbers[target].var()) == pytest.approx(1, rel=0.02)


def test_each_random_thing_has_a_stream_of_its_own(rows: RowSet) -> None:
    other = drawn(SOURCE.model_copy(update={"signal": (0.0, 0.0), "angle": 10.0}))
    assert torch.equal(other.values, rows.values) and torch.equal(other.fold, rows.fold)
    assert not other.oracle_numbers["first"].any(), "nothing can be known of noise"


def test_a_fixed_validation_part_is_the_same_for_every_seed() -> None:
    fixed = drawn(SOURCE.model_copy(update={"rows": 1000, "folds": 1}))
    parts = {part: int(mask.sum()) for part, mask in input_of(fixed).masks(0).items()}
    assert parts == {"train": 560, "val": 140, "test": 300}
