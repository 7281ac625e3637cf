"""Time stamps as people and programs write them, in the plainest spelling of the same: no accents, no ordinals, no
other digits than 0 to 9, offsets for names of time zones, the beginning of a span for the span."""

import re
import unicodedata
from collections.abc import Sequence

from mtl.data.timeline.words import ZONES

LETTERS = str.maketrans({"ø": "o", "Ø": "O", "æ": "ae", "ß": "ss", "ı": "i", "年": "-", "月": "-", "日": "", "号": "",
                         "년": "-", "월": "-", "일": "", "時": ":", "时": ":", "시": ":", "\u2010": "-", "\u2011": "-",
                         "\u2012": "-", "\u2013": "-", "\u2212": "-"})  # fmt: skip
"""Letters that Unicode takes apart in no other way, marks of years, months, days and hours in East Asia, hyphens."""
MINUTES = re.compile(r"(:[0-9]{1,2})(?:分|분) *(?:([0-9]{1,2})(?:秒|초))?")
ORDINAL = re.compile(r"(?<=[0-9])(?:st|nd|rd|th|er|º|o|ª)(?=[ ,]|$)", re.IGNORECASE)
HALF = re.compile(r"(?<![A-Za-z])([ap])\.? ?m\b\.?", re.IGNORECASE)
POINT = re.compile(r"(?<=[A-Za-z])\.(?=[ ,]|$)")
"""The point of an abbreviation, which names of few letters do not have in the same column: 3 avr. 2020, 3 mai 2020."""
PREPOSITION = re.compile(r"(?<= )(?:de|del|of|den)(?: |$)|^(?:den|le|el) ", re.IGNORECASE)
CLOCK = re.compile(r"(?<=[0-9]) ?(?:uhr|h|hrs)$", re.IGNORECASE)
HOUR = re.compile(r"(?<=[0-9])h(?=[0-9]{2}\b)", re.IGNORECASE)
ZONE = re.compile(rf" ?\(?\b({'|'.join(ZONES)})\b\)?(?=$| [0-9]{{4}}$)")
"""A zone at the end, or before the year that ends a stamp of the C library."""
SPAN = re.compile(r"(.*[0-9].*?)(?: +- +| - | to | bis |/)(.*[0-9].*)", re.IGNORECASE)
DIGIT = re.compile(r"[0-9]")
FEWEST_DIGITS = 3
"""Digits of both ends of a span: a time is the least."""


def plain(cells: Sequence[str]) -> list[str]:
    """The same stamps in their plainest spelling; those that are plain already are left as they are."""
    cells = [cell if cell.isascii() else _ascii(cell) for cell in cells]
    cells = _beginnings(cells)
    return [_plain(cell) for cell in cells]


def _ascii(cell: str) -> str:
    text = unicodedata.normalize("NFKC", cell).translate(LETTERS)
    text = MINUTES.sub(lambda match: match[1] + (f":{match[2]}" if match[2] else ""), text)
    text = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in text if not unicodedata.combining(letter)).strip()


def _plain(cell: str) -> str:
    text = ORDINAL.sub("", cell)
    text = HALF.sub(r"\1m", text)
    text = PREPOSITION.sub("", POINT.sub("", text))
    text = HOUR.sub(":", CLOCK.sub("", text))
    return " ".join(ZONE.sub(_offset, text).split())


def _offset(zone: re.Match[str]) -> str:
    blank = " " if zone.end() < len(zone.string) else ""
    return blank + ZONES[zone[1]]


def _beginnings(cells: Sequence[str]) -> list[str]:
    """Beginnings of spans such as 01.01.2020 00:00 - 01.01.2020 01:00, if all cells are spans whose second end is
    written as the first, or as a time of it."""
    ends = []
    for cell in cells:
        match = SPAN.fullmatch(cell)
        if match is None:
            return list(cells)
        first, last = match[1].strip(), match[2].strip()
        digits = [len(DIGIT.findall(end)) for end in (first, last)]
        alike = _shape(first) == _shape(last) or _shape(first).endswith(_shape(last))
        if min(digits) < FEWEST_DIGITS or digits[0] < 2 * FEWEST_DIGITS or not alike:
            return list(cells)
        ends.append(first)
    return ends


def _shape(text: str) -> str:
    """The text with each number as 0: an hour may have one digit or two; without a zone behind it."""
    return re.sub("[0-9]+", "0", ZONE.sub("", text))
