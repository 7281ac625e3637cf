"""`mtl.verdicts`: test values of single-task and joint runs → what joint training did to each task.

n seeds, K tasks, N test samples.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mtl.api.frames import compared_cells
from mtl.api.given import array_of, names_for, numbers_of
from mtl.config.metrics import METRICS
from mtl.config.training import DEFAULT_MARGIN
from mtl.errors import DataError, UserError, shown
from mtl.evaluation.components import Components, change_components
from mtl.evaluation.family import Changes, judge_family, percent_changes
from mtl.evaluation.intervals import t_interval
from mtl.results.samples import BlockErrors, in_blocks
from mtl.tasks.undefined import Undefined

Array = NDArray[np.float64]
COLUMNS = (
    "method", "task", "metric", "stl", "joint", "change", "low", "high", "new_data_low", "new_data_high", "verdict",
    "verdict_in_words", "covers",
)  # fmt: skip
"""Columns of the frame, as those of `Result.verdicts`."""
JOINT = "joint"
"""Name of a method that nobody has named."""


@dataclass(frozen=True)
class Wish:
    """How values are to be judged: arguments as a caller gave them, which nobody has looked at."""

    metric: object
    lower_is_better: object
    margin: object
    confidence: object
    blocks: object
    tasks: object


@dataclass(frozen=True)
class Values:
    """Test values of one task on one side."""

    by_seed: list[float]
    """[n]"""
    by_sample: Array | None
    """[n, N]; None where the metric alone is given."""


Side = dict[str, Values]
"""Task → its values."""


def verdicts(stl: object, joint: object, wish: Wish) -> pd.DataFrame:
    """As `mtl.verdicts`, which is the way in."""
    confidence = _share("confidence", wish.confidence, 0.5)
    index = _index(stl)
    alone = _side(stl, "stl", wish.tasks, index)
    methods = {name: _side(form, where, wish.tasks, index) for name, (where, form) in _methods(joint, stl).items()}
    _check_pairs(alone, methods)
    _check_names(alone, wish)
    directions = {task: _direction(task, wish) for task in alone}
    margins = {task: _margin(task, wish.margin) for task in alone}
    blocks = {task: _blocks(task, values, wish.blocks) for task, values in alone.items()}
    rows, family = [], []
    for method, side in methods.items():
        for task, values in side.items():
            before, lower = alone[task], directions[task]
            percent = percent_changes(before.by_seed, values.by_seed, lower)
            parts = _parts(before, values, lower, blocks[task]) if percent else Undefined("")
            family.append(Changes(percent, margins[task], len(percent or before.by_seed), parts))
            rows.append({"method": method, "task": task, "metric": _label(task, wish),
                         "stl": _mean(before), "joint": _mean(values)})  # fmt: skip
    judged = judge_family(family, confidence, "widest")
    cells = [row | compared_cells(judgement) for row, judgement in zip(rows, judged, strict=True)]
    return pd.DataFrame(cells, columns=list(COLUMNS))


def _mean(values: Values) -> float | None:
    """The mean over seeds, as verdicts.json has it."""
    return t_interval(values.by_seed, 0.95).mean


def _methods(joint: object, stl: object) -> dict[str, tuple[str, object]]:
    """Method → name of its argument, and its values. A mapping is one of methods where its values are sides of their
    own, or where tasks have no names."""
    if isinstance(joint, Mapping) and joint:
        named = isinstance(stl, Mapping | pd.DataFrame)
        if not named or all(isinstance(form, Mapping | pd.DataFrame) for form in joint.values()):
            return {str(name): (f"joint[{name!r}]", form) for name, form in joint.items()}
    return {JOINT: ("joint", joint)}


def _index(form: object) -> pd.Index | None:
    """Names of the seeds, where the single-task values have some."""
    if isinstance(form, pd.DataFrame | pd.Series):
        return form.index
    if isinstance(form, Mapping):
        return next((values.index for values in form.values() if isinstance(values, pd.Series | pd.DataFrame)), None)
    return None


def _side(form: object, where: str, tasks: object, index: pd.Index | None) -> Side:
    """Values of every task of one side."""
    named: dict[str, Any]
    if isinstance(form, pd.DataFrame):
        named = {str(name): form.iloc[:, place] for place, name in enumerate(form.columns)}
        if len(named) < form.shape[1]:
            raise DataError(f"`{where}` should name each task once, found two columns of one name.")
    elif isinstance(form, Mapping):
        named = {str(name): values for name, values in form.items()}
    else:
        array = numbers_of(form, where)
        if array.ndim not in (1, 2):
            raise DataError(f"`{where}` should have the shape [n] or [n, K], found {list(array.shape)}.")
        columns = array[:, None] if array.ndim == 1 else array
        names = names_for(columns.shape[1]) if tasks is None else _names(tasks)
        if len(names) != columns.shape[1] or len(set(names)) < len(names):
            raise DataError(
                f"`tasks` should be {columns.shape[1]} different names, one a column, found {shown(names)}."
            )
        if isinstance(form, pd.Series):
            named = {names[0]: form}
        else:
            named = {name: columns[:, place] for place, name in enumerate(names)}
    if not named:
        raise DataError(f"`{where}` should hold a task at least, found none.")
    return {name: _values(values, f"{where}[{name!r}]", index) for name, values in named.items()}


def _names(tasks: object) -> list[str]:
    if isinstance(tasks, str) or not isinstance(tasks, Sequence) or any(not isinstance(name, str) for name in tasks):
        raise UserError(f"`tasks` should be a list of names, found {shown(tasks)}.")
    return list(tasks)


def _values(values: object, where: str, index: pd.Index | None) -> Values:
    """Values of one task, in the order of the seeds."""
    if index is not None and isinstance(values, pd.Series | pd.DataFrame) and not values.index.equals(index):
        if not index.is_unique or not values.index.is_unique or set(values.index) != set(index):
            raise DataError(
                f"`{where}` should have the seeds of `stl` as its index, found others: runs are paired by seed."
            )
        values = values.loc[index]
    array = numbers_of(values, where)
    if array.ndim not in (1, 2) or array.size == 0:
        raise DataError(
            f"`{where}` should hold a value for each seed [n], or one for each seed and test sample [n, N], found the "
            f"shape {list(array.shape)}."
        )
    if len(array) < 2:
        raise UserError(f"`{where}` should hold two seeds or more, found {len(array)}: one has no spread.")
    if array.min() < 0:
        raise UserError(
            f"`{where}` should hold metrics from 0 on, whose relative change means something, found {array.min():.4g}."
        )
    if array.ndim == 1:
        return Values(array.tolist(), None)
    return Values(array.mean(axis=1).tolist(), array)


def _check_pairs(alone: Side, methods: Mapping[str, Side]) -> None:
    """Raises where a method has a task that nobody trained alone, or other seeds or samples."""
    (first, values), *_ = alone.items()
    count = len(values.by_seed)
    for task, other in alone.items():
        if len(other.by_seed) != count:
            raise DataError(
                f"`stl` should have as many seeds for all tasks, found {first} {count}, {task} {len(other.by_seed)}."
            )
    for method, side in methods.items():
        unknown = [task for task in side if task not in alone]
        if unknown:
            raise DataError(f"`joint` should hold tasks of `stl` ({', '.join(alone)}), found {shown(unknown[0])}.")
        for task, joint in side.items():
            single, of = alone[task], f"{task} of {method}"
            if len(joint.by_seed) != count:
                raise DataError(
                    f"`joint` should have the {count} seeds of `stl`, with which its runs are paired, found "
                    f"{len(joint.by_seed)} for {of}."
                )
            shapes = [None if part.by_sample is None else part.by_sample.shape[1] for part in (single, joint)]
            if shapes[0] != shapes[1]:
                told = ["none" if shape is None else f"{shape:,}" for shape in shapes]
                raise DataError(
                    f"`joint` should hold the test samples of `stl`, or metrics alone as it does, found {told[1]} "
                    f"samples in the place of {told[0]} for {of}."
                )


def _check_names(alone: Side, wish: Wish) -> None:
    """Raises where an argument names a task that is not there."""
    given = {
        "metric": wish.metric,
        "lower_is_better": wish.lower_is_better,
        "margin": wish.margin,
        "blocks": wish.blocks,
    }
    for argument, value in given.items():
        if isinstance(value, Mapping):
            unknown = [name for name in value if name not in alone]
            if unknown:
                raise UserError(f"`{argument}` should name tasks ({', '.join(alone)}), found {shown(unknown[0])}.")


def _label(task: str, wish: Wish) -> str | None:
    """Name of the metric of a task, where it has one."""
    label = wish.metric.get(task) if isinstance(wish.metric, Mapping) else wish.metric
    if label is not None and not isinstance(label, str):
        raise UserError(f"`metric` should be a name, or a mapping of tasks to names, found {shown(label)}.")
    return label


def _direction(task: str, wish: Wish) -> bool:
    """True where a lower value is better."""
    label, told = _label(task, wish), wish.lower_is_better
    lower = told.get(task) if isinstance(told, Mapping) else told
    if lower is not None and not isinstance(lower, bool | np.bool_):
        raise UserError(
            f"`lower_is_better` should be True or False, or a mapping of tasks to them, found {shown(lower)}."
        )
    known = METRICS.get(label or "")
    if known is None and lower is None:
        names = ", ".join(name for name, metric in METRICS.items() if metric.comparable)
        odd = "" if label is None else f", found {label!r}"
        raise UserError(
            f"`metric` should be one of {names} for {task}{odd}: `lower_is_better` tells the direction of another."
        )
    if known is None:
        return bool(lower)
    if not known.comparable:
        raise UserError(f"`metric` should be one whose relative change means something for {task}, found {label!r}.")
    if lower is not None and bool(lower) != known.lower_is_better:
        better = "lower" if known.lower_is_better else "higher"
        raise UserError(f"`lower_is_better` should be left out for {task}: of {label}, {better} is better.")
    return known.lower_is_better


def _margin(task: str, margin: object) -> float:
    return _share("margin", margin.get(task, DEFAULT_MARGIN) if isinstance(margin, Mapping) else margin, 0.0)


def _share(name: str, value: object, least: float) -> float:
    """A number from `least` to 1, without 1.

    Raises:
        UserError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, Real) or not least <= float(value) < 1:
        raise UserError(f"`{name}` should be a number from {least:g} to below 1, found {shown(value)}.")
    return float(value)


