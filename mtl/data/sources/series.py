"""`kind: series`: a table in time order → rows of a series.

R rows, C channels. Every repair (a duplicate dropped, a cell filled) is asked for in the config and ends in `notes`.
"""

import re
from pathlib import Path

import numpy as np
import torch

from mtl.config.common import FIXED_PARTS
from mtl.config.sources import FractionBorders, RowBorders, SeriesSource, WholeSeriesBorders
from mtl.data.columns.markers import likely_markers
from mtl.data.formats.labels import class_numbers
from mtl.data.formats.numbers import number_column
from mtl.data.formats.reading import check_count
from mtl.data.formats.table import Table
from mtl.data.inputs.copies import check_copies
from mtl.data.sources.columns import input_columns
from mtl.data.sources.dealing import dealt, drawn_test
from mtl.data.sources.filling import Gaps, Rows, fill, flagged, frozen
from mtl.data.sources.table_files import read_series
from mtl.data.timeline.order import Timeline, order_in_time, without_repeats
from mtl.errors import DataError, shown
from mtl.types import Prepared


def read(config: SeriesSource, name: str, root: Path) -> Prepared:
    """The series that `config` describes; values in original units.

    Raises:
        DataError: the file cannot be used as it is and the config does not say what to do; names line and column.
    """
    table = read_series(config, root)
    notes = list(table.notes)
    unknown = [column for column in config.allow if column not in table.frame.columns]
    if unknown:
        raise DataError(f"{config.path}: `allow` names no column of the file: {unknown[0]!r}.")
    timeline = order_in_time(table, config, notes)
    table = timeline.table
    elsewhere = {config.date_column, *config.ids, *config.labels, *config.targets}
    others = [column for column in table.frame.columns if column not in elsewhere]
    columns = config.values or input_columns(table.frame, others, config.path, notes)
    if not columns:
        raise DataError(
            f"{config.path}: should have value columns beside date, labels and targets, found none: inputs are what is "
            "in none of these, or what `values` names."
        )
    read_as_numbers = [*columns, *config.targets]
    check_count(len(table.frame) * len(read_as_numbers), config.path)
    told = len(table.notes)
    values = np.stack([number_column(table, column) for column in read_as_numbers], axis=1)
    notes += table.notes[told:]
    marked = np.isin(values, config.missing_markers) if config.missing_markers else np.zeros(values.shape, dtype=bool)
    # A target's missing cell is no target, and is never filled; values have to say what becomes of theirs.
    values[:, len(columns) :][marked[:, len(columns) :]] = np.nan
    marked[:, len(columns) :] = False
    if config.on_missing == "keep_markers":
        _refuse_mean_of_markers(config, marked)
    else:
        values[marked] = np.nan
    _check_markers(table, np.where(marked, np.nan, values), read_as_numbers, notes)
    timeline, values, marked = without_repeats(timeline, values, marked, config, notes)
    table = timeline.table
    values, numbers = values[:, : len(columns)], values[:, len(columns) :]
    labels, classes = {}, {}
    for label in config.labels:
        exact = label in config.exact_labels
        labels[label], classes[label] = class_numbers(table.frame[label], label, notes, exact, config.missing)
    check_copies(
        values, columns, labels | dict(zip(config.targets, numbers.T, strict=True)), config.path, config.allow, notes
    )
    fold = _folds(config, config.borders, timeline) if isinstance(config.borders, WholeSeriesBorders) else None
    segments = _segments(config, timeline, fold)
    rows = Rows(segments, timeline.when, timeline.unit, table.at)
    values, known = _filled(table, columns, values, marked[:, : len(columns)], config, rows, notes)
    changing = _changing(table, columns, values, known, rows, config, notes)
    columns, values = [columns[number] for number in changing], values[:, changing]
    known = None if known is None else known[:, changing]
    notes += frozen(np.where(known, values, np.nan) if known is not None else values, columns, rows)
    flags: list[str] = []
    if config.flag_filled and known is not None:
        flags, values, known = flagged(columns, values, known)
    return Prepared(
        name=name,
        values=torch.from_numpy(np.ascontiguousarray(values)),
        columns=[*columns, *flags],
        window=None,
        borders=None if config.ids else (int(segments[0, 1]), int(segments[0, 2]), int(segments[0, 3])),
        segments=torch.from_numpy(segments) if config.ids else None,
        segment_names=timeline.names,
        fold=None if fold is None else torch.from_numpy(fold),
        folds=config.borders.folds if isinstance(config.borders, WholeSeriesBorders) else 1,
        labels={label: torch.from_numpy(of_row) for label, of_row in labels.items()},
        classes=classes,
        units=_units(table, [*columns, *config.targets], config.units),
        notes=notes,
        known=None if known is None else torch.from_numpy(np.ascontiguousarray(known)),
        flags=tuple(flags),
        numbers={
            target: torch.from_numpy(np.ascontiguousarray(numbers[:, number]))
            for number, target in enumerate(config.targets)
        },
    )


