"""Options under which a cell can be read that is no number as configured: tried on the file before they are named."""

import json
import re
from collections.abc import Sequence
from itertools import product

import numpy as np
import pandas as pd

from mtl.config.table_file import MISSING_NUMBERS, WHITESPACE
from mtl.config.table_source import TableSource
from mtl.data.formats.marks import Marks
from mtl.data.formats.table import Table
from mtl.data.formats.text_table import raw_rows
from mtl.errors import shown

WAYS = [Marks(decimal, thousands) for decimal, thousands in product(".,", [None, ",", ".", " ", "'", "_"])
        if decimal != thousands]  # fmt: skip
"""Ways to write numbers that the options know."""
ROWS_TRIED = 20_000
AFFIXED = re.compile(r"([^\d+\-.,]*)[+-]?\d[\d.,]*([^\d.,]*)")
"""A number with a sign of money or a unit."""
MINUS = "\u2212\u2010\u2011\u2012\u2013\u2014\ufe63\uff0d"
"""Signs that look like the minus sign of programs, and are none."""
NEGATIVE = re.compile(rf"[{MINUS}] *(\d[\d.,]*)|(\d[\d.,]*) *[-{MINUS}]|\( *(\d[\d.,]*) *\)")
"""A negative number with another sign in front, with a sign behind it, or in brackets as bookkeepers have it."""
CENSORED = re.compile(r"(<|>|<=|>=|≤|≥|&[lg]t;) *[+-]?\d[\d.,]*")
PAIRS = (("yes", "no"), ("y", "n"), ("on", "off"), ("t", "f"), ("open", "closed"), ("ja", "nein"), ("oui", "non"))
"""Words for 1 and 0."""
FEW_COLUMNS = 8
"""Columns that a remedy names one by one."""
MOST_LAST = 5
"""Lines at the end that may be a footer."""
FEW = 6
"""Different texts in a column of numbers that may all stand for a missing value."""


def for_cell(table: Table, column: str, wrong: np.ndarray) -> str:
    """End of the message on a column with cells that are no numbers: what to set, or to do.

    Args:
        table: the file.
        column: of numbers.
        wrong: rows whose cells are none.
    """
    cells = table.frame[column].astype(object)
    texts = [str(cell) for cell in dict.fromkeys(cells.iloc[wrong])]
    return (
        _names_again(table, int(wrong[0]))
        or _footer(table, column, wrong, texts)
        or _quotes(table, texts)
        or _marks(table, column, texts)
        or _minus(texts)
        or _censored(texts)
        or _missing(table, cells, wrong, texts)
        or _affix(texts, int(cells.notna().sum()) - len(wrong))
        or _words(table, column, texts)
    )


def _names_again(table: Table, row: int) -> str:
    """The remedy where a row holds the names of the columns, as where files are laid end to end."""
    held = [str(cell).strip() for cell in table.frame.iloc[row]]
    if table.options.columns is not None or held != [str(name).strip() for name in table.frame.columns]:
        return ""
    return f": the {table.unit} names the columns again, as where files are laid end to end: take it out of the file."


def _footer(table: Table, column: str, wrong: np.ndarray, texts: Sequence[str]) -> str:
    """The remedy where the wrong cells are those of the last rows alone, such as the word `Total` before sums."""
    first, rows = int(wrong[0]), len(table.frame)
    below = rows - first
    if table.text is None or below != len(wrong) or below > MOST_LAST or rows < 3 * below:
        return ""
    if any(NEGATIVE.fullmatch(text.strip()) or CENSORED.fullmatch(text.strip()) for text in texts):
        return ""
    marks = Marks(table.options.decimal_mark, table.options.thousands)
    above = table.frame[column].iloc[:first].dropna()
    if any(re.search(r"\d", text) for text in texts) or any(marks.number(str(cell)) is None for cell in above):
        return ""
    names = json.dumps([*(table.options.missing or []), *(text.strip() for text in texts)], ensure_ascii=False)
    return (
        f": if the file ends in a footer from here on, such as totals, set `skip_footer: {below}`; if the row is data "
        f"and its cell missing, empty it or set `missing: {names}`."
    )


