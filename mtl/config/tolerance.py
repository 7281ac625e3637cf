"""`evaluate.tolerance`: by which share a task may get worse and still count as kept."""

from typing import Annotated, Any

from pydantic import BeforeValidator

from mtl.config.common import Name
from mtl.errors import shown


def _shares(section: Any) -> Any:
    """Checks the form, so that one message covers both."""
    values = list(section.values()) if isinstance(section, dict) else [section]
    for value in values:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 <= value <= 1:  # false of NaN too
            example = "a share from 0 to 1 such as 0.05 (5 %), or a share for each of some tasks such as {fault: 0.02}"
            raise ValueError(f"should be {example}, found {shown(value)}")
    return section


Tolerance = Annotated[float | dict[Name, float], BeforeValidator(_shares)]
"""One share for every task of the regression family, or task → its own."""
