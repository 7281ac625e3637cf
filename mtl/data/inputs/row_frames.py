"""Rows that a user gives a loaded model: arrays of numbers, or frames with numbers and categories.

n rows, F numbers, G categories of a row.
"""

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Float64, Int32
from torch import Tensor

from mtl.data.inputs.base import Layout
from mtl.data.inputs.contract import MAX_VALUE
from mtl.data.inputs.date_parts import date_parts, dates_behind
from mtl.data.inputs.given import array_of, check_names, no_numbers, wrong_shape
from mtl.data.inputs.row_fit import FittedRows
from mtl.data.inputs.scaling import scores_problem
from mtl.errors import DataError, shown
from mtl.types import NO_CATEGORY

if TYPE_CHECKING:
    import pandas as pd

MOST_NAMES = 5
"""Unknown categories that a warning names."""


def rows_given(given: object, layout: Layout, fitted: FittedRows) -> Float[Tensor, "n W"]:
    """Rows as networks see them, of what a user gives.

    Args:
        given: an array of the numbers, where there are no categories, or a frame with the columns in any order.
        layout: of the source.
        fitted: to its training rows.

    Raises:
        DataError: they do not fit the source.
    """
    import pandas as pd  # here, since training loads this module and has no use for frames

    count = len(fitted.mean)
    if isinstance(given, pd.DataFrame):
        frame = _with_columns(given, layout)
        numbers = [_numbers(frame[name], name) for name in layout.columns[:count]]
        values = torch.from_numpy(np.stack(numbers, axis=1) if numbers else np.zeros((len(frame), 0)))
        columns = layout.columns[count:]
        codes = _codes([frame[name] for name in columns], columns, fitted) if columns else None
    elif len(layout.columns) > count:
        form = f"a pandas frame with the columns {shown(layout.columns)}, some of which hold categories"
        raise wrong_shape(form, type(given).__name__)
    else:
        values, codes = _matrix(given, layout, count), None
    return fitted.encoded(_checked(values, layout, fitted), codes)


def _matrix(given: object, layout: Layout, width: int) -> Float64[Tensor, "n F"]:
    form = f"rows [n, {width}] of the columns {shown(layout.columns)}, or a frame"
    array = array_of(given, form)
    if array.ndim != 2 or array.shape[1] != width:
        remedy = "; `x[None]` makes a batch of one" if array.shape == (width,) else ""
        raise wrong_shape(form, list(array.shape), remedy)
    return array.to(torch.float64)


def _with_columns(frame: "pd.DataFrame", layout: Layout) -> "pd.DataFrame":
    """A frame that has the columns of the source, by names that are texts."""
    frame = _with_date_parts(frame.set_axis([str(name) for name in frame.columns], axis=1), layout)
    check_names(list(frame.columns), layout.columns)
    return frame


def _with_date_parts(frame: "pd.DataFrame", layout: Layout) -> "pd.DataFrame":
    """The frame with the parts of its dates that the source has, in the place of the dates.

    Raises:
        DataError: a column of which parts are wanted holds no dates.
    """
    import pandas as pd

    parts, columns = dates_behind(layout.columns, list(frame.columns)), list(frame.columns)
    for name in dict.fromkeys(name for name in parts.values() if columns.count(name) == 1):
        cells = frame[name]
        if not pd.api.types.is_datetime64_any_dtype(cells):
            raise DataError(
                f"samples: column {name!r} should hold dates, found {cells.dtype}: convert it, as with "
                "`pandas.to_datetime`."
            )
        local = cells.dt.tz_localize(None) if cells.dt.tz is not None else cells
        made = date_parts(name, local.to_numpy().astype("datetime64[us]"))
        wanted = {part: made[part] for part in layout.columns if part in made and part in parts}
        frame = frame.drop(columns=name).assign(**wanted)
    return frame


def _numbers(column: "pd.Series[Any]", name: str) -> np.ndarray:
    """The numbers of a column, float64; NaN is missing."""
    kind = column.dtype
    letter = kind.kind if isinstance(kind, np.dtype) else str(kind)[:1].lower()
    if letter not in "uifb":
        raise no_numbers(name, kind)
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _codes(columns: Sequence["pd.Series[Any]"], names: Sequence[str], fitted: FittedRows) -> Int32[Tensor, "n G"]:
    """Codes of the categories of a frame; warns of those that training rows do not know."""
    numbered, vocabularies = [], []
    for place, (column, name) in enumerate(zip(columns, names, strict=True)):
        numbers, vocabulary = _numbered(column)
        strange = [number for number, text in enumerate(vocabulary) if text not in fitted.names[place]]
        count = int(np.isin(numbers, strange).sum())
        if count:
            told = ", ".join(repr(vocabulary[number]) for number in strange[:MOST_NAMES])
            more = f" and {len(strange) - MOST_NAMES} more" if len(strange) > MOST_NAMES else ""
            warnings.warn(
                f"samples: column {name!r} holds categories in {count:,} of {len(numbers):,} rows that the model does "
                f"not know from training, or that were rare there, and takes for one unknown category: {told}{more}.",
                stacklevel=2,
            )
        numbered.append(numbers)
        vocabularies.append(vocabulary)
    return fitted.codes(torch.from_numpy(np.stack(numbered, axis=1).astype(np.int32)), fitted.tables(vocabularies))


def _numbered(column: "pd.Series[Any]") -> tuple[np.ndarray, list[str]]:
    """Number of the category of each row, NO_CATEGORY where it is missing, and the names of the categories.

    Numbers are named as they are written without a decimal point where all of them are whole, as the categories of a
    table are: a column of whole numbers with gaps is one of floats in a frame.
    """
    import pandas as pd

    numbers, values = pd.factorize(column, use_na_sentinel=True)
    whole = all(isinstance(value, float) and value.is_integer() for value in values)
    names = [str(int(value) if whole else value).strip() for value in values]
    order = {name: place for place, name in enumerate(name for name in dict.fromkeys(names) if name)}
    places = np.array([*(order.get(name, NO_CATEGORY) for name in names), NO_CATEGORY], dtype=np.int64)
    return places[numbers], list(order)


def _checked(values: Float64[Tensor, "n F"], layout: Layout, fitted: FittedRows) -> Float64[Tensor, "n F"]:
    """Numbers that can be encoded.

    Raises:
        DataError: there is no row, a number is infinite or far outside of what was trained on, or it is missing where
            no training row lacks one.
    """
    if not len(values):
        raise DataError("samples should be at least one, found none.")
    may_lack = torch.zeros(len(fitted.mean), dtype=torch.bool)
    may_lack[list(fitted.flags)] = True
    usable = (values.abs() <= MAX_VALUE) | (values.isnan() & may_lack)
    if not bool(usable.all()):
        row, column = (int(number) for number in torch.nonzero(~usable)[0])
        raise DataError(
            f"samples: sample {row} (counted from 0), column {layout.columns[column]!r}: should be a finite number of "
            f"at most {MAX_VALUE:g} in size, found {float(values[row, column])}: fill what is missing, or leave the "
            "sample out."
        )
    problem = scores_problem(torch.where(values.isnan(), fitted.medians, values), layout.columns, fitted)
    if problem is not None and fitted.quantiles is None:
        raise DataError(f"samples: {problem} Give them in the units of {layout.source}.")
    return values
