"""Samples in an .npz: windows [n, L, C], images [n, C, Y, X], rows [n, F]."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mtl.data.sources.arrays import load_arrays
from mtl.errors import DataError

DEFAULT = "x"


def samples(data: Path, name: str | None, columns: list[str]) -> np.ndarray:
    """The array of samples.

    Args:
        data: the file; it may hold the names of its columns, `columns`.
        name: of the array; None: `x`, or the only one.
        columns: channels that the model reads, in their order.

    Raises:
        DataError: no such file or array, or its columns are others.
    """
    return samples_of(arrays_of(data), data, name, columns)


def arrays_of(data: Path) -> dict[str, np.ndarray]:
    """All arrays of a file.

    Raises:
        DataError: it cannot be read.
    """
    return dict(load_arrays(data, str(data)))


def samples_of(arrays: Mapping[str, np.ndarray], data: Path, name: str | None, columns: list[str]) -> np.ndarray:
    """The array of samples among those of a file; arguments and errors as in `samples`."""
    others = [array for array in arrays if array != "columns"]
    chosen = name or (DEFAULT if DEFAULT in arrays or len(others) != 1 else others[0])
    if chosen not in arrays:
        raise DataError(
            f"{data}: should hold the samples as `{chosen}`, found {', '.join(sorted(arrays)) or 'none'}: name the "
            "array by --array."
        )
    if "columns" in arrays:
        held = [str(column) for column in _listed(arrays["columns"])]
        if held != columns:
            raise DataError(f"{data}: `columns` should be {columns}, as the model was trained on, found {held}.")
    return arrays[chosen]


def _listed(array: np.ndarray) -> list[Any]:
    values: list[Any] = array.ravel().tolist()
    return values
