"""`kind: table`: rows of any columns, each a sample.

All usable columns are kept; the tasks say later which of them are targets. What was left out, unified or found twice
ends in `notes`. S rows.
"""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from mtl.config.table_source import ColumnType, TableSource
from mtl.config.table_split import TimeSplit
from mtl.data.columns.infer import column_facts
from mtl.data.formats.cell_remedies import WAYS
from mtl.data.formats.reading import check_count
from mtl.data.formats.table import Table
from mtl.data.inputs import scratch
from mtl.data.inputs.mixed import mixed_set, without_columns
from mtl.data.sources.images import COLOURS, GREY
from mtl.data.sources.table_columns import Column, read_columns
from mtl.data.sources.table_files import file_of_rows, read_files, without_final_points
from mtl.data.sources.table_images import TableImages, read_images
from mtl.data.sources.table_parts import TEST, Parts, Rows, parts_of
from mtl.data.sources.table_rows import copies_note, equal_rows
from mtl.data.sources.table_tags import take_tags
from mtl.data.sources.table_texts import take_text, text_set_of
from mtl.errors import DataError, shown
from mtl.types import ImageSet, RowSet

FIRST_ROWS = 1000
"""Rows of weights in which a number is looked for."""
BRACKETS = re.compile(r"\(([^()]+)\)\s*$")
"""Unit at the end of a column's name."""


def read(config: TableSource, name: str, root: Path) -> RowSet | ImageSet:
    """The rows that `config` describes; numbers in original units.

    Raises:
        DataError: the file cannot be used as it is and the config does not say what to do; names line and column.
    """
    table, second = read_files(config, root)
    notes = list(table.notes)
    table, tagged = take_tags(table, config, notes)
    columns = _columns(table, second, config, notes)
    images = None if config.images is None else read_images(table, config, root, notes)
    if images is not None and images.kept is not None:
        table, second = table.take(images.kept), None if second is None else second[images.kept]
        columns = _columns(table, second, config, [])
    count = len(table.frame)
    check_count(count * len(columns), config.path)
    apart = (config.weight, *config.kept_apart)
    kept = [column for column in columns if column.origin not in apart]
    if not kept:
        why = " ".join(notes[len(table.notes) :]) or "None stands beside those of `split`."
        raise DataError(
            f"{config.path}: should have columns to learn from, found none in {count:,} row{'s' * (count != 1)}. {why}"
        )
    only = [] if images is None else [images.column]
    same = equal_rows([*kept, *only] if images is None or config.input.mixed else only, count)
    parts = parts_of(Rows(table, {column.name: column for column in columns}, same, second), config)
    told = copies_note(same, parts, config)
    notes += [] if told is None else [told]
    kept = _changing(kept, parts, config, notes)
    texts = take_text(kept, config, notes)
    fields = {
        "units": _units(table, [column for column in kept if column.names is None], config),
        "weights": _weights(table, columns, config),
        "aside": [column.name for column in kept if _is_aside(column, config)],
    }
    del table, columns, same  # Only `kept` holds its numbers now, which are given up one column after the other.
    if images is not None and not config.input.mixed:
        return _image_set(images, _row_set(name, kept, parts, config, fields), notes)
    rows = _row_set(name, kept, parts, config, fields | {"notes": notes})
    if not config.input.mixed:
        return rows if texts is None else text_set_of(rows, texts, config, tagged, root)
    alone = without_columns(rows)
    image = None if images is None else replace(_image_set(images, alone, []), beside=None)
    text = None if texts is None else text_set_of(alone, texts, config, tagged, root)
    return mixed_set(rows, image, str(config.image_column), text)


def _image_set(images: TableImages, beside: RowSet, notes: list[str]) -> ImageSet:
    """The images, beside whose rows the other columns stand."""
    return ImageSet(
        name=beside.name,
        images=torch.from_numpy(images.pixels),
        columns=GREY if images.pixels.shape[1] == 1 else COLOURS,
        fold=beside.fold,
        folds=beside.folds,
        labels={},
        classes={},
        notes=notes,
        beside=beside,
    )


def _row_set(name: str, kept: list[Column], parts: Parts, config: TableSource, fields: dict[str, Any]) -> RowSet:
    """The rows of columns, which are taken out of their list."""
    numbers = [column.name for column in kept if column.names is None]
    named = {column.name: column.names for column in kept if column.names is not None}
    categories = _matrix(kept, list(named), len(parts.fold), np.int32) if named else None
    return RowSet(
        name=name,
        values=_matrix(kept, numbers, len(parts.fold), np.float64),
        columns=numbers,
        fold=torch.from_numpy(np.ascontiguousarray(parts.fold)),
        folds=parts.folds,
        crossed=parts.crossed,
        categories=categories,
        category_columns=list(named),
        vocabularies=named,
        groups=None if parts.groups is None else torch.from_numpy(np.ascontiguousarray(parts.groups)),
        group_names=list(parts.group_names),
        scaling=config.numbers,
        rare=config.rare,
        **fields,
    )