def _quotes(table: Table, texts: Sequence[str]) -> str:
    """The remedy where a blank between separator and quotation mark makes the latter a part of the cell."""
    separator = table.options.separator
    if (
        table.text is None
        or separator == WHITESPACE
        or not all(re.fullmatch(r' +".*', text, re.DOTALL) for text in texts)
    ):
        return ""
    return f": blanks stand before its quotation mark: set `separator: {json.dumps(separator + ' ')}`."


def _minus(texts: Sequence[str]) -> str:
    """The remedy where negative numbers are written otherwise than with - in front."""
    parts = [NEGATIVE.fullmatch(text.strip()) for text in texts]
    if None in parts or not parts or parts[0] is None:
        return ""
    digits = next(group for group in parts[0].groups() if group)
    return f": if it is a negative number, write it and its like with a plain minus sign in front, '-{digits}'."


def _censored(texts: Sequence[str]) -> str:
    """The remedy where a number is known only to lie below or above a limit of its instrument."""
    if not all(CENSORED.fullmatch(text.strip()) for text in texts):
        return ""
    return (
        ": as a value beyond a limit of what can be measured, write a number that stands for it, such as the limit or "
        "half of it, or empty the cell."
    )


def _words(table: Table, column: str, texts: Sequence[str]) -> str:
    """The remedy of last resort: what the column may be instead of one of numbers."""
    if table.options.new_data:
        return ": the model reads numbers here; empty the cell where the number is not known."
    if isinstance(table.options, TableSource):
        return f": empty the cell, or {_as_names(table, column)}; `ignore` leaves the column out."
    small = {text.strip().lower() for text in texts}
    if len(small) == 2 and any(small == {*pair} for pair in PAIRS):
        return ": write 1 and 0 for these, or name the column in `labels` if it is to be predicted."
    rest = [name for name in table.number_columns if name != column and name in table.frame.columns]
    values = f"`values: {json.dumps(rest, ensure_ascii=False)}`" if 0 < len(rest) <= FEW_COLUMNS else "`values`"
    return (
        ": empty the cell, or name the column in `labels` if it holds classes, in `id` if it tells the series of a "
        f"long table apart; {values} without it leaves it out."
    )


def _affix(texts: Sequence[str], plain: int) -> str:
    """The remedy where a sign or a unit stands before or behind every number, or behind some beside `plain` others."""
    parts = [AFFIXED.fullmatch(text.strip()) for text in texts]
    affixes = {(part[1].strip(), part[2].strip()) for part in parts if part is not None}
    if None in parts or len(affixes) != 1:
        return ""
    affix = next(iter(affixes))
    signs = " and ".join(f"{text!r}" for text in affix if text)
    if plain:
        return (
            f", while {plain:,} cells of the column are numbers without {signs}: write all as numbers of one unit, and "
            "leave cells empty that are none."
        )
    return f": write the numbers of this column without {signs}, which `units` may tell."


