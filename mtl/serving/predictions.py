"""Answers as columns of a table: a row a sample, or a row a step ahead where something is forecast.

n samples, H rows ahead.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from mtl.tasks.answers import Answer, Classes, Numbers, Tags

SAMPLE = "sample"
"""Column of the number of a sample, from 0."""
STEP = "step"
"""Column of the rows ahead: 0 is the sample itself."""
Columns = dict[str, Any]
"""Name → [n] or [n, H] values."""


@dataclass(frozen=True)
class Parts:
    """Columns of answers: of the samples themselves [n], and of the rows ahead of them [n, H]."""

    now: Columns
    ahead: Columns


def parts(answers: Mapping[str, Answer]) -> Parts:
    """Columns of the answers to some tasks.

    A number has the name of its task, a forecast that of several channels `task:channel`; quantiles end in `_q0.1`. A
    label has its class under the name of the task, and the probability of each class under `task_p:class`; a tagging
    the tags of the words of a text with blanks between, and under `task_p` the probability of each of them.
    """
    now: Columns = {}
    ahead: Columns = {}
    for task, answer in answers.items():
        match answer:
            case Classes():
                now[task] = np.array(answer.predicted, dtype=object)
                for place, name in enumerate(answer.classes):
                    now[f"{task}_p:{name}"] = answer.probabilities[:, place]
            case Tags():
                now[task] = np.array([" ".join(tags) for tags in answer.predicted], dtype=object)
                now[f"{task}_p"] = np.array(
                    [" ".join(map(_short, chance)) for chance in answer.probabilities], dtype=object
                )
            case Numbers() if answer.values.ndim == 1:
                now |= _with_quantiles(task, answer, ())
            case Numbers():
                for place, column in enumerate(answer.columns):
                    name = task if len(answer.columns) == 1 else f"{task}:{column}"
                    ahead |= _with_quantiles(name, answer, (slice(None), place))
    return Parts(now, ahead)


def _with_quantiles(name: str, answer: Numbers, place: tuple[Any, ...]) -> Columns:
    values = answer.values[place] if place else answer.values
    columns: Columns = {name: values}
    if answer.quantiles is not None:
        of = answer.quantiles[place] if place else answer.quantiles
        columns |= {f"{name}_q{level:g}": of[..., number] for number, level in enumerate(answer.levels)}
    return columns


def _short(chance: Float[np.ndarray, " k"]) -> str:
    """The probability of the most probable class."""
    return f"{chance.max():.4f}"


def table_of(answers: Mapping[str, Answer], count: int) -> pd.DataFrame:
    """Answers for n samples: a row a sample, or a row for each of the rows ahead with the number of its sample."""
    columns = parts(answers)
    if not columns.ahead:
        return wide(columns, count)
    table = long(columns, count)
    table.insert(0, SAMPLE, np.repeat(np.arange(count), len(table) // count))
    return table


def wide(columns: Parts, count: int) -> pd.DataFrame:
    """A row a sample [n]; nothing is forecast."""
    assert not columns.ahead
    return pd.DataFrame(columns.now, index=pd.RangeIndex(count))


def long(columns: Parts, count: int, most: int | None = None) -> pd.DataFrame:
    """A row for each sample and each of the rows ahead of it, after each other: `step` counts from 0, the sample
    itself, which is left out where only rows ahead are predicted.

    Args:
        columns: of n samples.
        count: n.
        most: H of the table; None: that of the longest forecast.
    """
    high = most or max(values.shape[1] for values in columns.ahead.values())
    first = 0 if columns.now else 1
    steps = np.arange(first, high + 1)
    table: Columns = {STEP: np.tile(steps, count)}
    for name, values in columns.now.items():
        spread = np.full((count, len(steps)), None if values.dtype == object else np.nan, dtype=values.dtype)
        spread[:, 0] = values
        table[name] = spread.ravel()
    for name, values in columns.ahead.items():
        spread = np.full((count, len(steps)), np.nan, dtype=values.dtype)
        spread[:, 1 - first : 1 - first + values.shape[1]] = values
        table[name] = spread.ravel()
    return pd.DataFrame(table)