def _columns(table: Table, second: np.ndarray | None, config: TableSource, notes: list[str]) -> list[Column]:
    """The usable columns of the table."""
    exact = {*config.exact_labels, *config.kept_apart}
    facts = column_facts(table, _declared(table, config), config.date_format, exact)
    facts = [column for column in facts if column.name != config.image_column]
    columns = read_columns(table, facts, config, notes)
    if second is not None:
        columns = [
            column if column.name == config.text_column else without_final_points(column, second, notes)
            for column in columns
        ]
    if config.file_column is not None:
        columns.append(file_of_rows(table, config.file_column))
    names = [column.name for column in columns]
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise DataError(f"{table.path}: column `{twice[0]}` has the name of a part of a date: rename it.")
    return columns


def _declared(table: Table, config: TableSource) -> dict[str, ColumnType]:
    """Types that the section tells: also those of columns that are read in one way alone."""
    declared = dict(config.declared)
    if config.weight is not None:
        cells = table.frame[config.weight]
        words = not pd.api.types.is_numeric_dtype(cells)
        if words and all(way.number(str(cell)) is None for cell in cells.iloc[:FIRST_ROWS] for way in WAYS):
            raise DataError(
                f"{table.at(0, config.weight)}: should be a weight, a number of 0 or more, found "
                f"{shown(cells.iloc[0])}: write one in every row, or let `weight` name another column or be null."
            )
        declared[config.weight] = "number"
    for column in config.kept_apart:
        declared.setdefault(column, "category")
    for column in config.split_columns:
        # Also one that counts the rows, which is no input, tells their order.
        if pd.api.types.is_numeric_dtype(table.frame[column]):
            declared.setdefault(column, "number")
    return declared


def _is_aside(column: Column, config: TableSource) -> bool:
    """True for a column that is no input, and may be a target."""
    if config.images is not None and not config.input.mixed:
        return True
    if column.origin == config.file_column:
        return False
    if config.inputs is not None:
        return column.origin not in config.inputs
    return isinstance(config.split, TimeSplit) and column.origin == config.split.column


def _changing(columns: list[Column], parts: Parts, config: TableSource, notes: list[str]) -> list[Column]:
    """The columns of which some rows that are not tested on differ: others tell nothing, and are left out."""
    seen = np.ones(len(parts.fold), dtype=bool) if parts.crossed else parts.fold != TEST
    kept = []
    for column in columns:
        what = _tells_nothing(column, seen)
        if what is None:
            kept.append(column)
        else:
            notes.append(f"{column.name}: left out, for it {what} in the rows that are trained and validated on.")
    if not kept:
        raise DataError(
            f"{config.path}: should have a column that changes in the training rows, found that none does: choose "
            "another `split`."
        )
    return kept


def _tells_nothing(column: Column, seen: np.ndarray) -> str | None:
    """The reason why the rows of a mask [S] tell nothing by a column, in words; None where they differ."""
    missing = column.missing
    known = seen & ~missing
    if not known.any():
        return "is empty"
    first = column.values[int(known.argmax())]
    same = scratch.every(len(known), lambda rows: ~known[rows] | (column.values[rows] == first))
    return "never changes" if same and not missing[seen].any() else None


def _weights(table: Table, columns: list[Column], config: TableSource) -> torch.Tensor | None:
    """float64 weight of each row [S], or None."""
    if config.weight is None:
        return None
    column = next(column for column in columns if column.name == config.weight)
    wrong = np.flatnonzero(np.isnan(column.values) | (column.values < 0))
    if len(wrong):
        row = int(wrong[0])
        value = "none" if np.isnan(column.values[row]) else f"{column.values[row]:g}"
        raise DataError(
            f"{table.at(row, column.name)}: should be a weight of 0 or more, found {value}: a row that should not "
            "count has the weight 0."
        )
    return torch.from_numpy(column.values.copy())


def _matrix(columns: list[Column], names: list[str], count: int, dtype: type) -> torch.Tensor:
    """Values of some columns side by side [S, columns], those of a column behind each other in memory; the columns are
    taken out of their list, so that there are never two copies of all."""
    matrix = scratch.empty((len(names), count), dtype)
    for place, name in enumerate(names):
        column = columns.pop(next(at for at, column in enumerate(columns) if column.name == name))
        matrix[place] = column.values
    return torch.from_numpy(matrix).T


def _units(table: Table, columns: list[Column], config: TableSource) -> dict[str, str]:
    """Units that the config names, else from the file's row of units, else from brackets at the end of the name."""
    units = {}
    for name in (column.name for column in columns if column.name == column.origin):
        brackets = BRACKETS.search(name)
        if name in config.units:
            units[name] = config.units[name]
        elif name in table.units:
            units[name] = table.units[name]
        elif brackets:
            units[name] = brackets[1]
    return units
