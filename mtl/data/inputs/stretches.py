"""Stretches of a series: the rows of training, validation and test, of one series or of several laid end to end.

R rows, G series.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from mtl.data.inputs.contract import columns_problem, fold_tensor_problem
from mtl.types import Prepared, Split


@dataclass(frozen=True)
class Stretch:
    """Rows [begin, stop) of one part of a series that starts at row `first`."""

    first: int
    begin: int
    stop: int

    def starts(self, length: int, ahead: int) -> Int[Tensor, " n"]:
        """Rows at which windows start whose target lies in the stretch.

        The first row of a target is the stretch's first row: the one after the window, or, of a target that belongs to
        the window, its last one. So windows of validation and test start before their part, though never before their
        series.
        """
        earliest = max(self.first, self.begin - length + (0 if ahead else 1))
        return torch.arange(earliest, max(earliest, self.stop - length - ahead + 1))

    def whole(self, length: int) -> Int[Tensor, " n"]:
        """Rows at which windows start that lie in the stretch as a whole."""
        return torch.arange(self.begin, max(self.begin, self.stop - length + 1))


def segments_of(data: Prepared) -> Int[Tensor, "G 4"]:
    """First row of each series, and the end rows of its train, validation and test parts."""
    if data.segments is not None:
        return data.segments
    assert data.borders is not None
    return torch.tensor([[0, *data.borders]])


def stretches(data: Prepared, split: Split, fold: int) -> list[Stretch]:
    """The stretch of one part in each series, in the order of the rows; or the whole series that are the part, where
    they have folds and `fold` is held out."""
    begin = {"train": 0, "val": 1, "test": 2}[split]
    if data.fold is not None:
        held = {-1: "test", fold: "val"}
        whole = zip(segments_of(data).tolist(), data.fold.tolist(), strict=True)
        return [Stretch(ends[0], ends[0], ends[3]) for ends, dealt in whole if held.get(dealt, "train") == split]
    return [Stretch(ends[0], ends[begin], ends[begin + 1]) for ends in segments_of(data).tolist()]


def rows_of(data: Prepared, split: Split, fold: int) -> Bool[Tensor, " R"]:
    """Mask of the rows of one part when `fold` is held out."""
    mask = torch.zeros(data.rows, dtype=torch.bool)
    for stretch in stretches(data, split, fold):
        mask[stretch.begin : stretch.stop] = True
    return mask


def segment_of(data: Prepared, rows: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
    """Number of the series that each row belongs to."""
    return torch.searchsorted(segments_of(data)[:, 0].contiguous(), rows, right=True) - 1


def form_problems(data: Prepared) -> list[str]:
    """Everything that is wrong with the form of the arrays, in whole sentences."""
    if not isinstance(data.values, Tensor) or data.values.ndim != 2 or data.values.dtype != torch.float64:
        is_tensor = isinstance(data.values, Tensor)
        actual = f"{data.values.dtype} {list(data.values.shape)}" if is_tensor else type(data.values).__name__
        return [f"`values` should be a float64 tensor of rows × channels, found {actual}."]
    problems = [columns_problem(data.columns, data.values.shape[1])]
    if data.window is None:
        if data.segments is not None and data.fold is not None:
            problems.append(fold_tensor_problem(data.fold, len(data.segments), "series"))
        elif data.fold is not None or data.folds != 1:
            problems.append("a series (`window` None) without `segments` should have no `fold`, and `folds` 1.")
    elif data.window < 1 or data.rows % data.window or data.rows == 0:
        problems.append(f"`values` should hold whole windows of {data.window} rows, found {data.rows} rows.")
    else:
        windows = data.rows // data.window
        problems.append(fold_tensor_problem(data.fold, windows, "window"))
        if data.groups is not None:
            groups = fold_tensor_problem(data.groups, windows, "window")
            problems.append(None if groups is None else groups.replace("`fold`", "`groups`"))
    if data.window is not None and data.borders is not None:
        problems.append("stored windows have folds, so `borders` should be None.")
    if data.known is not None and (
        not isinstance(data.known, Tensor) or data.known.dtype != torch.bool or data.known.shape != data.values.shape
    ):
        problems.append("`known` should be a bool tensor of the shape of `values`, True for what was measured.")
    if set(data.flags) - set(data.columns):
        problems.append(f"`flags` should be among the columns, found {list(data.flags)}.")
    if data.segments is not None:
        count = len(data.segment_names)
        if data.window is not None or list(data.segments.shape) != [count, 4] or data.segments.dtype != torch.int64:
            problems.append(
                "`segments` should be an int64 tensor of a series, with a row of four for each of the "
                f"{count} `segment_names`, found {data.segments.dtype} {list(data.segments.shape)}."
            )
    return [problem for problem in problems if problem is not None]


def parts_problem(data: Prepared) -> str | None:
    """Reason why a series cannot be cut into its parts, in a sentence; None if it can."""
    if data.segments is None and data.borders is None:
        return "a series should have `borders`."
    if data.segments is not None and data.borders is not None:
        return "a series with `segments` has the borders of each there, so `borders` should be None."
    segments = segments_of(data).tolist()
    ends = [*(following[0] for following in segments[1:]), data.rows]
    if segments[0][0] != 0:
        return f"`segments` should begin at row 0, found {segments[0][0]}."
    for number, ((begin, a, b, c), end) in enumerate(zip(segments, ends, strict=True)):
        whose = f" of {data.segment_names[number]}" if data.segments is not None else ""
        if data.fold is not None:
            if not begin < c <= end:
                return f"too few rows{whose}: a series needs at least one, found that it ends at row {c} of {end}."
            continue
        if not begin < a < b < c <= end:
            return (
                f"too few rows{whose}: every part needs at least one, found train {a - begin}, validation {b - a}, "
                f"test {c - b} of {end - begin} rows."
            )
    return None
