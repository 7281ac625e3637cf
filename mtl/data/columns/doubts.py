"""Columns that could be read without an error as something else than they are: times as plain numbers, ids that a
spreadsheet cut, dates of several forms as names. Each gets a sentence, with what reads it right.

D different cells.
"""

import json
import re
from collections.abc import Sequence

import numpy as np

from mtl.data.columns.names import DATE, has_id_name, is_code_of_many_digits, names_time
from mtl.data.timeline.digits import unix_unit
from mtl.data.timeline.excel_days import excel_date
from mtl.data.timeline.readings import Reading, read_every_form
from mtl.data.timeline.units import PER_SECOND

SERIALS = (30_000, 60_000)
"""Days from 1982 to 2064 as spreadsheets count them."""
UNITS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
CUT = re.compile(r"[0-9](?:[.,][0-9]{1,5})?[eE]\+?(1[1-9]|2[0-9])")
"""A whole number as spreadsheets show one of twelve digits or more: the first six of them."""
CUT_FROM = 1e11
SAMPLE = 1000
LEAST = 4
"""Different dates that a column of several forms holds at least."""
BOTH, EACH = 0.95, 0.02
"""Share of the texts that the forms read together, and that each reads at least beside those before it."""
COUNTS = ("one", "two", "three", "four")
YEAR = re.compile(r"\b(1[89]|20)[0-9]{2}\b")


def time_doubt(column: str, known: np.ndarray) -> str | None:
    """A sentence on numbers that are times by their size and by their column's name; None if they are not.

    Args:
        column: its name.
        known: the numbers, without missing ones.
    """
    if not len(known) or not names_time(column):
        return None
    low, high = float(known.min()), float(known.max())
    name = json.dumps(column, ensure_ascii=False)
    takes = f"`types: {{{name}: number}}` says that they are numbers"
    if SERIALS[0] <= low and high <= SERIALS[1]:
        return (
            f"its numbers are days as spreadsheets count them, {excel_date(low)} to {excel_date(high)}, by its name: "
            f"`date_format: {{{name}: excel}}` reads them as dates, {takes}"
        )
    unit = unix_unit(known)
    if unit is None:
        return None
    first, last = (str(np.datetime64(int(end // PER_SECOND[unit]), "s")).replace("T", " ") for end in (low, high))
    return (
        f"its numbers are {UNITS[unit]} since 1970, {first} to {last}, by its name: `types: {{{name}: date}}` reads "
        f"them as times, {takes}"
    )


def cut_example(column: str, cells: Sequence[str]) -> str | None:
    """A cell of a column whose ids have lost their last digits in a spreadsheet, as 1.2E+15 has; None for others.

    Args:
        column: its name.
        cells: the different ones as they are written [D].
    """
    cut = [cell for cell in cells if CUT.fullmatch(cell.strip())]
    if not cut:
        return None
    if has_id_name(column) or is_code_of_many_digits(column):
        return cut[0].strip()
    sizes = {cell.strip().lower().partition("e")[2].lstrip("+") for cell in cut}
    # Measurements are seldom all of one size, and written so.
    return cut[0].strip() if len(cut) == len(cells) >= LEAST and len(sizes) == 1 else None


def cut_doubt(column: str, example: str) -> str:
    """A sentence on ids that were cut."""
    return (
        f"a spreadsheet left out the last digits of its cells, such as {example}, so that different ones may be equal "
        "now, and the column is no input: format it as text before the file is saved as CSV, or, if these are amounts, "
        f"say `types: {{{json.dumps(column, ensure_ascii=False)}: number}}`"
    )


def mixed_forms(texts: Sequence[str]) -> str | None:
    """A clause on the forms of dates that texts are mixed of, from two to four; None where they are not.

    Args:
        texts: the different ones [D], of which no form reads most.
    """
    some = list(texts[:: max(1, len(texts) // SAMPLE)])[:SAMPLE]
    if len(some) < LEAST or sum(DATE.match(text) is not None or bool(YEAR.search(text)) for text in some) < BOTH * len(
        some
    ):
        return None
    left, read = read_every_form(some), np.zeros(len(some), dtype=bool)
    mixed: list[Reading] = []
    while left and len(mixed) < len(COUNTS):
        reading = max(left, key=lambda reading: int((reading.reads & ~read).sum()))
        if (reading.reads & ~read).mean() < EACH:
            break
        mixed.append(reading)
        read |= reading.reads
    if len(mixed) < 2 or read.mean() < BOTH:
        return None
    *most, last = [
        _shown(reading, some, reading.reads & ~np.any([other.reads for other in mixed if other is not reading], axis=0))
        for reading in mixed
    ]
    return f"dates in {COUNTS[len(mixed) - 1]} forms, {', '.join(most)} and {last}, of which a column should have one"


def _shown(reading: Reading, texts: Sequence[str], reads: np.ndarray) -> str:
    """The form with a text that it reads, if possible one that the other form does not read."""
    rows = np.flatnonzero(reads if reads.any() else reading.reads)
    return f"{reading.name} ({texts[int(rows[0])]})"
