"""Proof that a column of time stamps was written in one of several forms that read all its rows.

Steps between rows prove a form where they agree with it and with no other: a logger that writes a row each hour goes on
doing so at midnight, when 01/02/2020 becomes 02/02/2020, while under the other order of day and month it would leap by
a month. That rows increase proves nothing: a table that was sorted as text increases under the wrong form.

R rows.
"""

from collections.abc import Sequence

import numpy as np

from mtl.data.timeline.readings import Reading
from mtl.data.timeline.units import PER_SECOND

AGREE = 2 / 3
"""Least share of the steps that tell forms apart that a proof needs to be the usual step; weekends are left out."""
DAY = 24 * 3600


def proved(readings: Sequence[Reading], groups: np.ndarray | None) -> Reading | None:
    """The one reading that the steps of the rows prove; None if they prove none.

    A form is proved where the steps in which the forms differ are mostly its usual step and never turn back, and no
    other form makes a regular series of the rows, in fixed steps or in whole months.

    Args:
        readings: at least two, which all read every row.
        groups: series of each row [R], if the table holds several; steps are between rows of the same.
    """
    order = np.arange(len(readings[0].when)) if groups is None else np.argsort(groups, kind="stable")
    same = np.ones(len(order) - 1, dtype=bool) if groups is None else np.diff(groups[order]) == 0
    steps = [np.diff(reading.when[order])[same] for reading in readings]
    telling = np.any([step != steps[0] for step in steps[1:]], axis=0)
    if not telling.any():
        return None
    regular = [reading for reading, step in zip(readings, steps, strict=True) if _regular(reading, step, telling)]
    if len(regular) != 1:
        return None
    rivals = [
        reading
        for reading, step in zip(readings, steps, strict=True)
        if reading is not regular[0] and _monthly(reading, reading.when[order], same, step, telling)
    ]
    return None if rivals else regular[0]


def _regular(reading: Reading, step: np.ndarray, telling: np.ndarray) -> bool:
    if not _one_way(step[telling]):
        return False
    sizes, counts = np.unique(step[step != 0], return_counts=True)
    usual = sizes[counts.argmax()]
    agree = int((step[telling] == usual).sum())
    # Within a day the forms agree on the step, which is then known beforehand; whole days have to show it themselves.
    known = abs(usual) < DAY * PER_SECOND[reading.unit] and int((step[~telling] == usual).sum()) >= 3
    return agree >= max(AGREE * int(telling.sum()), 1 if known else 3)


def _monthly(reading: Reading, when: np.ndarray, same: np.ndarray, step: np.ndarray, telling: np.ndarray) -> bool:
    """The telling steps are mostly whole months."""
    if not _one_way(step[telling]):
        return False
    stamps = when.astype(f"datetime64[{reading.unit}]")
    months = stamps.astype("datetime64[M]")
    within = stamps - months.astype(stamps.dtype)
    whole = (np.diff(within) == np.timedelta64(0)) & (np.diff(months) != np.timedelta64(0))
    return bool(whole[same][telling].mean() >= AGREE)


def _one_way(step: np.ndarray) -> bool:
    return bool((step >= 0).all() or (step <= 0).all()) and bool((step != 0).any())
