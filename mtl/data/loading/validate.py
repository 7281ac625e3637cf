"""What holds for every source, checked in one place: shapes, finite values, labels in range, no empty part.

R rows, C channels, W stored windows, S images, F folds, k classes (see `mtl.types.Prepared` and `ImageSet`).
"""

import math

import torch
from torch import Tensor

from mtl.errors import DataError
from mtl.types import NO_LABEL, ImageSet, Prepared, SourceData

PARTS = ("train", "val", "test")
MAX_VALUE = 1e100
"""The squares of larger ones, of which a standard deviation is made, are no numbers of float64."""


def part_masks(prepared: SourceData, fold: int) -> dict[str, Tensor]:
    """Split name → which rows (series), stored windows or images belong to it when `fold` is held out; bool [R], [W]
    or [S]."""
    if prepared.fold is not None:
        held_out, test = prepared.fold == fold, prepared.fold == -1
        return {"train": ~(held_out | test), "val": held_out, "test": test}
    if prepared.borders is None:
        raise DataError(f"{prepared.name}: has neither borders (a series) nor folds (stored windows).")
    a, b, c = prepared.borders
    row = torch.arange(prepared.rows)
    return {"train": row < a, "val": (row >= a) & (row < b), "test": (row >= b) & (row < c)}


def check_prepared(prepared: object, where: str) -> SourceData:
    """The argument, if it keeps the contract of `Prepared` or of `ImageSet`.

    Args:
        prepared: what a source's reader returned.
        where: the file, or the callable, to name in messages.

    Raises:
        DataError: the first thing that is wrong, and where.
    """
    # `or` in this order: each check may rely on those before it.
    match prepared:
        case Prepared():
            message = _shapes(prepared) or _values(prepared) or _parts(prepared)
            message = message or _labels(prepared) or _optimum(prepared)
        case ImageSet():
            message = _images(prepared) or _folds(prepared) or _labels(prepared)
        case _:
            found = type(prepared).__name__
            raise DataError(f"{where}: should return an mtl.types.Prepared or an mtl.types.ImageSet, found {found}.")
    if message is not None:
        raise DataError(f"{where}: {message}")
    return prepared


def place(prepared: Prepared, row: int, column: int) -> str:
    """Where a cell of `values` stands, in words."""
    name = prepared.columns[column]
    if prepared.window is None:
        return f"row {row} (counted from 0), column `{name}`"
    return f"window {row // prepared.window}, row {row % prepared.window} (counted from 0), column `{name}`"


def _shapes(p: Prepared) -> str | None:
    if not isinstance(p.values, Tensor) or p.values.ndim != 2 or p.values.dtype != torch.float64:
        found = f"{p.values.dtype} {list(p.values.shape)}" if isinstance(p.values, Tensor) else type(p.values).__name__
        return f"`values` should be a float64 tensor of rows × channels, found {found}."
    if len(p.columns) != p.values.shape[1] or len(set(p.columns)) != len(p.columns):
        return f"`columns` should be {p.values.shape[1]} different names, found {p.columns}."
    if p.window is None:
        if p.fold is not None or p.folds != 1:
            return "a series (`window` None) should have no `fold`, and `folds` 1."
        return None
    if p.borders is not None:
        return "stored windows have folds, so `borders` should be None."
    if p.window < 1 or p.rows % p.window or p.rows == 0:
        return f"`values` should hold whole windows of {p.window} rows, found {p.rows} rows."
    windows = p.rows // p.window
    for name, item in [("fold", p.fold), ("groups", p.groups)]:
        if item is None and name == "groups":
            continue
        if not isinstance(item, Tensor) or item.dtype != torch.int64 or list(item.shape) != [windows]:
            return f"`{name}` should be an int64 tensor with one number for each of the {windows} windows."
    if p.folds < 2:
        return f"`folds` should be at least 2 for stored windows, found {p.folds}."
    return None


def _images(p: ImageSet) -> str | None:
    if not isinstance(p.images, Tensor) or p.images.ndim != 4 or p.images.dtype != torch.uint8 or not p.images.numel():
        found = f"{p.images.dtype} {list(p.images.shape)}" if isinstance(p.images, Tensor) else type(p.images).__name__
        return f"`images` should be a uint8 tensor of images × channels × rows × columns, found {found}."
    count, channels = p.images.shape[:2]
    if len(p.columns) != channels or len(set(p.columns)) != channels:
        return f"`columns` should be {channels} different names, found {p.columns}."
    if not isinstance(p.fold, Tensor) or p.fold.dtype != torch.int64 or list(p.fold.shape) != [count]:
        return f"`fold` should be an int64 tensor with one number for each of the {count} images."
    if p.folds < 2:
        return f"`folds` should be at least 2 for images, found {p.folds}."
    if (p.mean is None) != (p.std is None):
        return "`mean` and `std` should be given together, or neither of them."
    for name, given in (("mean", p.mean), ("std", p.std)):
        least = 0 if name == "mean" else 1e-6
        if given is not None and (len(given) != channels or not all(least <= number <= 1 for number in given)):
            return f"`{name}` should be {channels} shares of full brightness, from {least:g} to 1, found {given}."
    return None


