"""Dates of which a spreadsheet exchanged day and month where it could: those with a day up to 12.

R rows.
"""

import numpy as np

from mtl.data.timeline.calendar import days
from mtl.data.timeline.stamps import Stamps
from mtl.data.timeline.units import PER_SECOND

FEWEST = 5
"""Steps against the order of the rows, or of another size than usual, from which they may tell of it."""
FEWER = 10
"""Times as many such steps stand in the file as there are once days and months are exchanged back."""


def exchanged(stamps: Stamps, order: np.ndarray, same: np.ndarray) -> bool:
    """True where the rows go hardly ever against their order, or by other than their usual step, once day and month are
    exchanged in all stamps with a day up to 12, and often as they stand.

    Args:
        stamps: times of the rows [R].
        order: rows series by series [R].
        same: whether two rows that follow each other in `order` are of one series [R - 1].
    """
    if stamps.unit is None:
        return False
    stands = _faults(stamps.when[order], same)
    day = np.int64(24 * 3600 * PER_SECOND[stamps.unit])
    date, within = np.divmod(stamps.when, day)
    calendar = date.astype("datetime64[D]")
    month = calendar.astype("datetime64[M]")
    of_month, of_year = (calendar - month).astype(np.int64) + 1, month.astype(np.int64) % 12 + 1
    year = calendar.astype("datetime64[Y]").astype(np.int64) + 1970
    swapped = np.where(of_month <= 12, days(year, of_month, of_year), date) * day + within
    back = _faults(swapped[order], same)
    return any(now >= FEWEST and FEWER * then <= now for now, then in zip(stands, back, strict=True))


def _faults(when: np.ndarray, same: np.ndarray) -> tuple[int, int]:
    """Steps against the direction in which most go, and steps of another size than the usual one."""
    steps = np.diff(when)[same]
    against = int(min((steps < 0).sum(), (steps > 0).sum()))
    return against, len(steps) - int(np.unique(steps, return_counts=True)[1].max(initial=0))
