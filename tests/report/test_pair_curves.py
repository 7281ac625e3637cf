"""Cosines of all pairs of tasks at once are those that one pair at a time gives."""

from functools import partial
from typing import Any

import numpy as np
import pytest

from mtl.report.plot_training import _means, _pair_curves
from mtl.report.read import Run
from mtl.results.history import Epoch
from mtl.results.record import Run as Record
from tests.helpers.records import epoch_json, history, run_json

TASKS = ["a", *map(str, range(7))]


def runs(values: "np.ndarray[Any, Any]") -> list[Run]:
    """Runs whose cosines are [runs, epochs, pairs]; NaN is left out."""
    gradients = [
        [{"cosines": {f"a|{n}": v for n, v in enumerate(row) if np.isfinite(v)}, "norms": {}} for row in run]
        for run in values.tolist()
    ]
    return [
        Run(
            Record.parse(run_json(), "run.json"),
            history(*(epoch_json(n, gradients=g) for n, g in enumerate(own, 1))),
            None,
        )
        for own in gradients
    ]


def of_pair(pair: str, epoch: Epoch) -> float | None:
    return epoch.gradients.cosines.get(pair)


@pytest.mark.parametrize("seed", range(5))
def test_all_pairs_at_once_are_those_of_one_after_the_other(seed: int) -> None:
    dice = np.random.default_rng(seed)
    values = dice.normal(size=(4, 6, 7))
    values[dice.random(values.shape) < 0.4] = np.nan
    values[:, :, 3] = np.nan  # a pair that no epoch probed
    values[:, 4:, 2] = np.nan  # and one whose phase ends early
    made = runs(values)
    pairs, curves = _pair_curves(made, TASKS)
    expected = {f"a|{number}": _means(made, partial(of_pair, f"a|{number}")) for number in range(7)}
    expected = {pair: curve for pair, curve in expected.items() if curve.size}
    assert pairs == list(expected) and "a|3" not in pairs
    for pair, curve in zip(pairs, curves, strict=True):
        assert np.array_equal(curve[: len(expected[pair])], expected[pair], equal_nan=True)
        assert np.isnan(curve[len(expected[pair]) :]).all()
    assert curves.shape[1] == max(map(len, expected.values()))


def test_without_cosines_there_are_no_pairs() -> None:
    pairs, curves = _pair_curves(runs(np.full((2, 3, 4), np.nan)), TASKS)
    assert pairs == [] and curves.shape[0] == 0
