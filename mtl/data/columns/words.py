"""Facts on columns of text: numbers that are written otherwise, yes and no, dates, ids, categories, sentences.

R rows, D different texts.
"""

import json
import re

import numpy as np
import pandas as pd

from mtl.config.table_file import MISSING_NUMBERS, MISSING_TEXTS
from mtl.data.columns.booleans import truth
from mtl.data.columns.cells import Texts, texts_of
from mtl.data.columns.dates import date_readings, said
from mtl.data.columns.doubts import cut_doubt, cut_example, mixed_forms
from mtl.data.columns.facts import ColumnFacts, group_warning, share_warnings
from mtl.data.columns.names import has_code_name, names_things
from mtl.data.columns.spellings import other_marks, spelled_apart, stray_texts
from mtl.data.formats.labels import is_number
from mtl.data.formats.numbers import number_column
from mtl.data.formats.table import Table
from mtl.data.timeline.stamps import column_stamps
from mtl.errors import DataError, shown

SENTENCE = 4.0
"""Words a cell, on average, from which on texts that hardly repeat are sentences."""
LONG = 60.0
"""Characters a cell, on average, from which on they are."""
MANY, OFTEN = 50, 0.5
"""Different texts, and their share of the rows, from which on most categories are too rare to be learnt."""
IMAGE = re.compile(r".+\.(jpe?g|png|gif|bmp|tiff?|webp)", re.IGNORECASE)
LEAST_ROWS = 3
MOST_TOLD = 3


def text_facts(table: Table, column: str, cells: pd.Series, form: str | None, exact: bool) -> ColumnFacts:
    """Facts on a column that was not read as numbers.

    Args:
        table: as it was read.
        column: of the table.
        cells: [R] as the file writes them.
        form: of its dates, as `date_format` names it.
        exact: every spelling is a category of its own.
    """
    written = texts_of(cells)
    texts = written.without({*MISSING_NUMBERS, *(table.options.missing or [])})
    if texts.names and not all(map(IMAGE.fullmatch, texts.names)):  # 001.png is no number with a unit
        example = cut_example(column, texts.names)
        if example is not None:
            return cut_facts(column, texts.missing, len(texts.names), example)
        for facts in (_booleans(column, texts), _numbers(table, column, texts), _dates(table, column, texts, form)):
            if facts is not None:
                return facts
    usual = MISSING_TEXTS if table.options.missing is None else table.options.missing
    return name_facts(column, written.without({"", "NaN", "nan", *usual}), exact)


def name_facts(column: str, texts: Texts, exact: bool) -> ColumnFacts:
    """Facts on a column of names or sentences."""
    rows, missing, distinct = len(texts.codes), texts.missing, len(texts.names)
    known = rows - missing
    if not distinct:
        return ColumnFacts(column, "ignore", "every cell is empty", missing, 0)
    example = texts.names[texts.most]
    if distinct == 1 and not missing:
        return ColumnFacts(column, "ignore", f"every row holds {_short(example)}", 0, 1, example=example)
    words = float(np.mean([1 + text.count(" ") for text in texts.names]))
    length = sum(map(len, texts.names)) / distinct
    if distinct > 1 and all(map(IMAGE.fullmatch, texts.names)):
        return ColumnFacts(column, "image", "names of image files", missing, distinct, example=example)
    if (words >= SENTENCE or length >= LONG) and distinct >= max(OFTEN * known, LEAST_ROWS):
        why = f"sentences: {words:.0f} words a cell, {distinct:,} different"
        return ColumnFacts(column, "text", why, missing, distinct, example=example)
    mixed = mixed_forms(texts.names)
    if mixed is not None:
        example = texts.names[0]
        doubt = f"its texts are {mixed}: write all of them in one"
        return ColumnFacts(
            column, "ignore", mixed, missing, distinct, example=example, warnings=(doubt,), doubts=(doubt,)
        )  # fmt: skip
    if distinct == known >= LEAST_ROWS:
        return ColumnFacts(column, "ignore", "a text of its own in every row", missing, distinct, example=example)
    told = share_warnings(rows, missing, int(texts.counts.max()), _short(example))
    apart = [] if exact else spelled_apart(texts)
    if apart:
        distinct -= sum(len(spellings) - 1 for spellings in apart)
        some = "; ".join(" = ".join(map(_short, spellings)) for spellings in apart[:MOST_TOLD])
        more = f" and {len(apart) - MOST_TOLD} more" if len(apart) > MOST_TOLD else ""
        told.append(f"names that differ in blanks, letter case or the spelling of a number are one: {some}{more}")
    if distinct > MANY and distinct >= OFTEN * known:
        told.append(f"{distinct:,} categories in {known:,} rows: most are too rare to be learnt")
    numbers = sum(map(is_number, texts.names))
    if 0 < numbers < len(texts.names):
        told.append(f"numbers and texts are mixed: {numbers:,} of the {len(texts.names):,} different cells are numbers")
    doubtful = [name for name in texts.names if name in MISSING_NUMBERS]
    if doubtful:
        told.append(f"{', '.join(map(_short, doubtful))} counts as a category; `missing` names what stands for nothing")
    group = distinct < known and names_things(column, distinct)
    if group:
        told.append(group_warning(column, distinct, rows))
    why = "codes" if has_code_name(column) and numbers else "texts that repeat" if distinct < known else "texts"
    return ColumnFacts(column, "category", why, missing, distinct, example=example, warnings=tuple(told), group=group)


