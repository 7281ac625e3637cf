"""How many trials of tuning each arm had (an arm is a method, or STL), and whether all had the same number."""

from collections.abc import Iterable, Mapping
from typing import Any

STL = "stl"
"""The arm of single-task training."""


def budgets(trials: Mapping[str, int], methods: Iterable[str]) -> dict[str, Any]:
    """`trials`, arm → finished trials, of STL and every method; and `equal`, whether it is one number.

    Args:
        trials: the arms that were tuned.
        methods: all that there are.
    """
    counts = {arm: trials.get(arm, 0) for arm in (STL, *methods)}
    return {"trials": counts, "equal": len(set(counts.values())) == 1}


def counted(trials: Mapping[str, int]) -> str:
    """In words: `STL 0, joint 20`."""
    return ", ".join(f"{'STL' if arm == STL else arm} {number}" for arm, number in trials.items())
