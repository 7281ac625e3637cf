"""Samples that a user gives a loaded model, in original units: checked against what its tasks were trained on.

n samples, C channels or numbers of a row.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from mtl.data.inputs.base import Layout
from mtl.data.inputs.contract import MAX_VALUE
from mtl.data.inputs.scaling import scores_problem
from mtl.errors import DataError, shown


def array_of(given: object, form: str) -> Tensor:
    """An array that a user gives, as a tensor on the CPU; nothing is copied that is one already.

    Args:
        given: a numpy array or a torch tensor.
        form: what it should be, in words.

    Raises:
        DataError: it is neither, or holds no numbers.
    """
    if isinstance(given, np.ndarray) and given.dtype.kind in "uif":
        values = torch.from_numpy(np.array(given, dtype=given.dtype.newbyteorder("=")))
    elif isinstance(given, Tensor) and not given.is_complex() and given.dtype != torch.bool:
        values = given.detach().cpu()
    else:
        kind = type(given).__name__
        if isinstance(given, np.ndarray | Tensor):
            kind = f"{kind} of {given.dtype}, which are no numbers"
        raise DataError(f"samples should be {form}, found {kind}: convert them, as with `numpy.asarray(x, 'float64')`.")
    return values


def frame_of(frame: object, layout: Layout) -> Float64[Tensor, "R C"] | None:
    """The rows of a frame of pandas, whose columns should be those of the source in their order; None for anything
    else.

    Raises:
        DataError: columns are missing, too many or in another order, or hold no numbers.
    """
    import pandas as pd  # here, since training loads this module and has no use for frames

    if not isinstance(frame, pd.DataFrame):
        return None
    names, wanted = [str(name) for name in frame.columns], layout.columns
    check_names(names, wanted)
    if names != wanted:
        raise DataError(
            f"samples should have the columns {shown(wanted)} in this order, found {shown(names)}; {_way_to(wanted)}."
        )
    for name, kind in zip(names, frame.dtypes, strict=True):
        if not isinstance(kind, np.dtype) or kind.kind not in "uif":
            raise no_numbers(name, kind)
    return torch.from_numpy(frame.to_numpy(dtype=np.float64, copy=True))


def no_numbers(column: str, kind: object) -> DataError:
    """The error for a column of a frame that holds something else than numbers."""
    return DataError(
        f"samples: column {column!r} should hold numbers, found {kind}: convert it, as with `astype('float64')`."
    )


def check_names(names: Sequence[str], wanted: Sequence[str]) -> None:
    """Checks that a frame has the columns that are wanted, each once, and no other.

    Raises:
        DataError: columns are missing, or too many.
    """
    missing = [name for name in wanted if name not in names]
    extra = [name for name in names if name not in wanted]
    if missing:
        raise DataError(
            f"samples should have the columns {shown(wanted)}: {', '.join(map(repr, missing))} missing, found "
            f"{shown(names)}; the model cannot do without."
        )
    if extra or len(names) != len(wanted):
        odd = extra or [name for name in names if names.count(name) > 1]
        what = "not known" if extra else "there twice"
        raise DataError(
            f"samples should have the columns {shown(wanted)}: {', '.join(map(repr, dict.fromkeys(odd)))} "
            f"{what}; {_way_to(wanted, 'leave out what is too much')}."
        )


def _way_to(wanted: Sequence[str], of_many: str = "take them in their order") -> str:
    """Remedy for a frame with other columns than those that are wanted; another where these are too many to name."""
    return f"`frame[{list(wanted)}]` takes them" if len(wanted) <= 10 else of_many


def checked_rows(rows: Float64[Tensor, "R C"], layout: Layout, per_sample: int) -> Float64[Tensor, "R C"]:
    """Rows that can be z-scored.

    Args:
        rows: original units; `per_sample` of them are a sample.
        layout: of the source.
        per_sample: rows of one sample.

    Raises:
        DataError: there is none, or a value is missing, infinite or far outside what was trained on.
    """
    if not len(rows):
        raise DataError("samples should be at least one, found none.")
    usable = rows.abs() <= MAX_VALUE  # False for NaN.
    if not bool(usable.all()):
        row, column = (int(number) for number in torch.nonzero(~usable)[0])
        place = f"sample {row // per_sample}"
        place += f", row {row % per_sample}" if per_sample > 1 else ""
        raise DataError(
            f"samples: {place} (counted from 0), column {layout.columns[column]!r}: should be a finite number of at "
            f"most {MAX_VALUE:g} in size, found {float(rows[row, column])}: fill what is missing, or leave the sample "
            "out."
        )
    problem = scores_problem(rows, layout.columns, layout.fitted)
    if problem is not None:
        raise DataError(f"samples: {problem} Give them in the units of {layout.source}.")
    return rows


def wrong_shape(form: str, description: object, remedy: str = "") -> DataError:
    """The error for samples of another shape."""
    return DataError(f"samples should be {form}, found {description}{remedy}.")
