"""New rows of a table as frames that a model takes: numbers as they are written, categories by the model's names.

R rows of a piece.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtl.data.columns.booleans import truth
from mtl.data.columns.categories import category_column
from mtl.data.columns.cells import written_cells
from mtl.data.columns.dates import date_times
from mtl.data.formats.labels import key_of
from mtl.data.formats.numbers import number_column
from mtl.data.formats.pieces import table_pieces
from mtl.data.formats.table import Table
from mtl.data.inputs.date_parts import date_parts, dates_behind
from mtl.data.inputs.row_fit import FittedRows
from mtl.data.inputs.seen import UNKNOWN
from mtl.errors import DataError
from mtl.serving.new_data.columns import check_columns, kept_columns
from mtl.serving.new_data.options import NewRows
from mtl.serving.new_data.pictures import PIECE, Files

MOST_NAMES = 5


@dataclass(frozen=True)
class RowForm:
    """Columns of the rows that a model reads.

    Args:
        columns: all of them: numbers, then categories.
        categories: column of categories → names that some member knows.
        may_lack: numbers that every member may miss.
        file_column: column that tells the file of a row, which a file need not hold; None without one.
        texts: columns of texts.
        image: files that a column names; None without one.
    """

    columns: list[str]
    categories: dict[str, list[str]]
    may_lack: frozenset[str]
    file_column: str | None = None
    texts: tuple[str, ...] = ()
    image: Files | None = None

    @classmethod
    def of(cls, columns: list[str], fitted: Sequence[FittedRows], file_column: str | None = None) -> "RowForm":
        """The form of the rows that several members read."""
        count = len(fitted[0].mean)
        names = {
            column: sorted({name for member in fitted for name in member.names[place]})
            for place, column in enumerate(columns[count:])
        }
        lacking = [{columns[place] for place in member.flags} for member in fitted]
        return cls(columns, names, frozenset(set.intersection(*lacking)), file_column)

    @property
    def numbers(self) -> list[str]:
        """Columns of numbers."""
        others = {*self.categories, *self.texts, *([] if self.image is None else [self.image.column])}
        return [name for name in self.columns if name not in others]


@dataclass
class Strange:
    """Categories that a model does not know, with the number of their rows, over all pieces."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    rows: int = 0

    def told(self) -> Iterator[str]:
        """A sentence for each column."""
        for column, counts in self.counts.items():
            shown = ", ".join(repr(name) for name, _ in counts.most_common(MOST_NAMES))
            more = f" and {len(counts) - MOST_NAMES} more" if len(counts) > MOST_NAMES else ""
            every = (
                " (every row: is it the column that the model was trained on?)" if counts.total() == self.rows else ""
            )
            yield (
                f"{column}: {counts.total():,} of {self.rows:,} rows{every} hold categories that the model does not "
                f"know from training, or that were rare there, and takes for one unknown category: {shown}{more}"
            )


@dataclass(frozen=True)
class Piece:
    """Some rows: what the model reads, and the columns that the output repeats."""

    frame: pd.DataFrame
    kept: pd.DataFrame

    def below(self, other: "Piece") -> "Piece":
        """Rows of another piece, and these below them."""
        parts = ((other.frame, self.frame), (other.kept, self.kept))
        return Piece(*(pd.concat(pair, ignore_index=True) for pair in parts))

    def rows(self, start: int, stop: int | None = None) -> "Piece":
        """Some of the rows."""
        return Piece(self.frame[start:stop], self.kept[start:stop])


Also = Callable[[Table], pd.DataFrame]


def in_chunks(read: Iterator[Piece], size: int) -> Iterator[Piece]:
    """The same rows in pieces of whole chunks of a size, as in the evaluation, but for the last: the last digit of a
    prediction depends on what passes through a network together."""
    waiting: Piece | None = None
    for piece in read:
        waiting = piece if waiting is None else piece.below(waiting)
        count = len(waiting.frame)
        whole = count - count % size
        if whole:
            yield waiting.rows(0, whole)
            waiting = waiting.rows(whole) if whole < count else None
    if waiting is not None:
        yield waiting


def pieces(
    options: NewRows, form: RowForm, keep: Sequence[str], strange: Strange, notes: list[str], also: Also | None = None
) -> Iterator[Piece]:
    """The rows of a file, a piece at a time.

    Args:
        options: of the file.
        form: columns that the model reads.
        keep: columns of the file that the output repeats.
        strange: takes unknown categories.
        notes: takes sentences on what was read otherwise than it is written.
        also: table of a piece → what is kept beside its rows; None: the columns `keep`.

    Raises:
        DataError: a column is missing, or a cell is none of what its column holds; names the line.
    """
    for table in _small(table_pieces(options, Path()), form):
        there = [str(name) for name in table.frame.columns]
        kept_columns(options.path, there, keep)
        frame = _frame(table, form, options, strange, notes)
        strange.rows += len(frame)
        notes += [note for note in table.notes if note not in notes]
        kept = table.frame[list(keep)] if also is None else also(table)
        yield Piece(frame, kept.reset_index(drop=True))


