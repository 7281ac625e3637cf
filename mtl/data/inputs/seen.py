"""Values of each input over many samples, in the terms of a user: what new samples are compared with training by.

n samples, m values of an input: n of rows, n · L of windows, n · Y · X of images.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Int

UNKNOWN = "\x00"
"""Category that stands for every name that a model does not know."""


@dataclass(frozen=True)
class Named:
    """An input of categories."""

    codes: Int[np.ndarray, " m"]
    """Places in `names`; below 0 where it is missing."""
    names: Sequence[str]
    """UNKNOWN for those that the model takes for one unknown category."""


Column = np.ndarray | Named
"""Numbers in original units (NaN is missing), or categories."""
Columns = Iterator[tuple[str, Column]]
"""Name and values of one input after another."""


def channels_of(values: object, columns: Sequence[str], axis: int) -> Columns:
    """The channels of an array of samples.

    Args:
        values: numpy's or torch's.
        columns: their names.
        axis: of the channels.
    """
    array = values.numpy() if isinstance(values, torch.Tensor) else np.asarray(values)
    for place, name in enumerate(columns):
        yield name, np.take(array, place, axis=axis).ravel()


def row_columns(values: object, columns: Sequence[str]) -> Columns:
    """The columns of a frame, whose names are those of the model, or of an array of numbers."""
    import pandas as pd  # here, since training loads this module and has no use for frames

    if not isinstance(values, pd.DataFrame):
        yield from channels_of(values, columns, 1)
        return
    for name in columns:
        cells: Any = values[name]
        if isinstance(cells.dtype, pd.CategoricalDtype):
            yield name, Named(cells.cat.codes.to_numpy(), [str(known) for known in cells.cat.categories])
        else:
            yield name, cells.to_numpy(dtype=np.float64, na_value=np.nan)