def cut_facts(column: str, missing: int, distinct: int, example: str) -> ColumnFacts:
    """The facts on a column of ids that a spreadsheet cut, which tell rows apart no more."""
    doubt, why = cut_doubt(column, example), f"ids whose last digits a spreadsheet left out, as in {example}"
    return ColumnFacts(
        column, "ignore", why, missing, distinct, example=example, warnings=(doubt,), doubts=(doubt,)
    )  # fmt: skip


def _booleans(column: str, texts: Texts) -> ColumnFacts | None:
    if len(texts.names) > 12 or {truth(name) for name in texts.names} != {0.0, 1.0}:
        return None
    why = " and ".join(sorted(texts.names, key=lambda name: (truth(name) or 0.0, name))[:6])
    told = share_warnings(len(texts.codes), texts.missing, int(texts.counts.max()), texts.names[texts.most])
    example = texts.names[texts.most]
    return ColumnFacts(column, "boolean", why, texts.missing, 2, example=example, warnings=tuple(told))


def _numbers(table: Table, column: str, texts: Texts) -> ColumnFacts | None:
    """The facts on numbers that are written otherwise than the options say, or have a few texts among them."""
    options, count = other_marks(table, column, texts)
    stray: list[str] = []
    if count < len(texts.names):
        stray = stray_texts(table, texts)
        if not stray:
            return None
        count, options = len(texts.names) - len(stray), {"missing": stray}
    low, high, problem = None, None, _strays(table, column, texts, stray)
    if problem is None:
        try:
            values = number_column(table, column)
            known = values[~np.isnan(values)]
            low, high, options = float(known.min()), float(known.max()), {}
        except DataError as error:
            problem = str(error)
    told = share_warnings(len(texts.codes), texts.missing, int(texts.counts.max()), texts.names[texts.most])
    why = "numbers, but for a few cells" if stray else "numbers"
    example = next(name for name in texts.names if name not in stray)
    return ColumnFacts(
        column, "number", why, texts.missing, count, low, high, example, tuple(told), problem, options
    )  # fmt: skip


def _strays(table: Table, column: str, texts: Texts, stray: list[str]) -> str | None:
    """Message on a few texts among numbers; None where there are none, or where they may be numbers themselves."""
    if not stray or any(re.search("[0-9]", text) for text in stray):
        return None
    rows = texts.counts[[texts.names.index(text) for text in stray]]
    told = ", ".join(f"{text!r} ({count:,})" for text, count in zip(stray, rows, strict=True))
    row = int(np.flatnonzero(np.isin(texts.codes, [texts.names.index(text) for text in stray]))[0])
    missing = json.dumps([*(table.options.missing or []), *stray], ensure_ascii=False)
    return (
        f"{table.at(row, column)}: should be a number or an empty cell, found {shown(texts.names[texts.codes[row]])}. "
        f"The texts of the column are {told}: if they stand for a missing value, set `missing: {missing}`; if the "
        f"column holds names, set `types: {{{json.dumps(column, ensure_ascii=False)}: category}}`."
    )


def _dates(table: Table, column: str, texts: Texts, form: str | None) -> ColumnFacts | None:
    """The facts on a column in which most cells are dates, in one form or in several."""
    readings = date_readings(texts.names) if form is None else []
    if not readings and form is None:
        return None
    known = np.flatnonzero(texts.codes >= 0)
    problem, why, low, high = None, "dates in one form, in every row", None, None
    notes: list[str] = []
    try:
        if len(readings) == 1 and readings[0].whole:
            times = readings[0].when.astype(f"datetime64[{readings[0].unit}]")
            why = f"dates in the form {readings[0].name}, in every row"
        else:
            stamps = column_stamps(table.take(known, [column]), column, form, None, notes)
            times = stamps.when.astype(np.int64).astype(f"datetime64[{stamps.unit or 's'}]")
        low, high = said(times.min()), said(times.max())
    except DataError as error:
        problem, why = str(error), "dates"
    told = share_warnings(len(texts.codes), texts.missing, int(texts.counts.max()), texts.names[texts.most])
    told += [note.removeprefix(f"{column}: ").rstrip(".") for note in notes]
    example = texts.names[0]
    return ColumnFacts(
        column, "date", why, texts.missing, len(texts.names), low, high, example, tuple(told), problem
    )  # fmt: skip


def _short(text: str) -> str:
    return repr(text) if len(text) <= 30 else f"{text[:29]!r}…"