def _marks(table: Table, column: str, wrong: Sequence[str]) -> str:
    """The remedy where other decimal or thousands marks read the wrong cells, and all others of the file's numbers."""
    now = Marks(table.options.decimal_mark, table.options.thousands)
    known = _cells(table)
    ways = [way for way in WAYS if way != now and all(way.number(text) is not None for text in wrong)]
    if not ways:
        # Markers of missing values stand among them, perhaps: the marks are those that read most of the cells.
        counts = {way: sum(way.number(text) is not None for text in wrong) for way in WAYS if way != now}
        most = max(counts.values())
        ways = [way for way, count in counts.items() if count == most and 2 * most > len(wrong)]
        wrong = [text for text in wrong if any(way.number(text) is not None for way in ways)]
    own = _fitting(ways, [*known.pop(column, []), *wrong])
    others = [fitting for fitting in (_fitting(WAYS, cells) for cells in known.values()) if fitting]
    if not own:
        return ""
    chosen = [way for way in own if all(way in fitting for fitting in others)]
    if not chosen:
        return (
            f", which is {own[0].number(wrong[0]):.15g} with the decimal mark {own[0].decimal!r}, while other columns "
            "are written with other marks: write the file with one decimal mark."
        )
    steps = {way: (way.decimal != now.decimal) + (way.thousands != now.thousands) for way in chosen}
    chosen = [way for way in chosen if steps[way] == min(steps.values())]
    told = [f"{_setting(now, way)} reads {way.number(wrong[0]):.15g}" for way in chosen]
    if len(chosen) == 1:
        return f": {told[0]}."
    return f", which may be either: {', '.join(told[:-1])} and {told[-1]}; set the one that is meant."


def _cells(table: Table) -> dict[str, list[str]]:
    """Column of numbers → its different cells as they are written, without markers of missing values."""
    columns = [name for name in table.number_columns if name in table.frame.columns]
    if table.text is None:
        columns = [name for name in columns if pd.api.types.is_string_dtype(table.frame[name])]
        raw = table.frame[columns].iloc[:ROWS_TRIED]
    else:
        raw = raw_rows(table.text, columns, ROWS_TRIED)
    missing = {*MISSING_NUMBERS, *(table.options.missing or [])}
    return {
        name: [cell for cell in raw[name].dropna().astype(str).unique() if cell.strip() not in missing]
        for name in columns
    }


def _fitting(ways: Sequence[Marks], cells: Sequence[str]) -> list[Marks]:
    """The ways that read every cell that one of the ways reads."""
    numbers = [cell for cell in cells if any(way.number(cell) is not None for way in WAYS)]
    if not numbers:
        return []
    return [way for way in ways if all(way.number(cell) is not None for cell in numbers)]


def _setting(now: Marks, way: Marks) -> str:
    """Settings for a way of writing numbers, as they stand in params.yaml."""
    settings = [] if way.decimal == now.decimal else [f"`decimal: {json.dumps(way.decimal)}`"]
    if way.thousands != now.thousands:
        settings.append(f"`thousands: {json.dumps(way.thousands)}`")
    return " with ".join(settings)


def _missing(table: Table, cells: pd.Series, wrong: np.ndarray, texts: Sequence[str]) -> str:
    """The remedy where a few texts stand among numbers."""
    known = int(cells.notna().sum()) - len(wrong)
    if len(texts) > FEW or known <= len(wrong) or not all(isinstance(cell, str) for cell in cells.iloc[wrong[:1000]]):
        return ""
    marks = Marks(table.options.decimal_mark, table.options.thousands)
    sample = cells.drop(cells.index[wrong]).dropna().iloc[:1000]
    if any(marks.number(str(cell)) is None for cell in sample):
        return ""
    names = json.dumps([*(table.options.missing or []), *(text.strip() for text in texts)], ensure_ascii=False)
    what = shown(texts[0]) if len(texts) == 1 else f"each of {', '.join(map(shown, texts))}"
    if table.options.new_data:  # whose columns are what the model knows them as
        return f": empty the cell; if {what} stands for a missing value, `--set 'missing={names}'` says so."
    return (
        f": empty the cell, or {_as_names(table, str(cells.name))}; if {what} stands for a missing value, set "
        f"`missing: {names}`."
    )


def _as_names(table: Table, column: str) -> str:
    """The setting that makes a column one of names, as a clause."""
    if isinstance(table.options, TableSource):
        return f"set `types: {{{json.dumps(column, ensure_ascii=False)}: category}}` if the column holds names"
    return "name the column in `labels` if it holds classes"