def _blocks(task: str, values: Values, blocks: object) -> NDArray[np.int64] | None:
    """[N] numbers of the blocks of test samples; each sample is one where none are told."""
    own = blocks.get(task) if isinstance(blocks, Mapping) else blocks
    if values.by_sample is None:
        if own is not None:
            raise UserError(
                f"`blocks` should be left out where metrics alone are given, as for {task}: samples have blocks."
            )
        return None
    count = values.by_sample.shape[1]
    if own is None:
        return np.arange(count)
    codes, _ = pd.factorize(np.asarray(array_of(own, "blocks")), sort=False)
    if codes.ndim != 1 or len(codes) != count or (codes < 0).any():
        raise DataError(f"`blocks` should name a block for each of the {count:,} test samples of {task}.")
    return codes


def _parts(before: Values, after: Values, lower: bool, blocks: NDArray[np.int64] | None) -> Components | Undefined:
    """Variance components of the change for new data; none where the metric alone is given."""
    if blocks is None or before.by_sample is None or after.by_sample is None:
        return Undefined("")
    sides = [[_errors(row, lower, blocks) for row in side] for side in (before.by_sample, after.by_sample)]
    return change_components(sides[0], sides[1], lower)


def _errors(row: Array, lower: bool, blocks: NDArray[np.int64]) -> BlockErrors:
    """Values of the samples of a run as errors, added up over blocks: the metric is their mean, or 1 less it."""
    return in_blocks(row if lower else 1 - row, blocks)
