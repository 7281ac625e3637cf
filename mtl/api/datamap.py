"""`mtl.data_map`: predictions of one task after each epoch → how sure, how unsteady and how right on each sample.

E epochs, n samples, k classes, H numbers of a sample.
"""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtl.api.given import array_of, numbers_of
from mtl.checks import one_of
from mtl.errors import DataError, UserError, shown
from mtl.grouping.datamap import PoolMap
from mtl.grouping.maps import VALUES
from mtl.tasks.bare import BARE, is_label, noted
from mtl.types import NO_LABEL

TASK = "task"


def data_map(predictions: object, targets: object, kind: object) -> pd.DataFrame:
    """As `mtl.data_map`, which is the way in."""
    one_of("kind", kind, BARE)
    assert isinstance(kind, str)
    given, index, classes = _epochs(predictions)
    wanted = _along(targets, index)
    target = _labels(wanted, classes) if is_label(kind) else _numbers(wanted)
    epochs, samples = given.shape[:2]
    if len(target) != samples:
        raise DataError(f"`targets` should be one for each of the {samples:,} samples, found {len(target):,}.")
    missing = target == NO_LABEL if is_label(kind) else target.isnan().reshape(samples, -1).any(dim=1)
    if bool(missing.all()):
        raise DataError("`targets` should be known for one sample at least, found none.")
    certain, right, error = noted(kind, given.flatten(0, 1), torch.cat([target] * epochs))
    made = _recorded(epochs, missing, certain, right, error)
    if index is None and isinstance(targets, pd.Series | pd.DataFrame):
        index = targets.index
    return pd.DataFrame(made.T.numpy(), index=index, columns=list(VALUES))


def _recorded(
    epochs: int, missing: Tensor, certain: Tensor | None, right: Tensor | None, error: Tensor | None
) -> Tensor:
    """[3, n] the map, recorded as a run records it; NaN where the target is missing.

    Args:
        epochs: E.
        missing: [n] samples without a target.
        certain, right: [E·n, 1] of a label.
        error: [E·n, 1] of numbers.
    """
    samples, label = len(missing), error is None
    names = ([TASK], []) if label else ([], [TASK])
    pool = PoolMap(*names, samples, samples, ~missing[:, None])
    every, nothing = torch.arange(samples), torch.zeros(epochs * samples, 0)
    certain, right = nothing if certain is None else certain, nothing.bool() if right is None else right
    parts = (certain.float(), right, (nothing if error is None else error).float())
    for epoch, values in enumerate(zip(*(torch.split(part, samples) for part in parts), strict=True), start=1):
        pool.update(epoch, every, *values)
        pool.end_epoch(epoch)
    return pool.values()[:, :, 0]


def _epochs(predictions: object) -> tuple[Tensor, pd.Index | None, list[object] | None]:
    """[E, n, …] numbers, names of the samples, and those of the classes, where they have some."""
    if isinstance(predictions, pd.DataFrame | pd.Series):
        raise DataError(
            "`predictions` should be a list of frames, one for each epoch, or an array whose first axis is the epochs, "
            f"found one {type(predictions).__name__}."
        )
    index = classes = None
    if isinstance(predictions, list | tuple):
        index, classes = _names(predictions)
        parts = [numbers_of(part, f"predictions[{epoch}]") for epoch, part in enumerate(predictions)]
        shapes = sorted({part.shape for part in parts})
        if len(shapes) > 1:
            told = " and ".join(str(list(shape)) for shape in shapes[:2])
            raise DataError(f"`predictions` should have one shape in all epochs, found {told}.")
        array = np.stack(parts) if parts else np.empty((0, 0))
    else:
        array = numbers_of(predictions, "predictions")
    if array.ndim < 2:
        raise DataError(f"`predictions` should have the axes epochs and samples first, found {list(array.shape)}.")
    if len(array) < 2:
        raise UserError(f"`predictions` should hold two epochs or more, over which they vary, found {len(array)}.")
    if array.size == 0:
        raise DataError(f"`predictions` should hold samples, found the shape {list(array.shape)}.")
    return torch.from_numpy(array), index, classes


def _names(parts: Sequence[object]) -> tuple[pd.Index | None, list[object] | None]:
    """Names of the samples and of the classes of frames, which are the same in all epochs."""
    frames = [part for part in parts if isinstance(part, pd.DataFrame | pd.Series)]
    if not frames:
        return None, None
    first = frames[0]
    if any(type(part) is not type(first) or not part.index.equals(first.index) for part in frames) or len(frames) < len(
        parts
    ):
        raise DataError("`predictions` should be frames of the same rows in all epochs.")
    if isinstance(first, pd.Series):
        return first.index, None
    if any(isinstance(part, pd.DataFrame) and list(part.columns) != list(first.columns) for part in frames):
        raise DataError("`predictions` should be frames of the same columns in all epochs.")
    return first.index, list(first.columns)


def _along(targets: object, index: pd.Index | None) -> object:
    """Targets in the order of the samples of frames."""
    if index is None or not isinstance(targets, pd.Series | pd.DataFrame) or targets.index.equals(index):
        return targets
    if not index.is_unique or not targets.index.is_unique or set(index) != set(targets.index):
        raise DataError("`targets` should have the index of `predictions`, found another.")
    return targets.loc[index]


def _labels(targets: object, classes: list[object] | None) -> Tensor:
    """[n] numbers of classes, `NO_LABEL` where one is missing."""
    array = array_of(targets, "targets")
    if array.ndim != 1:
        raise DataError(f"`targets` should be classes [n], found the shape {list(array.shape)}.")
    codes, cells = pd.factorize(array)  # −1 where one is missing
    places = {name: place for place, name in enumerate(classes or [])}
    numbers = [_number(cell.item() if isinstance(cell, np.generic) else cell, places) for cell in cells]
    return torch.from_numpy(np.array([*numbers, NO_LABEL], dtype=np.int64)[codes])


def _number(cell: object, places: dict[object, int]) -> int:
    """Number of the class that a target names."""
    if cell in places:
        return places[cell]
    if places:
        raise UserError(
            f"`targets` should be among the columns of `predictions` ({_some(places)}), found {shown(cell)}."
        )
    if isinstance(cell, bool | int | float) and math.isfinite(cell) and cell == int(cell) and cell >= 0:
        return int(cell)
    raise UserError(
        f"`targets` should be numbers of classes, 0, 1, …, found {shown(cell)}: names of classes go with frames, whose "
        "columns they name."
    )


def _some(names: dict[object, int]) -> str:
    listed = [str(name) for name in names]
    return ", ".join(listed[:10]) + (", …" if len(listed) > 10 else "")


def _numbers(targets: object) -> Tensor:
    """[n] or [n, H] numbers, NaN where a sample has none."""
    array: NDArray[np.float64] = numbers_of(targets, "targets", missing=True)
    if array.ndim == 2:
        partly = np.isnan(array).any(axis=1) & ~np.isnan(array).all(axis=1)
        if partly.any():
            raise DataError(
                f"`targets` should be known or missing for a whole sample, found both in row {int(partly.argmax())}."
            )
    return torch.from_numpy(array)
