"""Relation of a task to those it was trained with, by the likeness of their data maps in verdicts.json."""

from mtl.evaluation.limits import ALIKE, MIN_SEEDS
from mtl.results.statistics import Interval
from mtl.results.verdicts import JudgedMethod, Verdicts


def alike(correlation: Interval) -> bool | None:
    """Says whether a pair's interval of correlations lies above the limit; None while there are too few seeds."""
    if correlation.n < MIN_SEEDS or correlation.low is None:
        return None
    return correlation.low > ALIKE


def related(verdicts: Verdicts, method: JudgedMethod, task: str) -> bool | None:
    """Says whether some other task of a method has a map like the task's; None where maps do not tell: none were
    recorded, a partner is on other samples, or there are too few seeds."""
    pairs = verdicts.likeness.get(method.name, {})
    partners = [other for other in method.trained if other != task]
    known = {frozenset(pair.split("|")): alike(correlation) for pair, correlation in pairs.items()}
    answers = [known.get(frozenset((task, other))) for other in partners]
    if True in answers:
        return True
    return None if None in answers or not answers else False
