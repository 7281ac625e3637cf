"""Types of the columns of a table: proved on all rows, so that their order and a sample decide nothing.

R rows.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from mtl.config.table_file import MISSING_TEXTS
from mtl.config.table_source import ColumnType
from mtl.data.columns.booleans import boolean_column
from mtl.data.columns.cells import texts_of, written_cells
from mtl.data.columns.dates import date_times, said
from mtl.data.columns.facts import ColumnFacts
from mtl.data.columns.numbers import may_be_padded, number_facts, padded_columns
from mtl.data.columns.words import name_facts, text_facts
from mtl.data.formats.numbers import number_column
from mtl.data.formats.table import Table
from mtl.errors import DataError

NAMES = ("category", "boolean")
"""Types that are read from the cells as they are written."""


def column_facts(
    table: Table,
    declared: Mapping[str, ColumnType] | None = None,
    date_format: Mapping[str, str] | None = None,
    exact: Collection[str] = (),
) -> list[ColumnFacts]:
    """Facts on each column of a table, in the order of the file.

    A column that cannot be read as its type under the options as they are has a `problem`; reading it raises the same.

    Args:
        table: as it was read.
        declared: column → its type where a user says so.
        date_format: column of dates → their form.
        exact: columns in which every spelling is a category of its own.
    """
    declared, date_format = declared or {}, date_format or {}
    frame = table.frame
    numeric = [name for name in frame.columns if _is_numeric(frame[name])]
    whole = may_be_padded(table, numeric)
    texts = [name for name in frame.columns if name not in numeric and not _is_plain(frame[name])]
    padded = padded_columns(table, whole)
    names = [name for name in frame.columns if declared.get(name) in NAMES]
    kept = written_cells(table, list(dict.fromkeys([*texts, *padded, *names])), keep=True)
    written = {name: kept[name] for name in texts}
    facts = []
    for name in frame.columns:
        form = date_format.get(name)
        if name in written:
            inferred = _of_objects(frame[name], name) or text_facts(table, name, written[name], form, name in exact)
            named = table.text is None and isinstance(frame[name].dtype, pd.CategoricalDtype)
            if named and inferred.kind not in ("boolean", "ignore"):
                inferred = replace(_category(table, name, name in exact), why="the file says that these are names")
        elif pd.api.types.is_datetime64_any_dtype(frame[name]):
            inferred = _of_times(frame[name], name)
        else:
            inferred = number_facts(table, name, _numbers(frame[name]), name in padded)
        kind = declared.get(name)
        facts.append(inferred if kind in (None, inferred.kind) else _as_declared(table, inferred, kind, form, exact))
    return facts


def _is_numeric(cells: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(cells) and not isinstance(cells.dtype, pd.CategoricalDtype)


def _is_plain(cells: pd.Series) -> bool:
    """True for numbers, truth values and times, which hold what they are."""
    return _is_numeric(cells) or pd.api.types.is_datetime64_any_dtype(cells)


def _numbers(cells: pd.Series) -> np.ndarray:
    """The cells as integers where all are, else as float64 [R]."""
    if pd.api.types.is_integer_dtype(cells) and not cells.isna().any():
        return cells.to_numpy(dtype=cells.dtype if isinstance(cells.dtype, np.dtype) else np.int64)
    return cells.to_numpy(dtype=np.float64, na_value=np.nan)


def _of_objects(cells: pd.Series, name: str) -> ColumnFacts | None:
    """Facts on a column whose cells are neither numbers nor texts, such as lists and bytes."""
    if cells.dtype != object:
        return None
    known = cells.dropna()
    odd = next((cell for cell in known if isinstance(cell, bytes | list | dict | tuple | np.ndarray)), None)
    if odd is None:
        return None
    what = type(odd).__name__
    return ColumnFacts(name, "ignore", f"cells of type {what} are no numbers and no names", len(cells) - len(known), 0)


def _of_times(cells: pd.Series, name: str) -> ColumnFacts:
    known = cells.dropna()
    missing, distinct = len(cells) - len(known), int(known.nunique())
    if not len(known):
        return ColumnFacts(name, "ignore", "every cell is empty", missing, 0)
    times = known.dt.tz_localize(None) if known.dt.tz is not None else known
    low, high = said(times.min().to_datetime64()), said(times.max().to_datetime64())
    if distinct == 1 and not missing:
        return ColumnFacts(name, "ignore", f"every row holds {low}", 0, 1, low, high, low)
    example = said(times.iloc[0].to_datetime64())
    return ColumnFacts(name, "date", "the file says that these are dates", missing, distinct, low, high, example)


def _category(table: Table, name: str, exact: bool) -> ColumnFacts:
    usual = MISSING_TEXTS if table.options.missing is None else table.options.missing
    cells = written_cells(table, [name])[name]
    return name_facts(name, texts_of(cells, {"", "NaN", "nan", *usual}), exact)


def _as_declared(
    table: Table, inferred: ColumnFacts, kind: ColumnType, form: str | None, exact: Collection[str]
) -> ColumnFacts:
    """The facts on a column of which a user says another type than is inferred."""
    name, why = inferred.name, f"declared; by its cells {inferred.kind}: {inferred.why}"
    warnings = tuple(said for said in inferred.warnings if said not in inferred.doubts)
    facts = replace(inferred, kind=kind, why=why, problem=None, options={}, warnings=warnings, doubts=())
    try:
        match kind:
            case "number":
                values = number_column(table, name)
                known = values[np.isfinite(values)]
                limits = (float(known.min()), float(known.max())) if len(known) else (None, None)
                return replace(facts, low=limits[0], high=limits[1], missing=int(np.isnan(values).sum()))
            case "boolean":
                truths = boolean_column(table, name)
                return replace(facts, low=None, high=None, missing=int(np.isnan(truths).sum()))
            case "date":
                when = date_times(table, name, form, [])
                known_times = when[~np.isnat(when)]
                if not len(known_times):
                    return facts
                low, high = said(known_times.min()), said(known_times.max())
                return replace(facts, low=low, high=high, missing=int(np.isnat(when).sum()))
            case "category":
                named = _category(table, name, name in exact)
                return replace(named, kind=kind, why=why)
            case _:
                return replace(facts, low=None, high=None)
    except DataError as error:
        return replace(facts, problem=str(error))


__all__: Sequence[str] = ["NAMES", "ColumnFacts", "column_facts"]