def _check_markers(table: Table, values: np.ndarray, columns: list[str], notes: list[str]) -> None:
    """Raises a DataError on a number that is surely a marker of missing values, and notes those that may be one."""
    for marker in likely_markers(values, columns):
        column = columns[marker.column]
        if marker.sure:
            target = column in table.options.roles["targets"]
            kept = "" if target else "; with `on_missing: keep_markers` beside it, it stays in as a number"
            raise DataError(
                f"{table.at(int(marker.rows[0]), column)}: {marker.words}, as a marker of missing values is: "
                f"{marker.setting} makes it one{kept}."
            )
        notes.append(f"{column}: {marker.doubt}.")


def _refuse_mean_of_markers(config: SeriesSource, marked: np.ndarray) -> None:
    if config.on_duplicate == "mean" and marked.any():
        raise DataError(
            f"{config.path}: `on_duplicate: mean` would average missing markers that `on_missing: keep_markers` "
            "leaves in; choose another of `on_duplicate`."
        )


def _filled(
    table: Table, columns: list[str], values: np.ndarray, marked: np.ndarray, config: SeriesSource, rows: Rows,
    notes: list[str],
) -> tuple[np.ndarray, np.ndarray | None]:  # fmt: skip
    """Values [R, C] and the mask of the known ones, None where all are; NaN only where nothing may be filled in."""
    holes = np.isnan(values)
    if config.on_missing == "interpolate" or config.on_missing == "ffill":
        return fill(values, columns, rows, Gaps(config.on_missing, config.max_gap), notes)
    for number, column in enumerate(columns):
        kept = int(marked[:, number].sum())
        if config.on_missing == "keep_markers" and kept:
            notes.append(f"{column}: {kept} missing markers are left in as numbers.")
        if holes[:, number].any():
            row = int(np.flatnonzero(holes[:, number])[0])
            was = " (a missing marker)" if marked[row, number] else ""
            raise DataError(
                f"{table.at(row, column)}: the value is missing{was}; `on_missing` may be interpolate or ffill, or "
                "name the column in `targets` if it is to be predicted and no input."
            )
    return values, None


def _folds(config: SeriesSource, borders: WholeSeriesBorders, timeline: Timeline) -> np.ndarray:
    """Fold of each series, int64 [G]: -1 is test; with one fold, a fifth of the others is 0 and the rest 1.

    Raises:
        DataError: there are too few series.
    """
    count, parts = len(timeline.names), FIXED_PARTS if borders.folds == 1 else borders.folds
    fold = np.full(count, -1, dtype=np.int64)
    first = timeline.starts[:-1]
    test = drawn_test(timeline.series, None, borders.test_series, borders.split_seed)[first]
    left = ~test[timeline.series]
    if left.any():
        unit = np.unique(timeline.series[left], return_inverse=True)[1].reshape(-1)
        fold[~test] = dealt(unit, None, parts, borders.split_seed)[np.unique(unit, return_index=True)[1]]
    if borders.folds == 1:
        fold[fold > 1] = 1
    needed = 2 if borders.folds == 1 else borders.folds
    if not test.any() or len(np.unique(fold[~test])) < needed:
        raise DataError(
            f"{config.path}: too few series for whole ones in each part: {count} by `{'`, `'.join(config.ids)}`, of "
            f"which {int(test.sum())} are the test part, and {needed} or more should be left for the folds; fewer "
            "`borders.folds`, or `borders` that cut every series in time, leave some."
        )
    return fold


