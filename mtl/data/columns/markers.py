"""Numbers that look like markers of missing values: -999 and its like, and what formats fill holes with, far from all
others."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

NINES = re.compile(r"-?9{2,}(\.9+)?")
SURE = re.compile(r"-9{3,}(\.9+)?")
"""Markers that no measurement is: several times far below all others."""
FILLS = frozenset({32767.0, -32767.0, -32768.0, 65535.0, 2147483647.0, -2147483648.0, 4294967295.0})
"""Greatest and lowest whole numbers of two and four bytes, with which programs fill holes."""
HUGE = 1e15
"""Size from which a number beside others of usual size is a filling: 1e20 and 9.97e36 are those of climate data."""
FAR = 3
"""Times the spread of all other values that a marker lies away from them."""


@dataclass(frozen=True)
class Marker:
    """A number that looks like a marker.

    Args:
        column: number of its column.
        number: itself.
        rows: where it stands.
        low: the lowest of all other values.
        high: the highest.
    """

    column: int
    number: float
    rows: np.ndarray
    low: float
    high: float

    @property
    def sure(self) -> bool:
        """True where it can hardly be anything else."""
        huge = abs(self.number) >= HUGE * max(abs(self.low), abs(self.high))
        return len(self.rows) > 1 and (huge or SURE.fullmatch(f"{self.number:.10g}") is not None)

    @property
    def words(self) -> str:
        times = "once" if len(self.rows) == 1 else f"{len(self.rows):,} times"
        return f"{self.number:.10g} is there {times}, far from all others ({self.low:g} to {self.high:g})"

    @property
    def doubt(self) -> str:
        """A clause with the setting, where it may be something else."""
        return f"{self.words}: if it stands for a missing value, set {self.setting}"

    @property
    def setting(self) -> str:
        text = repr(self.number).removesuffix(".0")
        text = re.sub(r"^(-?[0-9]+)e", r"\1.0e", text)  # Without a point, 1e+20 is a text in YAML.
        return f"`missing_markers: [{text}]`"


def likely_markers(values: np.ndarray, columns: Sequence[str]) -> Iterator[Marker]:
    """Lowest and highest values of columns that are far from all others, and written in nines or as formats fill
    holes; positive nines only where they are there more than once.

    Args:
        values: [R, C], NaN where missing.
        columns: their names.
    """
    if not len(values):
        return
    lowest = np.fmin.reduce(values, axis=0)
    highest = np.fmax.reduce(values, axis=0)
    for number in range(len(columns)):
        for marker in (float(lowest[number]), float(highest[number])):
            nines = NINES.fullmatch(f"{marker:.10g}") is not None
            if not (nines or marker in FILLS or abs(marker) >= HUGE):
                continue
            of_row = values[:, number]
            others = of_row[(of_row != marker) & ~np.isnan(of_row)]
            rows = np.flatnonzero(of_row == marker)
            if not len(others) or (len(rows) < 2 and not SURE.fullmatch(f"{marker:.10g}") and abs(marker) < HUGE):
                continue
            low, high = float(others.min()), float(others.max())
            if low < high and max(low - marker, marker - high) > FAR * (high - low):
                yield Marker(number, marker, rows, low, high)
