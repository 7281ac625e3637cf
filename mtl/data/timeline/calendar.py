"""Fields of dates and times, as whole columns of numbers, to one number a row.

R rows.
"""

from collections.abc import Mapping

import numpy as np

from mtl.data.timeline.units import PER_SECOND, Unit

Fields = Mapping[str, np.ndarray]
"""Directive of strftime → int64 numbers [R]: Y or y, m, d (or j, the day of the year, or V and u, week and day of ISO
8601), and where there are any H, M, S, f (nanoseconds), p (0: AM, 1: PM), z (minutes east of UTC)."""
CENTURY = 69
"""The first two-digit year of the 20th century: 69 to 99 are 1969 to 1999, 00 to 68 are 2000 to 2068 (POSIX)."""
MONTH_DAYS = np.array([0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


def times(fields: Fields, unit: Unit) -> tuple[np.ndarray, np.ndarray]:
    """Time since 1970 in `unit` [R], and the mask of the rows that are possible dates and times [R].

    An hour of 24:00:00 is the midnight that ends its day; an hour of 12 AM is midnight, of 12 PM is noon. Offsets from
    UTC are taken off.
    """
    zero = np.zeros_like(next(iter(fields.values())))
    day, possible = _days(fields, zero)
    hour, minute, second = (fields.get(name, zero) for name in "HMS")
    fraction, offset = fields.get("f", zero), fields.get("z", zero)
    possible &= (minute < 60) & (second < 60)
    possible &= np.abs(offset) < 24 * 60
    if "p" in fields:
        possible &= hour <= 12
        hour = hour % 12 + 12 * fields["p"]
    possible &= (hour < 24) | ((hour == 24) & (minute == 0) & (second == 0) & (fraction == 0))
    seconds = ((day * 24 + hour) * 60 + minute - offset) * 60 + second
    per_second = PER_SECOND[unit]
    possible &= np.abs(seconds) < (2**63 - 1) // per_second
    return np.where(possible, seconds, 0) * per_second + fraction // (10**9 // per_second), possible


def _days(fields: Fields, zero: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Days since 1970-01-01 [R], and the mask of the rows that are possible dates [R]."""
    year = full_year(fields)
    possible = year >= 1
    if "V" in fields:
        week, weekday = fields["V"], fields.get("u", zero + 1)
        fourth = days(year, zero + 1, zero + 4)  # The week of January 4 is the first; 1970-01-01 was a Thursday.
        monday = fourth - (fourth + 3) % 7 + 7 * (week - 1)
        possible &= (week >= 1) & (weekday >= 1) & (weekday <= 7) & (monday + 3 < days(year + 1, zero + 1, zero + 1))
        return monday + weekday - 1, possible
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    if "j" in fields:
        possible &= (fields["j"] >= 1) & (fields["j"] <= 365 + leap)
        return days(year, zero + 1, zero + 1) + fields["j"] - 1, possible
    month, day = fields["m"], fields.get("d", zero + 1)
    possible &= (month >= 1) & (month <= 12) & (day >= 1)
    safe_month = np.where(possible, month, 1)
    possible &= day <= MONTH_DAYS[safe_month] - ((safe_month == 2) & ~leap)
    return days(year, safe_month, day), possible


def full_year(fields: Fields) -> np.ndarray:
    """The year [R]; a two-digit one by the rule of CENTURY."""
    if "Y" in fields:
        return fields["Y"]
    return fields["y"] + np.where(fields["y"] >= CENTURY, 1900, 2000)


def days(year: np.ndarray, month: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Days since 1970-01-01 in the Gregorian calendar [R]: years begin in March, so that leap days end them."""
    year = year - (month <= 2)
    century, month = year // 100, (month + 9) % 12
    number: np.ndarray = year * 365 + year // 4 - century + century // 4 + (month * 153 + 2) // 5 + day - 719_469
    return number
