"""Every word of a verdict by a known interval, in their order; the margin at its edges; what would decide."""

import pytest

from mtl.evaluation.intervals import Widened
from mtl.evaluation.judge import judge
from mtl.evaluation.power import TestData
from mtl.results.statistics import Ends

CHANGES = [1.0, -1.0, 0.5, -0.5, 0.0]
"""Paired changes in percent with a standard deviation of √0.625."""


def widened(low: float | None, high: float | None, level: float | None = 0.05) -> Widened:
    return Widened(Ends(low=low, high=high), level)


@pytest.mark.parametrize(
    ("low", "high", "margin", "text"),
    [
        (1.0, 3.0, 0.01, "HELPED"),
        (-3.0, -1.0, 0.01, "HURT"),
        (0.1, 1.0, 0.01, "HELPED, too little to matter"),  # a shown change comes before LEVEL
        (-1.0, -0.1, 0.01, "HURT, too little to matter"),
        (0.1, 1.1, 0.01, "HELPED"),
        (0.1, 1.1, 0.02, "HELPED, too little to matter"),
        (-1.0, 1.0, 0.01, "LEVEL"),
        (-0.2, 0.9, 0.01, "LEVEL"),
        (0.0, 0.9, 0.01, "LEVEL"),  # zero is not excluded
        (-1.0, 1.0, 0.009, "not known: 9 seeds"),
        (-0.2, 1.2, 0.01, "not known: 8 seeds"),
        (0.0, 0.0, 0.0, "not known"),  # with a margin of 0 nothing is level
        (-1.0, 1.0, 0.0, "not known"),
        (0.1, 0.2, 0.0, "HELPED"),
    ],
)
def test_a_verdict_is_the_first_word_that_holds(low: float, high: float, margin: float, text: str) -> None:
    verdict = judge(CHANGES, widened(low, high), margin, 5)
    assert verdict.text == text
    assert verdict.margin == margin
    assert (verdict.open is None) == (verdict.word != "not known")


@pytest.mark.parametrize("seeds", [1, 2, 4])
def test_too_few_seeds_know_nothing(seeds: int) -> None:
    ends = widened(None, None, None) if seeds == 1 else widened(5.0, 6.0)
    verdict = judge([5.5] * seeds, ends, 0.01, seeds)
    assert (verdict.text, verdict.seeds_needed) == ("not known: too few seeds", 5)


def test_a_change_that_is_not_defined_is_said_to_be_so() -> None:
    assert judge([], widened(None, None, None), 0.01, 5).text == "not known: STL is 0"


def test_test_data_that_leave_it_open_are_named() -> None:
    """Test data whose error alone is too large for the margin, or leaves room for seeds."""
    ends = widened(-2.0, 2.0)
    found = judge(CHANGES, ends, 0.01, 5, TestData(error=0.8, freedom=15.0))
    assert (found.word, found.open, found.seeds_needed) == ("not known", "test data", None)
    some = judge(CHANGES, ends, 0.01, 5, TestData(error=0.2, freedom=15.0))
    alone = judge(CHANGES, ends, 0.01, 5)
    assert some.open == alone.open == "seeds"
    assert some.seeds_needed is not None and alone.seeds_needed is not None
    assert some.seeds_needed > alone.seeds_needed
