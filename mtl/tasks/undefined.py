"""Measures that a set of samples leaves undefined: they are left out with their reason, never replaced by a number."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Undefined:
    """A measure without a value on these samples, such as an AUC where every sample is negative.

    Functions return it in place of the number, so that a type checker makes each caller decide what becomes of it.

    Args:
        reason: a clause that completes "cannot be computed, because …".
    """

    reason: str


def split_undefined(values: Mapping[str, float | Undefined]) -> tuple[dict[str, float], dict[str, str]]:
    """The measures that have a value, and the reasons of those that have none, both by name and in the same order."""
    defined = {name: value for name, value in values.items() if not isinstance(value, Undefined)}
    reasons = {name: value.reason for name, value in values.items() if isinstance(value, Undefined)}
    return defined, reasons
