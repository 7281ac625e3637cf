"""Label rules: tasks that learn a label which their source does not have, but from which it can be made.

A coin belongs to its source: two tasks with one coin learn the same. Images are turned for the whole set of tasks, so
that each task sees the same pixels whether it is trained alone or with others.

n rows, stored windows or images of a source.
"""

from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mtl.config import Task
from mtl.config.names import Derived, check_names
from mtl.seeding import generator
from mtl.types import NO_LABEL, ImageSet, Prepared, SourceData


def derive_labels(
    tasks: dict[str, Task], sources: dict[str, SourceData]
) -> tuple[dict[str, str], dict[str, SourceData]]:
    """Checks what the tasks name, and makes the labels of their rules.

    Args:
        tasks: the whole section `tasks`, whichever of them are trained.
        sources: the prepared sources that they name; left as they are.

    Returns:
        Task → the label of its source that it learns (forecasts are absent), and the sources with the labels that
        rules make beside their own, `one_vs_rest(cat)` of the classes `rest` and `cat`. Of a source that a task of
        rule `flipped` learns from, the images are turned upside down where its coin says so.

    Raises:
        SettingError: as `mtl.config.names.check_names`.
    """
    labels: dict[str, str] = {}
    made = dict(sources)
    turned: dict[str, Derived] = {}  # One coin a source: `mtl.config.contradictions` refuses a second.
    for name, task in tasks.items():
        source = sources[task.source]
        found = check_names(name, task, source.columns, source.classes, isinstance(source, ImageSet))
        if isinstance(found, Derived):
            made[task.source] = _with_label(made[task.source], found)
            if found.coin == "flipped":
                turned[task.source] = found
        if found is not None:
            labels[name] = found.name if isinstance(found, Derived) else found
    for name, derived in turned.items():
        source = made[name]
        assert isinstance(source, ImageSet)
        flipped = source.labels[derived.name] == 1
        images = source.images.clone()
        images[flipped] = images[flipped].flip(2)
        made[name] = replace(source, images=images)
    return labels, made


def _with_label(source: SourceData, derived: Derived) -> SourceData:
    """The source with one label more; the optimum of the new label, where that of the old one is known."""
    classes = source.classes | {derived.name: list(derived.classes)}
    if derived.of is None:
        size = len(source.fold) if source.fold is not None else source.rows
        labels = source.labels | {derived.name: _coin(source.name, derived, size)}
    else:
        labels = source.labels | {derived.name: _holds(source.labels[derived.of], derived)}
    if not isinstance(source, Prepared):
        return replace(source, labels=labels, classes=classes)
    optimum = dict(source.oracle_labels)
    if derived.of in optimum:
        optimum[derived.name] = _chance(optimum[derived.of], derived)
    elif derived.of is None and source.oracle_forecast is not None:
        optimum[derived.name] = torch.full((len(source.oracle_forecast), 2), 0.5, dtype=torch.float64)
    return replace(source, labels=labels, classes=classes, oracle_labels=optimum)


def _coin(source: str, derived: Derived, size: int) -> Int[Tensor, " n"]:
    drawer = generator(source, derived.coin, derived.seed)
    return torch.randint(0, 2, (size,), generator=drawer)


def _holds(label: Int[Tensor, " n"], derived: Derived) -> Int[Tensor, " n"]:
    """1 where the rule holds, 0 where not, NO_LABEL where the label is missing."""
    holds = torch.isin(label, torch.tensor(derived.positive)).long()
    return torch.where(label == NO_LABEL, NO_LABEL, holds)


def _chance(chance: Float[Tensor, "m k"], derived: Derived) -> Float[Tensor, "m 2"]:
    """P(the rule holds) from the probabilities of the classes."""
    holds = chance[:, list(derived.positive)].sum(dim=1)
    return torch.stack([1 - holds, holds], dim=1)
