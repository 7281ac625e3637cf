"""Every word of a verdict by a known interval, in their order; the margin at its edges; what would decide."""

import pytest

from mtl.evaluation.components import Components
from mtl.evaluation.intervals import Widened
from mtl.evaluation.judge import judge
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


def parts(seeds: float, data: float) -> Components:
    """Five seeds and 16 blocks; the freedom is that of the sum, where that of the test data is 15."""
    freedom = (seeds + data) ** 2 / (seeds**2 / 4 + data**2 / 15)
    return Components(mean=0.0, seeds=seeds, data=data, freedom=freedom, count=5, blocks=16)


def test_test_data_that_leave_it_open_are_named() -> None:
    """Test data whose error alone is too large for the margin, or leaves room for seeds: (2.131 + .866) · .3 < 1."""
    ends, seeds = widened(-2.0, 2.0), 0.625 / 5
    found = judge(CHANGES, ends, 0.01, 5, parts(seeds, 0.4**2))
    assert (found.text, found.open, found.seeds_needed) == ("not known: more test data", "test data", None)
    some = judge(CHANGES, ends, 0.01, 5, parts(seeds, 0.3**2))
    none = judge(CHANGES, ends, 0.01, 5, parts(seeds, 0.0))
    alone = judge(CHANGES, ends, 0.01, 5)
    assert some.open == none.open == alone.open == "seeds"
    assert none.seeds_needed == alone.seeds_needed == 8
    assert some.seeds_needed is not None and some.seeds_needed > 8
    assert [verdict.covers for verdict in (found, some, none, alone)] == ["new data"] * 3 + ["training"]


def test_a_change_that_is_larger_than_the_margin_takes_fewer_seeds() -> None:
    """A mean of 2 % with s = √2.5: (3.169 + .879) · √2.5 / √11 = 1.93 at level 0.01; of 10 seeds 2.07. One margin needs
    three to four times as many; a margin of 0 takes the change that was seen."""
    seen = [0.0, 1.0, 2.0, 3.0, 4.0]
    found = judge(seen, widened(-1.3, 5.3, 0.01), 0.01, 5)
    assert found.text == "not known: 11 seeds"
    assert judge(seen, widened(-1.3, 5.3, 0.01), 0.0, 5).text == "not known: 11 seeds"
    level = judge([value - 2.0 for value in seen], widened(-3.3, 3.3, 0.01), 0.01, 5).seeds_needed
    assert level is not None and 33 <= level <= 44
