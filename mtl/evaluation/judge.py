"""Verdict of one comparison: a word, whether the change matters, and what would decide it where that is open."""

from collections.abc import Sequence

from mtl.evaluation.components import Components
from mtl.evaluation.intervals import Widened, spread
from mtl.evaluation.limits import MIN_SEEDS
from mtl.evaluation.power import TestData, seeds_needed
from mtl.results.verdict import Covers, Open, Verdict, Word


def judge(
    changes: Sequence[float],
    widened: Widened,
    margin: float,
    seeds: int,
    parts: Components | None = None,
) -> Verdict:
    """Verdict, by the first of these that holds: HELPED or HURT, where the widened interval excludes zero; LEVEL, where
    it lies within the margin; `not known`.

    Args:
        changes: paired changes in percent, one a seed; empty where an STL value of 0 leaves them undefined.
        widened: interval of their mean, and the level at which it was tested.
        margin: share that is too little to matter.
        seeds: how many there are.
        parts: variance components where the interval covers new data; None where it covers training alone.
    """
    covers: Covers = "training" if parts is None else "new data"

    def verdict(
        word: Word, matters: bool | None = None, reason: Open | None = None, needed: int | None = None
    ) -> Verdict:
        return Verdict(word=word, margin=margin, matters=matters, open=reason, covers=covers, seeds_needed=needed)

    if seeds < MIN_SEEDS:
        return verdict("not known", None, "too few seeds", MIN_SEEDS)
    if widened.level is None:
        return verdict("not known", None, "undefined")
    little = widened.ends.within(100 * margin)
    if widened.ends.sign:
        return verdict("HELPED" if widened.ends.sign > 0 else "HURT", not little)
    if little and margin > 0:
        return verdict("LEVEL")
    change = max(100 * margin, abs(sum(changes) / len(changes)))
    if change == 0:
        return verdict("not known", None, "margin")
    data = None if parts is None else _data_error(parts)
    needed = seeds_needed(spread(changes), change, widened.level, seeds, data)
    return verdict("not known", None, "test data" if needed is None and data is not None else "seeds", needed)


def of_quick_look(margin: float) -> Verdict:
    """Verdict of a look with one seed and a part of the epochs: `not known`, whatever was seen.

    Args:
        margin: share that is too little to matter.
    """
    return Verdict(
        word="not known", margin=margin, matters=None, open="quick look", covers="training", seeds_needed=None
    )


def _data_error(parts: Components) -> TestData | None:
    """Error from the choice of test data, with its own degrees of freedom; None where there is none."""
    if parts.data == 0:
        return None
    # Satterthwaite's formula solved for the part that is not the seeds'.
    rest = (parts.seeds + parts.data) ** 2 / parts.freedom - parts.seeds**2 / (parts.count - 1)
    return TestData(parts.data**0.5, parts.data**2 / rest)
