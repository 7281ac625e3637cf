"""Label rules: tasks that learn a label which their source does not have, but from which it can be made.

A coin belongs to its source: two tasks with one coin learn the same. Images are turned for the whole set of tasks, so
that each task sees the same pixels whether it is trained alone or with others.

n rows, stored windows or images of a source.
"""

from collections.abc import Mapping
from typing import assert_never

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mtl.config import Task
from mtl.config.labels import Border
from mtl.config.names import Derived
from mtl.data.inputs.base import Input
from mtl.seeding import generator
from mtl.types import NO_LABEL, SourceData


def derive_labels(
    tasks: dict[str, Task], sources: dict[str, Input[SourceData]]
) -> tuple[dict[str, str], dict[str, Input[SourceData]]]:
    """Checks what the tasks name, and makes the labels of their rules.

    Args:
        tasks: the whole section `tasks`, whichever of them are trained.
        sources: the prepared sources that they name; left as they are.

    Returns:
        Task → the label or numeric target of its source that it learns (tasks that learn what follows are absent), and
        the sources with the labels that rules make beside their own, `one_vs_rest(cat)` of the classes `rest` and
        `cat`. Of a source that a task of rule `flipped` learns from, the samples are turned upside down where its coin
        says so.

    Raises:
        SettingError: as `mtl.config.task_base.TaskBase.learns`.
    """
    learns: dict[str, str] = {}
    made = seen_by(tasks, sources)
    held = {name: source.held for name, source in made.items()}  # before rules add labels
    turned: dict[str, Derived] = {}  # One coin a source: `mtl.config.contradictions` refuses a second.
    for name, task in tasks.items():
        label = task.learns(name, held[task.source])
        if isinstance(label, Derived):
            made[task.source] = _with_label(made[task.source], label)
            if label.coin == "flipped":
                turned[task.source] = label
        if label is not None:
            learns[name] = label.name if isinstance(label, Derived) else label
    for name, derived in turned.items():
        made[name] = made[name].turned(made[name].data.labels[derived.name] == 1)
    return learns, made


def seen_by(tasks: Mapping[str, Task], sources: Mapping[str, Input[SourceData]]) -> dict[str, Input[SourceData]]:
    """The sources without the columns that tasks learn among their inputs.

    Args:
        tasks: the whole section `tasks`.
        sources: the prepared sources that they name.
    """
    return {
        name: source.for_tasks([task for task in tasks.values() if task.source == name])
        for name, source in sources.items()
    }


def _with_label(source: Input[SourceData], derived: Derived) -> Input[SourceData]:
    """The source with one label more; the optimum of the new label, where that of the old one is known."""
    data = source.data
    classes = data.classes | {derived.name: list(derived.classes)}
    if derived.of is None:
        labels = data.labels | {derived.name: _coin(data.name, derived, source.size)}
    elif derived.border is not None:
        labels = data.labels | {derived.name: on_a_side(data.numbers[derived.of], *derived.border)}
    else:
        labels = data.labels | {derived.name: _holds(data.labels[derived.of], derived)}
    oracle = source.oracle
    optimum = {} if oracle is None else dict(oracle.labels)
    if derived.of in optimum:
        optimum[derived.name] = _chance(optimum[derived.of], derived)
    elif derived.coin is not None and oracle is not None:
        optimum[derived.name] = torch.full((oracle.rows, 2), 0.5, dtype=torch.float64)
    return source.with_labels(labels, classes, optimum)


def _coin(source: str, derived: Derived, size: int) -> Int[Tensor, " n"]:
    drawer = generator(source, derived.coin, derived.seed)
    return torch.randint(0, 2, (size,), generator=drawer)


def _holds(label: Int[Tensor, " n"], derived: Derived) -> Int[Tensor, " n"]:
    """1 where the rule holds, 0 where not, NO_LABEL where the label is missing."""
    holds = torch.isin(label, torch.tensor(derived.positive)).long()
    return torch.where(label == NO_LABEL, NO_LABEL, holds)


def on_a_side(numbers: Float[Tensor, " n"], rule: Border, border: float) -> Int[Tensor, " n"]:
    """1 where a number is on the side of the border that the rule names, 0 where not, NO_LABEL where it is missing."""
    match rule:
        case "at_least":
            holds = numbers >= border
        case "at_most":
            holds = numbers <= border
        case "above":
            holds = numbers > border
        case "below":
            holds = numbers < border
        case _:
            assert_never(rule)
    return torch.where(numbers.isnan(), NO_LABEL, holds.long())


def _chance(chance: Float[Tensor, "m k"], derived: Derived) -> Float[Tensor, "m 2"]:
    """P(the rule holds) from the probabilities of the classes."""
    holds = chance[:, list(derived.positive)].sum(dim=1)
    return torch.stack([1 - holds, holds], dim=1)
