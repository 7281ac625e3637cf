"""Whether a task is related to those it was trained with, by the likeness of their data maps in verdicts.json."""

from typing import Any

from mtl.evaluation.limits import ALIKE, MIN_SEEDS

Json = dict[str, Any]


def alike(found: Json) -> bool | None:
    """Whether a pair's interval of correlations lies above the limit; None while there are too few seeds to say."""
    if found["n"] < MIN_SEEDS or found["low"] is None:
        return None
    return bool(found["low"] > ALIKE)


def related(verdicts: Json, method: Json, task: str) -> bool | None:
    """Whether a method's other tasks hold one whose map is like the task's; None where maps do not tell: none were
    recorded, a partner is on other samples, or there are too few seeds."""
    pairs = verdicts["likeness"].get(method["name"], {})
    partners = [other for other in method["trained"] if other != task]
    known = {frozenset(pair.split("|")): alike(found) for pair, found in pairs.items()}
    answers = [known.get(frozenset((task, other))) for other in partners]
    if True in answers:
        return True
    return None if None in answers or not answers else False
