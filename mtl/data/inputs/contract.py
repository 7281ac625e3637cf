"""Rules for the targets and folds of every source, whatever its samples are.

F folds, k classes.
"""

import re

import torch
from torch import Tensor

from mtl.data.inputs.base import Input
from mtl.types import NO_LABEL, SourceData

MAX_VALUE = 1e100
"""The squares of larger ones, of which a standard deviation is made, are no numbers of float64."""
NUMBER = re.compile(r"[+-]?[0-9.]+([eE][+-]?[0-9]+)?")
MANY_CLASSES = 20
"""Classes up to which a label whose classes hardly repeat is none the less one."""


def folds_problem(data: SourceData, place: str) -> str | None:
    """Problem of the folds of what is dealt into some, `place` in words, or None."""
    fold, folds = data.fold, data.folds
    if not isinstance(fold, Tensor) or fold.dtype != torch.int64 or fold.ndim != 1:
        return f"`fold` should be an int64 tensor with one number for each {place}."
    if folds < 1:
        return f"`folds` should be at least 1, found {folds}."
    outside = torch.nonzero((fold < -1) | (fold > folds))
    if len(outside):
        number = int(outside[0])
        held_out = "0 (validation)" if folds == 1 else f"0 to {folds - 1}"
        return (
            f"`fold` of {place} {number} should be -1 (test), {held_out}, or {folds} (always trained on), found "
            f"{int(fold[number])}."
        )
    if not bool((fold == -1).any()):
        return f"too few {place}s: the test part is empty."
    empty = [f for f in range(folds) if not bool((fold == f).any())]
    if empty:
        return f"too few training {place}s: fold {empty[0]} of {folds} is empty."
    if folds == 1 and not bool((fold == 1).any()):
        return f"too few training {place}s: all have fold 0, which is held out; those with fold 1 are trained on."
    return None


def fold_tensor_problem(fold: object, count: int, place: str) -> str | None:
    """Problem of a tensor of folds of `count` samples, or None."""
    if not isinstance(fold, Tensor) or fold.dtype != torch.int64 or list(fold.shape) != [count]:
        return f"`fold` should be an int64 tensor with one number for each of the {count} {place}s."
    return None


def columns_problem(columns: list[str], count: int) -> str | None:
    """Problem of the names of `count` channels, or None."""
    if len(columns) != count or len(set(columns)) != len(columns):
        return f"`columns` should be {count} different names, found {columns}."
    return None


def targets_problems(source: Input[SourceData], parts: bool) -> list[str]:
    """Problems of labels and numeric targets, the first of each.

    Args:
        source: its arrays have the right form.
        parts: its parts are right as well, so that targets can be held against them.
    """
    data = source.data
    problems: list[str | None] = []
    if set(data.labels) != set(data.classes):
        labels, classes = sorted(data.labels), sorted(data.classes)
        problems.append(f"`labels` and `classes` should have the same names, found {labels} and {classes}.")
    problems += [_label(source, name, parts) for name in data.labels if name in data.classes]
    problems += [_number(source, name, parts) for name in data.numbers]
    return [problem for problem in problems if problem is not None]


def _label(source: Input[SourceData], name: str, parts: bool) -> str | None:
    data, place, count = source.data, source.place, source.size
    label, names = data.labels[name], data.classes[name]
    if not isinstance(label, Tensor) or label.dtype != torch.int64 or list(label.shape) != [count]:
        return f"label `{name}` should be an int64 tensor with one number for each of the {count} {place}s."
    if len(names) < 2 or len(set(names)) != len(names):
        return f"label `{name}` should have at least two classes with different names, found {names}."
    outside = torch.nonzero((label != NO_LABEL) & ((label < 0) | (label >= len(names))))
    if len(outside):
        number = int(outside[0])
        return (
            f"label `{name}`, {place} {number} (counted from 0): should be a class from 0 to {len(names) - 1}, "
            f"or {NO_LABEL} for none, found {int(label[number])}."
        )
    for fold in range(data.folds if parts else 0):
        known = label[source.masks(fold)["train"]]
        counts = torch.bincount(known[known != NO_LABEL], minlength=len(names))
        missing = torch.nonzero(counts == 0)
        if len(missing):
            held = f" when fold {fold} is held out" if data.folds > 1 else ""
            labelled = int((label != NO_LABEL).sum())
            if len(names) > MANY_CLASSES and 2 * len(names) > labelled:
                remedy = (
                    "a number to predict belongs in `targets` (task of `kind: regression`; `numbers` of own code), not "
                    "among the labels"
                    if all(NUMBER.fullmatch(name) for name in names)
                    else "texts of which nearly each is there once are no classes: leave it out of the labels"
                )
                return (
                    f"label `{name}` has {len(names)} classes in {labelled} {place}s, and `{names[int(missing[0])]}` "
                    f"is not among those of the training part{held}: {remedy}."
                )
            return (
                f"label `{name}`: class `{names[int(missing[0])]}` is missing from the training part{held}, which "
                f"should hold every class: {_other_parts(source, 'train')}, or leave the label of its samples empty."
            )
    return None


def _number(source: Input[SourceData], name: str, parts: bool) -> str | None:
    data, place, count = source.data, source.place, source.size
    values = data.numbers[name]
    if not isinstance(values, Tensor) or values.dtype != torch.float64 or list(values.shape) != [count]:
        return f"target `{name}` should be a float64 tensor with one number for each of the {count} {place}s."
    if name in data.columns:
        return f"target `{name}` has the name of an input: nothing could be learnt but to copy it."
    if name in data.labels:
        return f"target `{name}` has the name of a label."
    outside = torch.nonzero(values.abs() > MAX_VALUE)  # False for NaN, which is missing.
    if len(outside):
        number = int(outside[0])
        return (
            f"target `{name}`, {place} {number} (counted from 0): should be at most {MAX_VALUE:g} in size, or NaN "
            f"for none, found {float(values[number])}."
        )
    problem = _parts_problem(source, values) if parts else None
    return None if problem is None else f"target `{name}`: {problem}, or leave the target out."


def _parts_problem(source: Input[SourceData], values: Tensor) -> str | None:
    """Problem that keeps a numeric target from being learnt and measured in every part, with a remedy; or None."""
    for fold in range(source.data.folds):
        held = f" when fold {fold} is held out" if source.data.folds > 1 else ""
        for part, mask in source.masks(fold).items():
            known = values[mask][~values[mask].isnan()]
            named = {"train": "training", "val": "validation"}.get(part, part)
            if not len(known):
                wanted = f"the {named} part{held} should have a {source.place} with a value, found none"
                return f"{wanted}: {_other_parts(source, part)}"
            if part == "train" and bool((known == known[0]).all()):
                counted = f"{len(known)}, all {float(known[0]):g}" if len(known) > 1 else "1"
                wanted = f"the training part{held} should have at least two different values, found {counted}"
                return f"{wanted}: {_other_parts(source, part)}"
    return None


def _other_parts(source: Input[SourceData], part: str) -> str:
    """Remedy that brings other samples into a part of a source, in words."""
    if source.series:
        return "choose other `borders`"
    if part == "test":
        return f"give the {source.place}s of that part some"
    return f"deal other {source.place}s into it (`split_seed`, `folds`; `fold` of own code)"
