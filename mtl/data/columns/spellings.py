"""Spellings: names that mean one thing, numbers with other marks, a few texts among numbers."""

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from mtl.data.columns.cells import Texts
from mtl.data.columns.facts import Option
from mtl.data.formats.cell_remedies import NEGATIVE, WAYS
from mtl.data.formats.labels import cleaned_text, spelling_key
from mtl.data.formats.marks import Marks
from mtl.data.formats.table import Table

FEW = 10
"""Different texts that may stand among numbers for a missing value."""
MOSTLY = 0.6
"""Least share of the known rows that are numbers in a column of numbers with a few texts."""
SAMPLE = 1000
MEASURED = re.compile(r"([$€£¥₹]?) ?[+-]?[0-9][0-9.,]* ?([^\s0-9.,+-]{0,6})")
"""A number with a sign of money or a unit."""
MANY_UNITS = 10
"""Different numbers with one unit that are more likely measured than names, such as `4 doors` and `2 doors`."""


def spelled_apart(texts: Texts) -> list[list[str]]:
    """Groups of texts that are one category, since they differ in blanks, letter case or the spelling of a number; the
    most frequent of each group first."""
    groups: dict[str, list[int]] = {}
    for number, text in enumerate(texts.names):
        groups.setdefault(spelling_key(cleaned_text(text)), []).append(number)
    several = [
        sorted(group, key=lambda n: (-texts.counts[n], texts.names[n])) for group in groups.values() if group[1:]
    ]
    several.sort(key=lambda group: (-texts.counts[group].sum(), texts.names[group[0]]))
    return [[texts.names[number] for number in group] for group in several]


def other_marks(table: Table, column: str, texts: Texts) -> tuple[Mapping[str, Option], int]:
    """Options under which all of the texts are numbers, and how many of the texts are numbers in some spelling.

    The options are empty where none are needed, or where several readings are possible.
    """
    now = Marks(table.options.decimal_mark, table.options.thousands)
    if all(now.number(text) is not None for text in texts.names[:SAMPLE]) and all(
        now.number(text) is not None for text in texts.names
    ):
        return {}, len(texts.names)
    ways = [way for way in WAYS if way != now and _reads(way, texts.names[:SAMPLE]) and _reads(way, texts.names)]
    if not ways:
        negative = _negative(texts.names, now) or _measured(texts.names)
        return {}, len(texts.names) if negative else 0
    changes = {way: (way.decimal != now.decimal) + (way.thousands != now.thousands) for way in ways}
    fewest = [way for way in ways if changes[way] == min(changes.values())]
    options: dict[str, Option] = {}
    if len(fewest) == 1:
        if fewest[0].decimal != now.decimal:
            options["decimal"] = fewest[0].decimal
        if fewest[0].thousands is not None and fewest[0].thousands != now.thousands:
            options["thousands"] = fewest[0].thousands
    return options, len(texts.names)


def stray_texts(table: Table, texts: Texts) -> list[str]:
    """The few texts in a column that holds numbers otherwise; none if there are many, or if they are as frequent."""
    now = Marks(table.options.decimal_mark, table.options.thousands)
    if now == Marks():
        # The fast way first: most columns of texts hold no number.
        wrong = np.flatnonzero(pd.to_numeric(pd.Series(texts.names, dtype=object), errors="coerce").isna().to_numpy())
    else:
        wrong = np.flatnonzero([now.number(text) is None for text in texts.names])
    if not 0 < len(wrong) <= FEW or len(texts.names) - len(wrong) < len(wrong):
        return []
    if texts.counts[wrong].sum() > (1 - MOSTLY) * texts.counts.sum():
        return []
    return sorted(texts.names[number] for number in wrong)


def _reads(way: Marks, names: list[str]) -> bool:
    return all(way.number(text) is not None for text in names)


def _negative(names: list[str], now: Marks) -> bool:
    """True for numbers of which some have another minus sign, a sign behind, or brackets."""
    plain = [now.number(text) is not None for text in names]
    return any(plain) and all(
        number or NEGATIVE.fullmatch(text) is not None for number, text in zip(plain, names, strict=True)
    )


def _measured(names: list[str]) -> bool:
    """True for many different numbers with one sign of money in front or one unit behind: `P5` and `room 5` are
    names."""
    first = MEASURED.fullmatch(names[0])
    if len(names) < MANY_UNITS or first is None or not (first[1] or first[2]):
        return False
    parts = (MEASURED.fullmatch(text) for text in names)
    return all(part is not None and part.groups() == first.groups() for part in parts)
