"""Numbers of pairs of tasks: few in words, many packed, the same to whoever reads them."""

import json
import math
from itertools import combinations

import numpy as np
import pytest

from mtl.errors import UserError
from mtl.results.history import Gradients, History
from mtl.results.pair_arrays import as_matrix, of_matrix
from mtl.results.pairs import MANY, Pairs
from tests.helpers.records import epoch_json, history_json


def made(count: int) -> tuple[list[str], "np.ndarray[tuple[int, int], np.dtype[np.float64]]", Pairs]:
    """Tasks in no alphabetic order, a symmetric matrix of numbers of 32 bits with holes, and its pairs."""
    tasks = [f"t{(7 * number) % count}" for number in range(count)]
    draw = np.random.default_rng(count)
    matrix = np.triu(draw.uniform(-1, 1, (count, count)), 1).astype(np.float32).astype(np.float64)
    matrix = matrix + matrix.T
    holes = np.triu(draw.random((count, count)) < 0.2, 1)
    matrix[holes | holes.T] = np.nan
    np.fill_diagonal(matrix, np.nan)
    return tasks, matrix, of_matrix(tasks, matrix)


@pytest.mark.parametrize("count", [2, 5, MANY, MANY + 1, 60])
def test_what_goes_in_comes_out(count: int) -> None:
    tasks, matrix, pairs = made(count)
    assert pairs.packed is (count > MANY)
    assert np.array_equal(as_matrix(pairs, tasks), matrix, equal_nan=True)
    expected = {
        f"{tasks[i]}|{tasks[j]}": matrix[i, j] for i, j in combinations(range(count), 2) if not math.isnan(matrix[i, j])
    }
    assert dict(pairs) == expected and len(pairs) == len(expected)
    assert pairs.get(f"{tasks[1]}|{tasks[0]}") is None, "the other way round is no pair"
    assert pairs.get("t0|nobody") is None and pairs.get("nobody|t0") is None


@pytest.mark.parametrize("count", [5, 60])
def test_other_tasks_and_another_order(count: int) -> None:
    tasks, matrix, pairs = made(count)
    order = np.random.default_rng(0).permutation(count)[:4]
    chosen = [*(tasks[place] for place in order), "stranger"]
    expected = np.full((5, 5), np.nan)
    expected[:4, :4] = matrix[np.ix_(order, order)]
    assert np.array_equal(as_matrix(pairs, chosen), expected, equal_nan=True)
    assert np.isnan(as_matrix(pairs, ["stranger", "other"])).all()


@pytest.mark.parametrize("count", [5, 60])
def test_a_history_keeps_them(count: int) -> None:
    tasks, matrix, pairs = made(count)
    gradients = Gradients(norms=dict.fromkeys(tasks, 1.0), cosines=pairs)
    content = history_json(epoch_json(1, gradients=gradients.plain()))
    text = json.dumps(content).encode()
    again = History.loads(text, "history.json")
    assert again.plain() == json.loads(text)
    assert np.array_equal(as_matrix(again.epochs[0].gradients.cosines, tasks), matrix, equal_nan=True)


@pytest.mark.parametrize(
    ("cosines", "told"),
    [
        ({"a|b": "high"}, "gradients.cosines.a|b"),
        ({"tasks": ["a", "b"], "float32": "AAAA"}, "4 bytes"),
        ({"tasks": ["a", "b", "c"], "float32": "AAAAAA=="}, "each pair of 3 tasks"),
        ({"tasks": ["a", "b"], "float32": "?"}, "gradients.cosines"),
        ({"tasks": ["a", 1], "float32": "AAAAAA=="}, "gradients.cosines.tasks.1"),
        ([], "gradients.cosines"),
    ],
)
def test_damaged_ones_are_said_with_their_place(cosines: object, told: str) -> None:
    content = history_json(epoch_json(1, gradients={"norms": {}, "cosines": cosines}))
    with pytest.raises(UserError, match=r"history\.json: `epochs\.0\.gradients\.cosines") as caught:
        History.parse(content, "history.json")
    assert told in str(caught.value)
