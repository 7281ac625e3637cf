"""The longest hole of a series that is filled: a number of rows, or a span of time."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

SPAN = re.compile(r"[0-9]+(\.[0-9]+)? ?(ms|s|min|h|D|W|seconds?|minutes?|hours?|days?|weeks?)")


def _span(value: str) -> str:
    if not SPAN.fullmatch(value.strip()):
        raise ValueError(f"should be a number of rows or a span of time such as 6h, 30min or 2D, found {value!r}")
    return value.strip()


MaxGap = Annotated[int, Field(ge=1, strict=True)] | Annotated[str, AfterValidator(_span)]
"""Rows, or a span of time as pandas reads it."""
