"""Numbers that a date becomes: what networks read of a column of dates.

R rows.
"""

import re
from collections.abc import Sequence

import numpy as np

EPOCH = np.datetime64("2000-01-01")
"""Day from which ages are counted: one that no row of the file decides."""
DAYS = "days"
PARTS = (DAYS, "month", "day of the month", "day of the week", "hour")
NAME = re.compile(rf"(.*) \(({'|'.join(PARTS)})\)", re.DOTALL)


def date_parts(column: str, when: np.ndarray) -> dict[str, np.ndarray]:
    """Numbers of dates, float64 [R] each, NaN where one is missing.

    Days since 1 January 2000 (with their fractions), month (1 to 12), day of the month (1 to 31), day of the week
    (Monday is 0), and the hour with its fraction.

    Args:
        column: of the dates.
        when: datetime64 [R].

    Returns:
        "<column> (month)" and the like → numbers.
    """
    missing = np.isnat(when)
    days = when.astype("datetime64[D]")
    numbers = (
        (when - EPOCH) / np.timedelta64(1, "D"),
        when.astype("datetime64[M]").astype(np.int64) % 12 + 1,
        (days - days.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64) + 1,
        (days.astype(np.int64) + 3) % 7,  # 1970-01-01 was a Thursday.
        (when - days) / np.timedelta64(1, "h"),
    )
    return {
        f"{column} ({part})": np.where(missing, np.nan, values.astype(np.float64))
        for part, values in zip(PARTS, numbers, strict=True)
    }


def dates_behind(columns: Sequence[str], there: Sequence[str]) -> dict[str, str]:
    """Columns that are parts of a date → the column of dates that they are made from.

    Args:
        columns: inputs of a model.
        there: columns of a table; what is there under its own name is made from nothing.
    """
    made = {}
    for column in columns:
        part = NAME.fullmatch(column)
        if part is not None and column not in there:
            made[column] = part[1]
    return made
