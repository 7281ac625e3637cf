"""Forms of time stamps, as `date_format` names them."""

import re

ISO = "ISO8601"
"""Year, month and day in this order, with or without a time."""
NUMBER = "number"
"""Seconds, or the number of a step, even where the digits could be a date."""
EXCEL = "excel"
"""Days since the end of 1899, as spreadsheets count them, with the time of day behind the point."""
YEAR, MONTH, HOUR = "YyGcxDFs", "mbBhjWUVcxDFs", "HIkTRrcXs"
"""Directives of strftime that tell a year, a month (or a place in the year), an hour."""


def date_format_problem(form: str) -> str | None:
    """Reason why time stamps read in this form would come in a wrong order, as a sentence; None if there is none."""
    if form in (ISO, NUMBER, EXCEL):
        return None
    directives = set(re.findall(r"%-?([A-Za-z])", form.replace("%%", "")))
    if not directives & set(YEAR):
        return f"should have a year, as in %d.%m.%Y %H:%M, or be {ISO}, {NUMBER} or {EXCEL}; found {form!r}"
    if "d" in directives and not directives & set(MONTH):
        return f"should have a month (%m, or %b for its name) beside the day: %M is the minute; found {form!r}"
    if "M" in directives and not directives & set(HOUR):
        return f"should have an hour (%H) beside the minute %M: %m is the month; found {form!r}"
    if "p" in directives and not directives & set("Ir"):
        return f"should have %I beside %p: %H would take 1 PM for 1 AM; found {form!r}"
    if "I" in directives and "p" not in directives:
        return f"should have %p beside %I, or %H for hours from 0 to 23; found {form!r}"
    return None
