"""The part of each row of a table: test, or the fold that it is held out with. S rows, F folds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

import numpy as np

from mtl.config.common import parts_dealt
from mtl.config.table_source import TableSource
from mtl.config.table_split import ColumnSplit, CrossSplit, FilesSplit, GroupSplit, RandomSplit, TimeSplit
from mtl.data.columns.dates import date_times
from mtl.data.formats.labels import known_class
from mtl.data.formats.table import Table
from mtl.data.inputs import scratch
from mtl.data.sources.dealing import dealt, drawn_test, even, kinds_of, latest, numbered, strata_of, stretches
from mtl.data.sources.table_columns import Column
from mtl.errors import DataError, shown

TEST = -1
FEWEST_GROUPS = 3
"""One for the test part, one for validation, one to train on."""
MOST_NAMED = 6
"""Values of a column that a message lists."""
FOLDS = 5
"""Folds where neither the section nor the file says how many."""


@dataclass(frozen=True)
class Parts:
    """Parts of the rows.

    Args:
        fold: [S] as in `mtl.types.RowSet`.
        folds: F.
        crossed: every row is a test row once, as in `mtl.types.RowSet`.
        groups: number of the group of each row [S], or None.
        group_names: names of the groups, in the order of their numbers.
    """

    fold: np.ndarray
    folds: int
    crossed: bool = False
    groups: np.ndarray | None = None
    group_names: Sequence[str] = ()


@dataclass(frozen=True)
class Rows:
    """Rows of a table that are dealt into parts.

    Args:
        table: the rows as they were read.
        columns: column of the file → what was read of it.
        same: number of the rows that equal each other [S].
        second: mask [S] of the rows of a second file; None where there is one file.
    """

    table: Table
    columns: Mapping[str, Column]
    same: np.ndarray
    second: np.ndarray | None = None

    def strata(self, column: str | None) -> np.ndarray | None:
        """Stratum of each row [S] by a column."""
        if column is None:
            return None
        known = self.columns[column]
        return strata_of(known.values, known.names is not None)

    def groups(self, column: str) -> tuple[np.ndarray, list[str]]:
        """Group of each row [S] and the names of the groups.

        Raises:
            DataError: a row without a group.
        """
        known = self.columns[column]
        missing = np.flatnonzero(known.missing)
        if len(missing):
            raise DataError(
                f"{self.table.at(int(missing[0]), column)}: the group is missing: name a column in `split` that every "
                "row has a group in, or leave the row out of the file."
            )
        if known.names is not None:
            places, numbers = np.unique(known.values, return_inverse=True)
            return numbers.reshape(-1), [known.names[place] for place in places.tolist()]
        values, numbers = np.unique(known.values, return_inverse=True)
        return numbers.reshape(-1), [f"{value:g}" for value in values.tolist()]


def parts_of(rows: Rows, config: TableSource) -> Parts:
    """Deals the rows into parts as `split` says.

    Raises:
        DataError: a column of `split` that does not tell it for every row, or too few rows or groups for the parts.
    """
    split, seed = config.split, config.split_seed
    alone = scratch.counting(len(rows.table.frame))
    match split:
        case RandomSplit():
            unit = rows.same if split.duplicates == "together" else alone
            strata = rows.strata(split.stratify)
            test = drawn_test(unit, strata, split.test, seed)
            return _with_folds(test, unit, strata, config)
        case GroupSplit():
            groups, names = rows.groups(split.column)
            folds = _folds(config)
            _check_groups(names, FEWEST_GROUPS if folds == 1 else folds + 1, split.column, config)
            strata = rows.strata(split.stratify)
            if strata is not None:
                test = even(lambda draw: drawn_test(groups, None, split.test, draw), strata, seed)
                fold = np.full(len(test), TEST, dtype=np.int64)
                units, left = numbered(groups[~test]), strata[~test]
                parts = parts_dealt(folds)
                fold[~test] = even(lambda draw: dealt(units, None, parts, draw), left, seed)
                if folds == 1:
                    fold[~test] = fold[~test] > 0
                return Parts(fold, folds, groups=groups, group_names=names)
            test = drawn_test(groups, None, split.test, seed)
            return _with_folds(test, groups, None, config, groups, names)
        case TimeSplit():
            return _by_time(rows, split, config)
        case ColumnSplit():
            return _by_column(rows, split, config)
        case FilesSplit():
            assert rows.second is not None
            strata = rows.strata(split.stratify)
            if split.group is None:
                return _with_folds(rows.second, alone, strata, config)
            groups, names = rows.groups(split.group)
            return _with_folds(rows.second, groups, strata, config, groups, names)
        case CrossSplit():
            unit, grouped, names = (rows.same if split.duplicates == "together" else alone), None, []
            if split.group is not None:
                grouped, names = rows.groups(split.group)
                _check_groups(names, split.folds, split.group, config)
                unit = grouped
            fold = dealt(unit, rows.strata(split.stratify), split.folds, seed)
            return Parts(fold, split.folds, crossed=True, groups=grouped, group_names=names)
        case _:
            assert_never(split)


def _folds(config: TableSource) -> int:
    return FOLDS if config.folds is None else config.folds


def _with_folds(
    test: np.ndarray,
    unit: np.ndarray,
    strata: np.ndarray | None,
    config: TableSource,
    groups: np.ndarray | None = None,
    names: Sequence[str] = (),
) -> Parts:
    """Deals all rows but those of the test part into folds, by whole units."""
    folds, rest = _folds(config), ~test
    units = scratch.chosen(unit, rest)
    _check_rows(kinds_of(unit), kinds_of(units), config)
    fold = scratch.filled(len(test), np.int64, lambda rows: np.full(rows.stop - rows.start, TEST))
    if rest.any():
        units = numbered(units)
        parts = min(parts_dealt(folds), int(units.max()) + 1) if folds == 1 else folds
        part = dealt(units, None if strata is None else strata[rest], parts, config.split_seed)
        begin = 0
        for rows in scratch.blocks(len(fold)):
            end = begin + int(np.count_nonzero(rest[rows]))
            fold[rows][rest[rows]] = part[begin:end] > 0 if folds == 1 else part[begin:end]
            begin = end
    return Parts(fold, folds, groups=groups, group_names=names)


def _check_rows(count: int, left: int, config: TableSource) -> None:
    """Raises a DataError where a part would have no row.

    Args:
        count: different rows or groups.
        left: those that are no test rows.
        config: the source.
    """
    folds = _folds(config)
    if left < count and left >= max(2, folds):
        return
    parts = "a training, a validation and a test part" if folds == 1 else f"a test part and {folds} folds"
    fewer = ", or set `folds: 1` for one validation part" if 2 <= left < count else ""
    raise DataError(
        f"{config.path}: too few rows: {count} that differ are not enough for {parts}: bring more rows{fewer}."
    )


def _check_groups(names: Sequence[str], least: int, column: str, config: TableSource) -> None:
    if len(names) < least:
        fewer = "lower `folds`, or " if least > FEWEST_GROUPS else ""
        raise DataError(
            f"{config.path}, column `{column}`: has {len(names)} groups, and whole ones for the test part and every "
            f"fold need at least {least}: {fewer}split by another column."
        )


def _by_time(rows: Rows, split: TimeSplit, config: TableSource) -> Parts:
    """The latest rows are the test part, and folds are stretches of time."""
    count = len(rows.table.frame)
    when = np.arange(count) if split.column is None else _times(rows, split.column, config)
    test = latest(when, split.test if isinstance(split.test, float) else split.test / count)
    rest = ~test
    folds = _folds(config)
    fold = np.full(len(when), TEST, dtype=np.int64)
    if not test.any() or len(np.unique(when[rest])) < 2:
        times = len(np.unique(when))
        where = config.path if split.column is None else f"{config.path}, column `{split.column}`"
        held = f"{times} different time{'' if times == 1 else 's'}"
        asked = f" with {split.test:,} test rows" if not isinstance(split.test, float) else ""
        raise DataError(
            f"{where}: has {held}, too few for a training, a validation and a test part{asked}: choose another column "
            "or another `split`."
        )
    if folds == 1:
        fold[rest] = np.where(latest(when[rest], 1 / parts_dealt(folds)), 0, 1)
    else:
        fold[rest] = stretches(when[rest], folds)
    return Parts(fold, folds)


def _times(rows: Rows, column: str, config: TableSource) -> np.ndarray:
    """Time of each row [S], as numbers that grow with it."""
    table, known = rows.table, rows.columns.get(column)
    if known is not None and known.names is None:
        missing, times = np.flatnonzero(known.missing), known.values
    else:
        dates = date_times(table, column, config.date_format.get(column), [])
        missing, times = np.flatnonzero(np.isnat(dates)), dates.astype(np.int64)
    if len(missing):
        raise DataError(
            f"{table.at(int(missing[0]), column)}: the time is missing, so that the row is neither before nor after "
            "the test part: leave the row out of the file, or choose another `split`."
        )
    return times


def _by_column(rows: Rows, split: ColumnSplit, config: TableSource) -> Parts:
    """The part that each row names."""
    table, known = rows.table, rows.columns[split.column]
    names = [f"{value:g}" for value in np.unique(known.values[~known.missing])] if known.names is None else known.names
    wanted = {TEST: split.test, 0: split.val, 1: split.train}
    part_of = np.full(len(names) + 1, -2, dtype=np.int64)  # The last one stands for a missing cell.
    for part, values in wanted.items():
        for value in values:
            name = known_class(value, names)
            if name is not None:
                part_of[names.index(name)] = part
    part = part_of[known.codes]
    wrong = np.flatnonzero(part == -2)
    if len(wrong):
        row = int(wrong[0])
        code = int(known.codes[row])
        cell = "an empty cell" if code < 0 else shown(names[code])
        raise DataError(
            f"{table.at(row, split.column)}: should be a part of the data, found {cell}: rows of "
            f"{_joined(split.train)} are trained on, of {_joined(split.val)} validated and of {_joined(split.test)} "
            "tested on; `train`, `val` and `test` of the split name the values."
        )
    for wanted_part, values, setting in ((TEST, split.test, "test"), (1, split.train, "train")):
        if not (part == wanted_part).any():
            raise DataError(
                f"{config.path}, column `{split.column}`: should name rows of the {setting} part ({_joined(values)}), "
                f"found none, but {_joined(names[:MOST_NAMED])}: let `{setting}` of the split name their values, or "
                "choose another `split`."
            )
    if not (part == 0).any():
        return _with_folds(part == TEST, np.arange(len(part)), None, config)
    if config.folds not in (None, 1):
        raise DataError(
            f"{config.path}, column `{split.column}`: names the validation rows, so that there is one validation part "
            f"and not {config.folds}: leave `folds` out, or let `val` of the split be [] and its values be in `train`."
        )
    return Parts(part, 1)


def _joined(values: Sequence[str]) -> str:
    return " or ".join(shown(value) for value in values) if values else "no value"
