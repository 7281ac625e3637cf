"""Verdict of one comparison: a word, whether the change matters, and what would decide it where that is open."""

from collections.abc import Sequence

from mtl.evaluation.intervals import Widened, spread
from mtl.evaluation.limits import MIN_SEEDS
from mtl.evaluation.power import TestData, seeds_needed
from mtl.results.verdict import Open, Verdict, Word


def judge(
    changes: Sequence[float], widened: Widened, margin: float, seeds: int, data: TestData | None = None
) -> Verdict:
    """Verdict, by the first of these that holds: HELPED or HURT, where the widened interval excludes zero; LEVEL, where
    it lies within the margin; `not known`.

    Args:
        changes: paired changes in percent, one a seed; empty where an STL value of 0 leaves them undefined.
        widened: interval of their mean, and the level at which it was tested.
        margin: share that is too little to matter.
        seeds: how many there are.
        data: share of the test data in the error; None where the interval leaves it out.
    """
    if seeds < MIN_SEEDS:
        return _open("too few seeds", margin, MIN_SEEDS)
    if widened.level is None:
        return _open("undefined", margin, None)
    little = widened.ends.within(100 * margin)
    if widened.ends.sign:
        word: Word = "HELPED" if widened.ends.sign > 0 else "HURT"
        return Verdict(word=word, margin=margin, matters=not little, open=None, seeds_needed=None)
    if margin == 0:
        return _open("margin", margin, None)
    if little:
        return Verdict(word="LEVEL", margin=margin, matters=None, open=None, seeds_needed=None)
    needed = seeds_needed(spread(changes), 100 * margin, widened.level, seeds, data)
    return _open("test data" if needed is None and data is not None else "seeds", margin, needed)


def _open(reason: Open, margin: float, seeds_needed: int | None) -> Verdict:
    return Verdict(word="not known", margin=margin, matters=None, open=reason, seeds_needed=seeds_needed)
