"""Numbers of tuning trials of each arm (an arm is a method, or STL), and the check that all are equal."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

STL = "stl"
"""The arm of single-task training."""
NAMED = 4
"""Methods with one number of trials that are named one by one."""


def budgets(trials: Mapping[str, int], methods: Iterable[str]) -> dict[str, Any]:
    """`trials`, arm → finished trials, of STL and every method; and `equal`, whether it is one number.

    Args:
        trials: the arms that were tuned.
        methods: all that there are.
    """
    counts = {arm: trials.get(arm, 0) for arm in (STL, *methods)}
    return {"trials": counts, "equal": len(set(counts.values())) == 1}


def counted(trials: Mapping[str, int]) -> str:
    """Sentence part for the reader, STL first: `STL 0, joint 20`; many methods of one number: `…, the 27 others 0`."""
    arms = sorted(trials, key=lambda arm: arm != STL)  # A JSON file has them by name.
    common, number = Counter(trials[arm] for arm in arms if arm != STL).most_common(1)[0]
    alike = [arm for arm in arms if arm != STL and trials[arm] == common and NAMED < number < len(arms) - 1]
    said = [f"{'STL' if arm == STL else arm} {trials[arm]}" for arm in arms if arm not in alike]
    return ", ".join(said + ([f"the {number} others {common}"] if alike else []))
