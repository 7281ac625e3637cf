"""Dates that are written as digits alone, such as 20201231, 31122020 or 202012312300.

A column of such numbers must not be taken for a count of seconds: 31122020 would come after 01012021.
"""

from collections.abc import Sequence

import numpy as np

from mtl.data.timeline.grammar import Form
from mtl.data.timeline.readings import Characters, Reading, times_of
from mtl.data.timeline.units import Unit

UNIX: tuple[tuple[Unit, float, float], ...] = (
    ("s", 5e8, 5e9), ("ms", 5e11, 5e12), ("us", 5e14, 5e15), ("ns", 5e17, 5e18),
)  # fmt: skip
"""Unit of the time since 1970, with the least and the greatest number that is taken for it: 1985 to 2128."""
ORDERS = {
    14: ("YmdHMS", "dmYHMS", "mdYHMS"),
    12: ("YmdHM", "dmYHM", "mdYHM", "ymdHMS"),
    10: ("YmdH", "dmYH", "mdYH", "ymdHM", "dmyHM", "mdyHM"),
    8: ("Ymd", "dmY", "mdY"),
    6: ("ymd", "dmy", "mdy", "Ym"),
}
"""Number of digits → the orders of fields that take so many; a year Y takes four, every other field two."""


def read_digits(cells: Sequence[str]) -> list[Reading]:
    """A reading for each order of fields that reads all rows; none if the numbers are no dates.

    A zero at the front may be missing, as in 1012020, since tables of numbers drop it.
    """
    widths = {len(cell) for cell in cells}
    width = max(widths) + max(widths) % 2
    if width not in ORDERS or min(widths) < width - 1:
        return []
    characters = Characters([cell.rjust(width, "0") for cell in cells])
    rows = np.arange(len(cells))
    readings = []
    for order in ORDERS[width]:
        slots, at = [], 0
        for directive in order:
            slots.append((directive, at, at + (4 if directive == "Y" else 2)))
            at = slots[-1][2]
        name = "".join(f"%{directive}" for directive in order)
        when, reads = times_of(characters, rows, Form(name, tuple(slots), aware=False), "us")
        if reads.all():
            readings.append(Reading(name, when, reads, "us"))
    return readings


def is_counter(numbers: np.ndarray) -> bool:
    """The numbers go on by one step through more rows than a month has days, which no dates in digits do."""
    steps = np.diff(numbers)
    return len(numbers) > 31 and bool((steps == steps[0]).all())


def unix_unit(numbers: np.ndarray) -> Unit | None:
    """Unit of numbers that are as large as the time since 1970 is; None for others, such as the number of a step."""
    low, high = float(numbers.min()), float(numbers.max())
    return next((unit for unit, least, greatest in UNIX if least <= low and high <= greatest), None)