def _small(tables: Iterable[Table], form: RowForm) -> Iterator[Table]:
    """The tables that have rows, in pieces whose images fit into memory."""
    for table in tables:
        size = PIECE if form.image is not None else max(1, len(table.frame))
        for begin in range(0, len(table.frame), size):
            whole = size >= len(table.frame)
            yield table if whole else table.take(np.arange(begin, min(begin + size, len(table.frame))))


def _frame(table: Table, form: RowForm, options: NewRows, strange: Strange, notes: list[str]) -> pd.DataFrame:
    """[R] rows with the columns that the model reads."""
    there = [str(name) for name in table.frame.columns]
    dates = dates_behind(form.columns, there)
    of_file = form.file_column if form.file_column not in there else None
    wanted = dict.fromkeys(dates.get(name, name) for name in form.columns if name != of_file)
    check_columns(options.path, there, list(wanted))
    columns: dict[str, Any] = {}
    for date in dict.fromkeys(dates.values()):
        when = date_times(table, date, options.date_format.get(date), [])
        made = date_parts(date, when)
        columns |= {name: made[name] for name, origin in dates.items() if origin == date}
    for name in form.numbers:
        if name not in columns:
            columns[name] = _numbers(table, name, options)
        _check_there(table, dates.get(name, name), columns[name], name in form.may_lack)
    for name in form.categories:
        if name == of_file:
            columns[name] = _file_of(table, form)
        else:
            columns[name] = _categories(table, name, form.categories[name], options, strange)
    for name in form.texts:
        columns[name] = _texts(table, name, options)
    if form.image is not None:
        columns[form.image.column] = pd.Series(list(form.image.pixels(table)), dtype=object)
    return pd.DataFrame({name: columns[name] for name in form.columns})


def _numbers(table: Table, name: str, options: NewRows) -> np.ndarray:
    values = number_column(table, name)
    if options.missing_markers:
        return np.where(np.isin(values, options.missing_markers), np.nan, values)
    return values


def _check_there(table: Table, column: str, values: np.ndarray, may_lack: bool) -> None:
    """Raises a DataError on a missing number where training rows lack none."""
    missing = np.flatnonzero(np.isnan(values))
    if len(missing) and not may_lack:
        more = f" (and in {len(missing) - 1:,} rows more)" if len(missing) > 1 else ""
        raise DataError(
            f"{table.at(int(missing[0]), column)}: the value is missing{more}, and no row that the model was trained "
            "on lacked one: fill it in, or leave the row out."
        )


def _categories(
    table: Table, column: str, known: Sequence[str], options: NewRows, strange: Strange
) -> "pd.Categorical[str]":
    """The column by the names that the model knows; blanks, letter case and spellings of one number tell none apart."""
    exact = column in options.exact_labels
    codes, names = category_column(table, column, exact, [])
    by_key = {name if exact else key_of(name): place for place, name in enumerate(known)}
    truths = {} if exact else _truths(known)
    places = []
    for name in names:
        place = by_key.get(name if exact else key_of(name), truths.get(truth(name)))
        places.append(len(known) if place is None else place)
    mapped = np.array([*places, -1], dtype=np.int64)[codes]
    odd = mapped == len(known)
    if odd.any():
        counts = np.bincount(codes[odd], minlength=len(names))
        told = Counter({names[number]: int(counts[number]) for number in np.flatnonzero(counts)})
        strange.counts.setdefault(column, Counter()).update(told)
    return _coded(mapped, known)


def _truths(known: Sequence[str]) -> dict[float | None, int]:
    """0 and 1 → the place of the name that says no or yes, where the names are those of a column of yes and no."""
    said = [truth(name) for name in known]
    return {value: place for place, value in enumerate(said)} if sorted(map(str, said)) == ["0.0", "1.0"] else {}


def _texts(table: Table, name: str, options: NewRows) -> "pd.Series[Any]":
    """The texts of a column as they are written; a missing one is empty."""
    cells = written_cells(table, [name])[name].fillna("").astype(object)
    return cells.mask(cells.map(str.strip).isin(options.missing or []), "")


def _file_of(table: Table, form: RowForm) -> "pd.Categorical[str]":
    """The name of the file, by which the model tells the files that it was trained on."""
    column = str(form.file_column)
    name, known = Path(table.path).name.partition(".")[0], form.categories[column]
    if name not in known:
        told = ", ".join(f"`{file}`" for file in known)
        raise DataError(
            f"{table.path}: should have a column `{column}` that names the file of each row, by which training data "
            f"were told apart, or be named as one of them ({told}), found {name!r}."
        )
    return _coded(np.full(len(table.frame), known.index(name)), known)


def _coded(places: np.ndarray, known: Sequence[str]) -> "pd.Categorical[str]":
    names: pd.Index[str] = pd.Index([*known, UNKNOWN], dtype=object)
    return pd.Categorical.from_codes(places.astype(np.int64), categories=names)
