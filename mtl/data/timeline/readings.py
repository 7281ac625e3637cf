"""Every form that a column of time stamps may be written in, and the times that its rows have under each.

A column is read as a whole: its characters are a matrix, rows of one shape share the places of their fields, and each
form reads a shape in a few operations on whole columns. R rows, W characters of the longest.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from mtl.data.timeline.calendar import full_year, times
from mtl.data.timeline.grammar import Form, forms
from mtl.data.timeline.plain import plain
from mtl.data.timeline.units import PER_SECOND, Unit
from mtl.data.timeline.words import MONTH_NUMBERS, classes_of

LONGEST = 64
"""Characters of the longest stamp that is looked at: RFC 2822 takes 31, with names in full 45."""
MOST_SHAPES = 200
"""Shapes of a column that are looked at: numbers without padding and names in full make some 60."""
PLAUSIBLE = (1900, 2100)
"""First and last year of dates that are written as digits alone: what is outside is a number."""
MIDNIGHT = "dates alone as midnight"
DIGITS = 10
ZERO, LETTER = ord("0"), ord("a")


@dataclass(frozen=True)
class Reading:
    """The rows of a column under one form."""

    name: str
    """The form, as `date_format` names it."""
    when: np.ndarray
    """int64 [R]: time since 1970 in `unit`; means nothing where the form does not read the row."""
    reads: np.ndarray
    """bool [R]: the rows that the form reads as a possible date and time."""
    unit: Unit
    aware: bool = False
    """The stamps tell their offset from UTC."""
    remark: str = ""
    """Clause on what was made of stamps that do not have the form as it stands."""

    @property
    def whole(self) -> bool:
        return bool(self.reads.all())


class Characters:
    """The characters of a column of stamps, by shape.

    Args:
        cells: text of each row, without blanks at the ends.
    """

    def __init__(self, cells: Sequence[str]) -> None:
        self.rows = len(cells)
        widths = np.fromiter(map(len, cells), dtype=np.int64, count=self.rows)
        usable = (widths > 0) & (widths <= LONGEST)
        kept = cells if usable.all() else [cell if use else "" for cell, use in zip(cells, usable, strict=True)]
        text = np.array(kept, dtype=f"U{max(1, int(widths[usable].max(initial=1)))}")
        codes = text.view(np.uint32).reshape(self.rows, -1)
        usable &= (codes < 128).all(axis=1)
        self.codes = np.where(codes < 128, codes, 0).astype(np.uint8)
        self.usable = usable

    def shapes(self) -> Iterator[tuple[np.ndarray, str]]:
        """Rows and shape of each group of stamps that are alike; stamps that are like no date are left out."""
        small = self.codes | 0x20  # Small letters; digits, points, slashes, hyphens and colons stay.
        drawn = self.codes.copy()
        drawn[(drawn >= ZERO) & (drawn < ZERO + DIGITS)] = ZERO
        drawn[(small >= LETTER) & (small <= ord("z")) & (self.codes >= ord("A"))] = LETTER
        left = np.flatnonzero(self.usable)
        for _ in range(MOST_SHAPES):
            if not len(left):
                return
            alike = (drawn[left] == drawn[left[0]]).all(axis=1) if len(left) > 1 else np.ones(1, dtype=bool)
            rows, left = left[alike], left[~alike]
            yield from self._by_words(rows, bytes(drawn[rows[0]]).rstrip(b"\0").decode("ascii"))

    def _by_words(self, rows: np.ndarray, shape: str) -> Iterator[tuple[np.ndarray, str]]:
        """The group with the words of its shape named by their class; none where a word is unknown."""
        spans = [match.span() for match in re.finditer("a+", shape)]
        letters = []
        for start, stop in spans:
            words = np.unique(self.words(rows, start, stop)).tolist()
            classes = [letter for letter in classes_of(words[0]) if all(letter in classes_of(word) for word in words)]
            if not classes:
                return
            letters.append(classes)
        named = [_named(shape, spans, choice) for choice in product(*letters)]
        yield rows, named[0] if len(named) == 1 else next((other for other in named if forms(other)), named[0])

    def words(self, rows: np.ndarray, start: int, stop: int) -> np.ndarray:
        """Small letters in a span of each row."""
        span = np.ascontiguousarray(self.codes[rows, start:stop] | 0x20)
        return span.view(f"S{stop - start}").reshape(-1).astype(str)

    def number(self, rows: np.ndarray, start: int, stop: int) -> np.ndarray:
        """The number that the digits in a span of each row make."""
        number = np.zeros(len(rows), dtype=np.int64)
        for place in range(start, stop):
            number = number * 10 + (self.codes[rows, place] - ZERO)
        return number


def _named(shape: str, spans: Sequence[tuple[int, int]], letters: Sequence[str]) -> str:
    """The shape with a letter for its class in the place of each letter of a word."""
    for (start, stop), letter in zip(spans, letters, strict=True):
        shape = shape[:start] + letter * (stop - start) + shape[stop:]
    return shape


def read_every_form(cells: Sequence[str]) -> list[Reading]:
    """A reading for each form that reads a row, those first that the first rows have.

    A form that puts the day between year and month counts only where no other form reads all rows. Where no form reads
    all of them as they stand, they are read in their plainest spelling, and dates alone among times as midnight.
    """
    readings = _readings(cells)
    if any(reading.whole for reading in readings):
        return readings
    plainest = plain(cells)
    spans = bool(plainest) and len(plainest[0]) < 0.7 * len(cells[0])
    if plainest != list(cells):
        others = _readings(plainest)
        if _most(others) > _most(readings):
            beginnings = ", at the beginning of each span" if spans else ""
            readings = [replace(reading, remark=beginnings) for reading in others]
    return [*readings, *([] if any(reading.whole for reading in readings) else _with_midnights(readings))]


def _most(readings: Sequence[Reading]) -> int:
    return max((int(reading.reads.sum()) for reading in readings), default=0)


def _with_midnights(readings: Sequence[Reading]) -> list[Reading]:
    """Readings of dates with times and of dates alone, where the latter stand for all midnights, as programs write
    them that leave out a time of zeros."""
    joined = []
    for timed in readings:
        day = np.int64(24 * 3600 * PER_SECOND[timed.unit])
        for dates in readings:
            behind = timed.name.removeprefix(dates.name)
            if not dates.reads.any() or behind == timed.name or not re.match(r"(T|[ ,_:-]+)%[HI]", behind):
                continue
            midnights = timed.reads & (timed.when % day == 0)
            if midnights.any() or not (timed.reads | dates.reads).all():
                continue
            count = int(dates.reads.sum())
            remark = f"{timed.remark}, with {count:,} {MIDNIGHT}"
            when = np.where(timed.reads, timed.when, dates.when)
            joined.append(replace(timed, when=when, reads=timed.reads | dates.reads, remark=remark))
    return joined


def _readings(cells: Sequence[str]) -> list[Reading]:
    """A reading for each form that reads a row of the cells as they stand."""
    characters = Characters(cells)
    groups = [(rows, shape, forms(shape)) for rows, shape in characters.shapes()]
    slots = [slot for *_, known in groups for form in known for slot in form.slots]
    unit: Unit = "ns" if any(name == "f" and stop - start > 6 for name, start, stop in slots) else "us"
    readings: dict[str, Reading] = {}
    unusual = set()
    for rows, _, known in groups:
        for form in known:
            if form.name not in readings:
                when, reads = np.zeros(characters.rows, dtype=np.int64), np.zeros(characters.rows, dtype=bool)
                readings[form.name] = Reading(form.name, when, reads, unit, form.aware)
                unusual |= {form.name} if form.unusual else set()
            reading = readings[form.name]
            reading.when[rows], reading.reads[rows] = times_of(characters, rows, form, unit)
    usual = [reading for name, reading in readings.items() if name not in unusual]
    return usual if any(reading.whole for reading in usual) else list(readings.values())


def times_of(characters: Characters, rows: np.ndarray, form: Form, unit: Unit) -> tuple[np.ndarray, np.ndarray]:
    """Times of rows of one shape under one form, and which of them are possible."""
    fields: dict[str, np.ndarray] = {}
    for directive, start, stop in form.slots:
        if directive == "b":
            names, place = np.unique(characters.words(rows, start, stop), return_inverse=True)
            numbers = [MONTH_NUMBERS[name] for name in names]
            fields["m"] = np.array(numbers, dtype=np.int64)[place.reshape(-1)]
        elif directive == "p":
            fields["p"] = (characters.codes[rows, start] | 0x20 == ord("p")).astype(np.int64)
        elif directive == "z":
            fields["z"] = _offset(characters, rows, start, stop)
        elif directive == "f":
            fields["f"] = characters.number(rows, start, stop) * 10 ** (9 - (stop - start))
        elif directive == "q":
            quarter = characters.number(rows, start, stop)
            fields["m"] = np.where(quarter <= 4, quarter * 3 - 2, 13)
        else:
            fields[directive] = characters.number(rows, start, stop)
    when, possible = times(fields, unit)
    if _among_digits(form):
        year = full_year(fields)
        possible &= (year >= PLAUSIBLE[0]) & (year <= PLAUSIBLE[1])
    return when, possible


def _among_digits(form: Form) -> bool:
    """A year of four digits stands next to the digits of another field."""
    year = next(((start, stop) for name, start, stop in form.slots if name == "Y"), None)
    return year is not None and any(
        stop == year[0] or start == year[1] for name, start, stop in form.slots if name in "mdH"
    )


def _offset(characters: Characters, rows: np.ndarray, start: int, stop: int) -> np.ndarray:
    """Minutes east of UTC of a span such as +01:00, -0530 or GMT+01."""
    text = bytes(characters.codes[rows[0], start:stop]).decode("ascii")
    sign = max(text.find("+"), text.find("-"))
    hours = characters.number(rows, start + sign + 1, start + sign + 3)
    minutes = (
        characters.number(rows, stop - 2, stop) if stop - start - sign > 3 else np.zeros(len(rows), dtype=np.int64)
    )
    east: np.ndarray = (hours * 60 + minutes) * (-1 if text[sign] == "-" else 1)
    return east