def _values(p: Prepared) -> str | None:
    usable = p.values.abs() <= MAX_VALUE  # False for NaN.
    if bool(usable.all()):
        return None
    row, column = (int(i) for i in torch.nonzero(~usable)[0])
    found = float(p.values[row, column])
    should = f"be at most {MAX_VALUE:g} in size" if math.isfinite(found) else "be a finite number"
    return f"{place(p, row, column)}: should {should}, found {found}."


def _parts(p: Prepared) -> str | None:
    if p.fold is None:
        if p.borders is None:
            return "a series should have `borders`."
        a, b, c = p.borders
        if not 0 < a < b < c <= p.rows:
            return (
                f"too few rows: every part needs at least one, found train {a}, validation {b - a}, test {c - b} "
                f"of {p.rows} rows."
            )
        return None
    return _folds(p)


def _folds(p: SourceData) -> str | None:
    """Of stored windows or images."""
    assert p.fold is not None
    what = _unit(p)
    outside = torch.nonzero((p.fold < -1) | (p.fold >= p.folds))
    if len(outside):
        number = int(outside[0])
        return f"`fold` of {what} {number} should be -1 (test) or 0 to {p.folds - 1}, found {int(p.fold[number])}."
    if not bool((p.fold == -1).any()):
        return f"too few {what}s: the test part is empty."
    empty = [f for f in range(p.folds) if not bool((p.fold == f).any())]
    return f"too few training {what}s: fold {empty[0]} of {p.folds} is empty." if empty else None


def _unit(p: SourceData) -> str:
    """What a label belongs to."""
    return "image" if isinstance(p, ImageSet) else "row" if p.fold is None else "window"


def _labels(p: SourceData) -> str | None:
    what = _unit(p)
    count = len(p.fold) if p.fold is not None else p.rows
    if set(p.labels) != set(p.classes):
        return f"`labels` and `classes` should have the same names, found {sorted(p.labels)} and {sorted(p.classes)}."
    for name, label in p.labels.items():
        names = p.classes[name]
        if not isinstance(label, Tensor) or label.dtype != torch.int64 or list(label.shape) != [count]:
            return f"label `{name}` should be an int64 tensor with one number for each of the {count} {what}s."
        if len(names) < 2 or len(set(names)) != len(names):
            return f"label `{name}` should have at least two classes with different names, found {names}."
        outside = torch.nonzero((label != NO_LABEL) & ((label < 0) | (label >= len(names))))
        if len(outside):
            row = int(outside[0])
            return (
                f"label `{name}`, {what} {row} (counted from 0): should be a class from 0 to {len(names) - 1}, "
                f"or {NO_LABEL} for none, found {int(label[row])}."
            )
        for fold in range(p.folds):
            known = label[part_masks(p, fold)["train"]]
            counts = torch.bincount(known[known != NO_LABEL], minlength=len(names))
            missing = torch.nonzero(counts == 0)
            if len(missing):
                held = f" when fold {fold} is held out" if p.fold is not None else ""
                return f"label `{name}`: class `{names[int(missing[0])]}` is missing from the training part{held}."
    return None


def _optimum(p: Prepared) -> str | None:
    length = None if p.oracle_forecast is None else len(p.oracle_forecast)
    if p.oracle_forecast is not None and (
        p.oracle_forecast.ndim != 3 or p.oracle_forecast.shape[2] != p.values.shape[1]
    ):
        return f"`oracle_forecast` should be n × H × {p.values.shape[1]}, found {list(p.oracle_forecast.shape)}."
    for name, chance in p.oracle_labels.items():
        if name not in p.classes:
            return f"`oracle_labels` should name labels among {sorted(p.classes)}, found {name!r}."
        if chance.ndim != 2 or chance.shape[1] != len(p.classes[name]) or length not in (None, len(chance)):
            return f"`oracle_labels` of `{name}` should be n × {len(p.classes[name])}, found {list(chance.shape)}."
    return None
