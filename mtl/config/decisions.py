"""Settings of `evaluate` on labels of deployed models: how probabilities are calibrated, and what mistakes cost."""

import math
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator

from mtl.config.common import Name
from mtl.config.labels import ClassName
from mtl.errors import shown

CalibrationKind = Literal["none", "temperature", "isotonic"]
KINDS: tuple[CalibrationKind, ...] = get_args(CalibrationKind)


def _calibration(section: Any) -> Any:
    """Checks the form of one kind or of a kind for each task, so that one message covers both."""
    kinds = list(section.values()) if isinstance(section, dict) else [section]
    if any(not isinstance(kind, str) or kind not in KINDS for kind in kinds):
        form = f"{', '.join(KINDS[:-1])} or {KINDS[-1]}, or one for each of some tasks such as {{fault: temperature}}"
        raise ValueError(f"should be {form}, found {shown(section)}")
    return section


Calibration = Annotated[CalibrationKind | dict[Name, CalibrationKind], BeforeValidator(_calibration)]
"""One kind for every task with classes, or task → its own."""

POSITIVE, NEGATIVE = "false_positive", "false_negative"
"""Mistakes of a task of two classes: class 2 is said and is not true, and the other way round."""


def _costs(section: Any) -> Any:
    """Checks the form of all costs, so that one message covers every wrong one."""
    if not isinstance(section, dict) or not all(_of_two(costs) or _of_several(costs) for costs in section.values()):
        raise ValueError(
            f"should be the costs of mistakes for each of some tasks, as {{fault: {{{POSITIVE}: 1, {NEGATIVE}: 20}}}} "
            "with numbers above 0, or by true and said class where there are several, as {state: {high: {low: 5}}}, "
            f"with numbers of at least 0, found {shown(section)}"
        )
    return section


def _of_two(costs: Any) -> bool:
    if not isinstance(costs, dict) or set(costs) != {POSITIVE, NEGATIVE}:
        return False
    return all(_is_number(cost) and cost > 0 for cost in costs.values())


def _of_several(costs: Any) -> bool:
    if not isinstance(costs, dict) or not costs or not all(isinstance(said, dict) and said for said in costs.values()):
        return False
    return all(_is_number(cost) and cost >= 0 for said in costs.values() for cost in said.values())


def _is_number(cost: Any) -> bool:
    return isinstance(cost, int | float) and not isinstance(cost, bool) and math.isfinite(cost)


CostOfTwo = dict[Literal["false_positive", "false_negative"], float]
CostOfSeveral = dict[ClassName, dict[ClassName, float]]
Costs = Annotated[dict[Name, CostOfTwo | CostOfSeveral], BeforeValidator(_costs)]
"""Task → cost of each mistake: of two classes by its name, of several true class → class that is said → cost."""
