"""Names of classes as files spell them → class numbers, by the same rules for every source that reads names.

Blanks around a name, letter case and spellings of one number (`1`, `1.0`, `01`) tell no classes apart, unless the
config says that they do; cells that stand for nothing are no label. n rows or samples, k classes.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from decimal import Decimal
from re import fullmatch

import numpy as np
import pandas as pd

from mtl.config.table_file import MISSING_TEXTS
from mtl.data.formats.label_doubts import doubts
from mtl.data.inputs import scratch
from mtl.types import NO_LABEL

NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?"
"""Pattern of class names that count as numbers."""
NEVER = ("", "NaN", "nan")
"""Cells that are no label whatever the config says."""
INVISIBLE = dict.fromkeys(map(ord, "\ufeff\u200b\u200c\u200d\u2060"))
MOST_SPELLINGS = 5
"""Spellings that a note shows."""


def class_numbers(
    cells: Sequence[object] | pd.Series,
    label: str,
    notes: list[str],
    exact: bool = False,
    missing: Sequence[str] | None = None,
) -> tuple[np.ndarray, list[str]]:
    """Class of each cell and the names of the classes; what was unified or left out is added to the notes.

    Args:
        cells: [n] texts or numbers; None and NaN are no label.
        label: the label's name, for the notes.
        notes: of the source.
        exact: every spelling is a class of its own; only empty cells are no label.
        missing: texts that are no label, beside empty cells; None: the usual ones, or none if `exact`.

    Returns:
        [n] int64 class numbers, NO_LABEL where there is none; names in the order of `in_order`.
    """
    codes, distinct = pd.factorize(pd.Series(cells, dtype=object), use_na_sentinel=True)
    return numbers_of_classes(codes, [_text(cell) for cell in distinct], label, notes, exact, missing)


def numbers_of_classes(
    codes: np.ndarray,
    spellings: Sequence[str],
    label: str,
    notes: list[str],
    exact: bool = False,
    missing: Sequence[str] | None = None,
) -> tuple[np.ndarray, list[str]]:
    """The same for cells that are places [n] among their different texts, in the order of the cells; -1 is missing."""
    counts = scratch.counted(codes, len(spellings))
    cleaned = spellings if exact else [cleaned_text(text) for text in spellings]
    usual = () if exact else MISSING_TEXTS
    nothing = {*NEVER, *(usual if missing is None else missing)}
    groups: dict[str, list[int]] = {}
    for number, text in enumerate(cleaned):
        if text not in nothing and text.lower() != "nan":
            groups.setdefault(text if exact else spelling_key(text), []).append(number)
    said = {text: number for number, text in enumerate(cleaned) if text in nothing and text.lower() not in ("", "nan")}
    left_out = {text: int(counts[number]) for text, number in said.items()}
    blank = sum(int(counts[number]) for number, text in enumerate(cleaned) if text.lower() in ("", "nan"))
    empty = len(codes) - int(counts.sum()) + blank
    if empty:
        notes.append(f"{label}: {empty:,} cells without a label.")
    for text, count in left_out.items():
        notes.append(f"{label}: {count} cells {text!r} hold no label.")
    names = _names(groups, cleaned, counts)
    order = {name: number for number, name in enumerate(in_order(names.values()))}
    of_spelling = np.full(len(spellings) + 1, NO_LABEL, dtype=np.int64)  # The last one stands for the code -1.
    for key, members in groups.items():
        of_spelling[members] = order[names[key]]
        _note(label, names[key], {spellings[n]: int(counts[n]) for n in members}, notes)
    if not exact:
        of_class = {names[key]: int(counts[members].sum()) for key, members in groups.items()}
        spelt = {names[key]: [*dict.fromkeys(cleaned[n] for n in members)] for key, members in groups.items()}
        notes += doubts(label, of_class, spelt, [*left_out])
    return scratch.mapped(codes, of_spelling), list(order)


def in_order(names: Iterable[str]) -> list[str]:
    """Names of classes in their order: those that are numbers first, by size, then the others by their letters."""
    return sorted(names, key=lambda name: (0, Decimal(name), name) if is_number(name) else (1, Decimal(0), name))


def numbers_in_order(names: Sequence[str]) -> list[str]:
    """Names whose order is given: by size if all of them are numbers, else as they are."""
    return in_order(names) if all(is_number(name) for name in names) else list(names)


def known_class(name: str, classes: Sequence[str]) -> str | None:
    """The one of the classes that a name means: the same text, or the only one that differs in no more than blanks,
    letter case or the spelling of a number; None if there is none."""
    if name in classes:
        return name
    alike = [known for known in classes if key_of(known) == key_of(name)]
    return alike[0] if len(alike) == 1 else None


def is_number(name: str) -> bool:
    """True for a class name that counts as a number."""
    return fullmatch(NUMBER, name) is not None


def shortest(number: float) -> str:
    """1 for 1.0; else every digit, so that no two numbers share a name."""
    return str(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(number)


def _text(cell: object) -> str:
    """A cell as text: 1 for 1.0, as a label with gaps reads from Parquet."""
    return shortest(float(cell)) if isinstance(cell, float | np.floating) else str(cell)


def cleaned_text(text: str) -> str:
    """The text without blanks around it, each run of blanks in it as one, letters composed."""
    return " ".join(unicodedata.normalize("NFC", text).translate(INVISIBLE).split())


def key_of(text: str) -> str:
    """The same text for all spellings of a name that differ in blanks, letter case or the spelling of a number."""
    return spelling_key(cleaned_text(text))


def spelling_key(text: str) -> str:
    """The same text for all spellings of a class."""
    return f"number {_plain(text)}" if is_number(text) else f"text {text.casefold()}"


def _plain(text: str) -> str:
    """A number in its shortest spelling: 1 for 01, 1.0 and 1e0."""
    sign, digits, exponent = Decimal(text).as_tuple()
    assert isinstance(exponent, int), "the pattern of numbers knows neither infinity nor NaN"
    significant = "".join(map(str, digits)).rstrip("0")
    if not significant.strip("0"):
        return "0"
    # Not `Decimal.normalize`, which rounds to 28 digits.
    number = Decimal((sign, tuple(map(int, significant)), exponent + len(digits) - len(significant)))
    return format(number, "f") if abs(number.adjusted()) <= 20 else str(number)


def _names(groups: dict[str, list[int]], cleaned: Sequence[str], counts: np.ndarray) -> dict[str, str]:
    """The name of each group of spellings: the most frequent one, of equal ones that in small letters. Numbers get
    their shortest as soon as one of them is spelt in several ways."""
    names = {}
    several = any(
        len({cleaned[n] for n in members}) > 1 and is_number(cleaned[members[0]]) for members in groups.values()
    )
    for key, members in groups.items():
        if several and is_number(cleaned[members[0]]):
            names[key] = _plain(cleaned[members[0]])
            continue
        total: dict[str, int] = {}
        for n in members:
            total[cleaned[n]] = total.get(cleaned[n], 0) + int(counts[n])
        names[key] = min(total, key=lambda text: (-total[text], text.swapcase()))
    return names


def _note(label: str, name: str, spellings: dict[str, int], notes: list[str]) -> None:
    """Says which spellings became one class, or that the only one was changed."""
    other = {text: count for text, count in spellings.items() if text != name}
    if not other:
        return
    told = ", ".join(f"{text!r} ({count})" for text, count in list(other.items())[:MOST_SPELLINGS])
    more = f" and {len(other) - MOST_SPELLINGS} more" if len(other) > MOST_SPELLINGS else ""
    notes.append(
        f"{label}: class `{name}` is also spelt {told}{more}, which is the same class here; `exact_labels` tells them "
        "apart."
    )
