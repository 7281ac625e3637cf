"""Settings of `evaluate` that are one share for every task, or one for each of some tasks: tolerance and margin."""

from typing import Annotated, Any

from pydantic import BeforeValidator

from mtl.config.common import Name
from mtl.errors import shown


def _checked(section: Any, form: str, whole: bool) -> Any:
    """Checks the form of one share or of all, so that one message covers both; `whole` allows 1."""
    values = list(section.values()) if isinstance(section, dict) else [section]
    for value in values:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 <= value <= 1 or (value == 1 and not whole):  # false of NaN too
            raise ValueError(f"should be {form}, found {shown(section)}")
    return section


def _tolerance(section: Any) -> Any:
    form = "a share from 0 to 1 such as 0.05 (5 %), or a share for each of some tasks such as {fault: 0.02}"
    return _checked(section, form, whole=True)


def _margin(section: Any) -> Any:
    form = (
        "a share of at least 0 and below 1 such as 0.01 (1 % of the single-task value), or a share for each of some "
        "tasks such as {fault: 0.02}"
    )
    return _checked(section, form, whole=False)


Tolerance = Annotated[float | dict[Name, float], BeforeValidator(_tolerance)]
"""One share for every task of the regression family, or task → its own."""

Margin = Annotated[float | dict[Name, float], BeforeValidator(_margin)]
"""One share for every task, or task → its own."""