def _segments(config: SeriesSource, timeline: Timeline, fold: np.ndarray | None) -> np.ndarray:
    """First row of each series and the end rows of its train, validation and test parts, int64 [G, 4]; series with
    folds are training or test as a whole."""
    starts = timeline.starts.tolist()
    if fold is not None:
        ends = np.array(starts[1:])
        begun = np.where(fold == -1, starts[:-1], ends)
        return np.stack([np.array(starts[:-1]), begun, begun, ends], axis=1)
    names: list[str | None] = [*timeline.names] or [None]
    return np.array(
        [
            [start, *(start + end for end in _borders(config, stop - start, name))]
            for start, stop, name in zip(starts[:-1], starts[1:], names, strict=True)
        ]
    )


def _borders(config: SeriesSource, rows: int, name: str | None) -> tuple[int, int, int]:
    """End rows of train, validation and test, with the rounding of the published benchmarks."""
    whose = "" if name is None else f" of {'`, `'.join(config.ids)} {shown(name)}"
    match config.borders:
        case FractionBorders(train=train, test=test):
            borders = int(rows * train), rows - int(rows * test), rows
        case RowBorders(train=a, val=b, test=c):
            if c > rows:
                raise DataError(f"{config.path}: `borders.test` should be at most its {rows} rows{whose}, found {c}.")
            borders = a, b, c
        case WholeSeriesBorders():
            raise AssertionError("series that are held out whole are not cut")
    if not 0 < borders[0] < borders[1] < borders[2]:
        raise DataError(
            f"{config.path}: too few rows{whose}: {rows} cannot be cut into train, validation and test by these "
            f"`borders`; add rows{'' if name is None else ', leave its rows out of the file,'} or change their shares."
        )
    return borders


def _changing(
    table: Table, columns: list[str], values: np.ndarray, known: np.ndarray | None, rows: Rows, config: SeriesSource,
    notes: list[str],
) -> list[int]:  # fmt: skip
    """Numbers of the columns that stay: those that never change in train have no scale."""
    train = np.flatnonzero(rows.rows_of(0))
    cells = values[train] if known is None else np.where(known[train], values[train], np.nan)
    lowest, highest = np.nanmin(cells, axis=0), np.nanmax(cells, axis=0)
    constant = lowest == highest
    for number in np.flatnonzero(constant):
        column = columns[number]
        place = f"{table.at(0, column)} to {table.unit} {table.lines[train[-1]]}"
        if config.on_constant == "error":
            raise DataError(
                f"{place}: the column is constant in train ({lowest[number]:g}); `on_constant` may be keep or drop."
            )
        notes.append(f"{column}: constant in train, {'kept' if config.on_constant == 'keep' else 'dropped'}.")
    if config.on_constant == "drop" and constant.all():
        raise DataError(
            f"{config.path}: should have a value column that changes in train, found that all are constant: choose "
            "other `borders` or `on_constant: keep`."
        )
    return np.flatnonzero(~constant if config.on_constant == "drop" else np.ones_like(constant)).tolist()


def _units(table: Table, columns: list[str], named: dict[str, str]) -> dict[str, str]:
    """Units that the config names, else from the file's row of units, else from brackets at the end of the name."""
    unknown = [column for column in named if column not in table.frame.columns]
    if unknown:
        raise DataError(f"{table.path}: `units` names no column of the file: {unknown[0]!r}.")
    units = {}
    for column in columns:
        brackets = re.search(r"\(([^()]+)\)\s*$", column)
        if column in named:
            units[column] = named[column]
        elif column in table.units:
            units[column] = table.units[column]
        elif brackets:
            units[column] = brackets[1]
    return units
