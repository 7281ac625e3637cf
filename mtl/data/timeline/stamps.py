"""The column of time stamps of a table, as numbers that can be compared: one form for all rows, proved on all of them.

R rows.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import overload

import numpy as np
import pandas as pd

from mtl.config.date_format import EXCEL, ISO, NUMBER
from mtl.config.sources import SeriesSource
from mtl.data.formats.table import Table
from mtl.data.timeline.calendar import CENTURY
from mtl.data.timeline.digits import is_counter, read_digits, unix_unit
from mtl.data.timeline.evidence import proved
from mtl.data.timeline.excel_days import excel_days
from mtl.data.timeline.formats import same_form
from mtl.data.timeline.readings import MIDNIGHT, Reading, read_every_form
from mtl.data.timeline.units import PER_SECOND, Unit
from mtl.data.timeline.words import LANGUAGES
from mtl.errors import DataError, shown

MOST_YEARS = 98
"""Longest time between stamps with years of two digits: one that passes 1968 and 1969 seems to last a century."""
MOST_UNREAD = 6
"""Different texts that may all stand for no date."""
MOST_SHOWN = 4
"""Forms that a message shows."""


@dataclass(frozen=True)
class Stamps:
    """Times of the rows."""

    when: np.ndarray
    """[R] int64, or float64 where the stamps are numbers with decimals."""
    unit: Unit | None
    """Unit of `when`, counted from 1970; None for the number of a step."""
    local: bool
    """The stamps tell no offset from UTC: they are times of the clock at their place."""
    form: str | None = None
    """The form of text that every row proved, as `date_format` may name it; None where it was named, or is none."""


def read_stamps(table: Table, config: SeriesSource, groups: np.ndarray | None, notes: list[str]) -> Stamps:
    """Times of the rows of `config.date_column`: `column_stamps` of the column and form that the source names."""
    return column_stamps(table, str(config.date_column), config.date_format, groups, notes)


def column_stamps(
    table: Table, column: str, date_format: str | None, groups: np.ndarray | None, notes: list[str]
) -> Stamps:
    """Times of the rows of a column.

    Args:
        table: the rows as they stand in the file.
        column: of time stamps.
        date_format: their form; None: the one that all rows prove.
        groups: series of each row [R], if the table holds several.
        notes: takes a sentence on the form, unless it is ISO 8601 or named by `date_format`.

    Raises:
        DataError: an empty cell, one that is no time stamp, two forms in one column, or several forms of which nothing
            proves one.
    """
    cells = table.frame[column]
    empty = np.flatnonzero(cells.isna().to_numpy())
    if len(empty):
        rest = table.frame.iloc[int(empty[0])].isna().all()
        remedy = "the row holds nothing, leave it out of the file" if rest else "fill it in, or leave the row out"
        raise DataError(f"{table.at(int(empty[0]), column)}: the time stamp is missing: {remedy}.")
    if pd.api.types.is_datetime64_any_dtype(cells):
        dates = cells.dt
        return Stamps(cells.astype("int64").to_numpy(), dates.unit, local=dates.tz is None)
    if isinstance(cells.dtype, pd.CategoricalDtype) and date_format is None:
        readings = _of_different(cells)
        if readings:
            codes, different = pd.factorize(cells)
            return _one_form(table, column, _Rows(codes, _text(pd.Series(different.tolist()))), readings, groups, notes)
    text = _text(cells)
    if date_format == EXCEL:
        return Stamps(excel_days(table, column, text), "ms", local=True)
    numbers = _numbers(text)
    if numbers is not None and date_format in (None, NUMBER):
        infinite = np.flatnonzero(~np.isfinite(numbers))
        if len(infinite):
            row = int(infinite[0])
            raise DataError(f"{table.at(row, column)}: should be a finite time stamp, found {shown(cells.iloc[row])}.")
        counted = date_format == NUMBER or not all(map(str.isdigit, text)) or is_counter(numbers)
        readings = [] if counted else _distinct(read_digits(text))
        if not readings:
            return _as_numbers(numbers, text, column, notes)
        return _one_form(table, column, text, readings, groups, notes)
    if date_format == NUMBER:
        row = _first_text(text)
        raise DataError(
            f"{table.at(row, column)}: should be a number (`date_format: {NUMBER}`), found {shown(text[row])}."
        )
    if date_format is not None:
        return _in_form(table, column, text, date_format)
    readings = read_every_form(text)
    whole = _distinct([reading for reading in readings if reading.whole])
    if not whole:
        raise _unreadable(table, column, text, readings)
    return _one_form(table, column, text, whole, groups, notes)


class _Rows(Sequence[str]):
    """Text of each row [R], as its place among the different ones."""

    def __init__(self, codes: np.ndarray, different: list[str]) -> None:
        self._codes, self._different = codes, different

    def __len__(self) -> int:
        return len(self._codes)

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> list[str]: ...
    def __getitem__(self, row: int | slice) -> str | list[str]:
        codes = self._codes[row]
        return [self._different[code] for code in codes] if isinstance(row, slice) else self._different[codes]


def _of_different(cells: pd.Series) -> list[Reading]:
    """The different readings of all rows, found from their different texts; none where rows may have to be counted, or
    texts are numbers, whose order tells."""
    codes, different = pd.factorize(cells)
    text = _text(pd.Series(different.tolist()))
    if _numbers(text) is not None:
        return []
    whole = _distinct([reading for reading in read_every_form(text) if reading.whole])
    if any(MIDNIGHT in reading.remark for reading in whole):
        return []
    return [replace(reading, when=reading.when[codes], reads=reading.reads[codes]) for reading in whole]


def _text(cells: pd.Series) -> list[str]:
    """Text of each cell without blanks at its ends; whole numbers without a point."""
    if pd.api.types.is_float_dtype(cells):
        numbers = cells.to_numpy(dtype=np.float64)
        if np.isfinite(numbers).all() and (numbers % 1 == 0).all() and np.abs(numbers).max() < 2**63:
            return [str(number) for number in numbers.astype(np.int64).tolist()]
    text = [cell if isinstance(cell, str) else str(cell) for cell in cells.tolist()]
    if any(cell != cell.strip() for cell in text):
        text = [cell.strip() for cell in text]
    if all(cell.endswith(".0") and cell[:-2].isdigit() for cell in text):
        text = [cell[:-2] for cell in text]
    return text


def _numbers(text: list[str]) -> np.ndarray | None:
    """The stamps as float64 [R] if all of them are numbers."""
    if not text or pd.isna(pd.to_numeric(text[:1], errors="coerce")[0]):
        return None
    numbers = pd.to_numeric(pd.Series(text, dtype=object), errors="coerce")
    return None if numbers.isna().any() else numbers.to_numpy(dtype=np.float64)


def _as_numbers(numbers: np.ndarray, text: list[str], column: str, notes: list[str]) -> Stamps:
    """Seconds since 1970 or the like, or the number of a step."""
    unit = unix_unit(numbers)
    if unit is not None:
        words = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}[unit]
        notes.append(f"{column}: time stamps were read as {words} since 1970.")
    whole = all(cell.removeprefix("-").isdigit() for cell in text) and np.abs(numbers).max() < 2**63
    return Stamps(np.array([int(cell) for cell in text]) if whole else numbers, unit, local=False)


def _distinct(readings: list[Reading]) -> list[Reading]:
    """The readings without those that give every row the time of an earlier one."""
    kept: list[Reading] = []
    for reading in readings:
        if not any(np.array_equal(reading.when, other.when) for other in kept):
            kept.append(reading)
    return kept


def _one_form(
    table: Table,
    column: str,
    text: Sequence[str],
    readings: list[Reading],
    groups: np.ndarray | None,
    notes: list[str],
) -> Stamps:
    """The one form that reads every row, or that the steps between rows prove."""
    reading = readings[0] if len(readings) == 1 else proved(readings, groups)
    if reading is None:
        raise DataError(_ambiguous(table, column, text, readings))
    _check_century(table, column, text, reading)
    if not reading.name.startswith(ISO) or reading.remark:
        reason = "reads every row" if len(readings) == 1 else "makes their steps regular"
        century = f"; two-digit years from {CENTURY} on are of 19{CENTURY} to 1999, others of 2000 to 20{CENTURY - 1}"
        two_digits = century if "%y" in reading.name else ""
        form = f"{reading.name}{reading.remark}"
        notes.append(f"{column}: time stamps were read as {form}, the only form that {reason}{two_digits}.")
    return Stamps(reading.when, reading.unit, local=not reading.aware, form=reading.name)


def _check_century(table: Table, column: str, text: Sequence[str], reading: Reading) -> None:
    """Raises a DataError where years of two digits go through 1968 and 1969, which would be read as 2068 and 1969."""
    first, last = int(reading.when.argmin()), int(reading.when.argmax())
    years = int(reading.when[last] - reading.when[first]) / (365.25 * 24 * 3600 * PER_SECOND[reading.unit])
    if "%y" in reading.name and years > MOST_YEARS:
        raise DataError(
            f"{table.at(last, column)}: {shown(text[last])} would be read as {_said(reading, last)}, and "
            f"{shown(text[first])} as {_said(reading, first)}: years before 19{CENTURY} should have four digits."
        )


def _ambiguous(table: Table, column: str, text: Sequence[str], readings: list[Reading]) -> str:
    """Message on several forms that read every row: how each reads the first row, the last, and one they differ in."""
    last = len(text) - 1
    differ = np.flatnonzero(np.any([reading.when != readings[0].when for reading in readings[1:]], axis=0))
    between = differ[(differ > 0) & (differ < last)]
    rows = list(dict.fromkeys([0, *(between[:1].tolist() or differ[:1].tolist()), last]))
    ways = []
    for reading in readings[:MOST_SHOWN]:
        read = [f"{shown(text[row])} as {_said(reading, row)}" for row in rows]
        ways.append(f"{shown(reading.name)} reads " + ", ".join(read))
    lines = ", ".join(str(table.lines[row]) for row in rows)
    digits = f" (or `{NUMBER}`, if they are no dates)" if text[0].isdigit() else ""
    return (
        f"{table.path}, column `{column}`: every time stamp can be read in {len(readings)} forms, and the steps "
        f"between the rows do not prove one of them; `date_format` should name it{digits}. Of the {table.unit}s "
        f"{lines}, {'; '.join(ways)}."
    )


def _said(reading: Reading, row: int) -> str:
    stamp = str(reading.when[row].astype(f"datetime64[{reading.unit}]").astype("datetime64[s]")).replace("T", " ")
    return stamp.removesuffix(" 00:00:00")


def _unreadable(table: Table, column: str, text: list[str], readings: list[Reading]) -> DataError:
    """Error on a column that no form reads as a whole: the first row that the form of most rows does not read."""
    if not readings:
        row = _first_text(text)
        return DataError(
            f"{table.at(row, column)}: should be a time stamp such as 2020-12-31 23:00:00, found {shown(text[row])}"
            f"{_remedy(text[row])}."
        )
    best = sorted(readings, key=lambda reading: -int(reading.reads.sum()))[:2]
    rows = [int(np.flatnonzero(~reading.reads)[0]) for reading in best]
    message = (
        f"{table.at(rows[0], column)}: should be a time stamp in the form {best[0].name}, as {best[0].reads.sum():,} "
        f"of the {len(text):,} rows are, found {shown(text[rows[0]])}"
    )
    if len(best) > 1 and best[1].reads.sum() > len(text) // 2 and rows[1] != rows[0]:
        place = f"{table.unit} {table.lines[rows[1]]}"
        message += f"; the form {best[1].name} does not read {place}, {shown(text[rows[1]])}"
    week = re.fullmatch(r"(\d{4})\D+(1[3-9]|[2-4]\d|5[0-3])", text[rows[0]])
    if week is not None and "%m" in best[0].name:
        return DataError(f"{message}: if these are weeks of a year, write them as in {week[1]}-W{week[2]} (ISO 8601).")
    unread = dict.fromkeys(text[row].strip() for row in np.flatnonzero(~best[0].reads)[:MOST_UNREAD].tolist())
    none = ""
    if column in table.frame.columns and column not in table.options.text_columns and len(unread) < MOST_UNREAD:
        named = json.dumps([*(table.options.missing or []), *unread], ensure_ascii=False)
        none = f"; what stands for no date is named by `missing: {named}`"
    return DataError(f"{message}: a column should have one form, so write all of its stamps in the same one{none}.")


def _remedy(cell: str) -> str:
    """End of the message on a stamp that is like no date that is known."""
    if len(cell) > 1 and cell[0] == cell[-1] == "'":
        return ": marks of quotation are double in such files: write it with these, or without any"
    if re.search(r"[^\W\d_]{3}", cell):
        return (
            f": write the stamps like that one, or in another form with numbers or names in {LANGUAGES}; "
            "`date_format` can name a form with names in English"
        )
    return ": write the stamps like that one, or name their form by `date_format`, as in %d.%m.%Y %H:%M"


def _first_text(text: list[str]) -> int:
    """The first row that is no number, or row 0."""
    numbers = pd.to_numeric(pd.Series(text, dtype=object), errors="coerce").to_numpy()
    return int(np.isnan(numbers).argmax()) if 2 * np.isnan(numbers).sum() < len(numbers) else 0


def _in_form(table: Table, column: str, text: list[str], form: str) -> Stamps:
    """The stamps in the form that the config names, where every row has it."""
    digits = read_digits(text) if all(map(str.isdigit, text)) else []
    for reading in [*digits, *read_every_form(text)]:
        if same_form(reading.name, form) and reading.whole:
            _check_century(table, column, text, reading)
            return Stamps(reading.when, reading.unit, local=not reading.aware)
    try:
        when = pd.to_datetime(pd.Series(text, dtype=object), errors="coerce", utc=True, format=form)
    except (ValueError, TypeError, OverflowError, re.error) as error:
        # A directive that strftime does not know.
        place = f"{table.path}, column `{column}`"
        raise DataError(
            f"{place}: the time stamps cannot be read in the form {shown(form)} of `date_format`: {error}."
        ) from None
    wrong = np.flatnonzero(when.isna().to_numpy())
    if len(wrong):
        row = int(wrong[0])
        raise DataError(f"{table.at(row, column)}: should be a time stamp in {form}, found {shown(text[row])}.")
    # In the unit that pandas chose: nanoseconds end in 2262, and some calendars are there already.
    return Stamps(when.astype("int64").to_numpy(), when.dt.unit, local="%z" not in form and not form.startswith(ISO))
