"""Ways in which numbers are written: a decimal mark, and perhaps marks between thousands."""

import re
from dataclasses import dataclass
from functools import cached_property

BLANKS = " \u00a0\u202f\u2009"
"""Blank, no-break blank, narrow no-break blank and thin blank: what may stand between thousands as a blank."""
APOSTROPHES = "'\u2019"
EXPONENT = r"(?:[eE][+-]?[0-9]+)?"
DATA_CELL = re.compile(
    r"[+-]?[0-9]*[.,][0-9]+([eE][+-]?[0-9]+)?|[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}([ T][0-9:.]+)?"
)
"""A number with decimals, or a date: cells of data, which hardly ever name a column."""
COUNT_CELL = re.compile(r"[+-]?[0-9]+|")


@dataclass(frozen=True)
class Marks:
    """Marks of a way to write numbers.

    Args:
        decimal: mark before the decimals.
        thousands: mark between groups of three digits, or None.
    """

    decimal: str = "."
    thousands: str | None = None

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """A number: groups only where they are groups, two digits above the first three in India."""
        point = re.escape(self.decimal)
        whole = "[0-9]+"
        if self.thousands is not None:
            mark = f"[{re.escape(_alike(self.thousands))}]"
            whole = f"(?:[0-9]{{1,3}}(?:{mark}[0-9]{{3}})+|[0-9]{{1,2}}(?:{mark}[0-9]{{2}})+{mark}[0-9]{{3}}|[0-9]+)"
        return re.compile(rf"[+-]?(?:{whole}(?:{point}[0-9]*)?|{point}[0-9]+){EXPONENT}")

    def number(self, cell: str) -> float | None:
        """The number that a cell holds, None where it is none."""
        text = cell.strip()
        if not self.pattern.fullmatch(text):
            return None
        if self.thousands is not None:
            text = re.sub(f"[{re.escape(_alike(self.thousands))}]", "", text)
        return float(text.replace(self.decimal, "."))


def _alike(mark: str) -> str:
    return {" ": BLANKS, "'": APOSTROPHES}.get(mark, mark)
