"""Names of forms of time stamps, compared."""

import re

from mtl.config.date_format import ISO

SPELLINGS = {
    "%F": "%Y-%m-%d", "%T": "%H:%M:%S", "%R": "%H:%M", "%D": "%m/%d/%y", "%B": "%b", "%h": "%b", "%A": "%a",
    "%e": "%d", "%k": "%H",
}  # fmt: skip
"""Directive → the one that means the same to a reader of names of any length and of numbers with and without zeros."""


def same_form(name: str, other: str) -> bool:
    """Both names ask for the same fields in the same places; fractions of a second may be there or not."""
    return _plain(name) == _plain(other)


def _plain(name: str) -> str:
    name = re.sub(r"%-([A-Za-z])", r"%\1", name).replace(f"{ISO}%z", ISO)
    for spelling, plain in SPELLINGS.items():
        name = name.replace(spelling, plain)
    return re.sub(r"[.,]%f", "", name)
