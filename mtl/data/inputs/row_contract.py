"""Rules for the arrays of rows of a table: numbers, categories, weights, groups.

S rows, F numbers, G categories of a row.
"""

import torch
from torch import Tensor

from mtl.data.inputs.contract import MAX_VALUE, columns_problem, fold_tensor_problem
from mtl.types import NO_CATEGORY, MixedSet, RowSet, TextSet


def form_problems(p: RowSet) -> list[str]:
    """Everything that is wrong with the form of the arrays, in whole sentences."""
    is_tensor = isinstance(p.values, Tensor)
    if not is_tensor or p.values.ndim != 2 or p.values.dtype != torch.float64 or not len(p.values):
        actual = f"{p.values.dtype} {list(p.values.shape)}" if is_tensor else type(p.values).__name__
        return [f"`values` should be a float64 tensor of rows × columns, found {actual}."]
    count, columns = p.values.shape
    if columns == 0 and p.categories is None and not isinstance(p, TextSet | MixedSet):
        return [
            f"`values` should be a float64 tensor of rows × columns, found {p.values.dtype} {list(p.values.shape)}."
        ]
    problems = [
        columns_problem(p.columns, columns),
        fold_tensor_problem(p.fold, count, "row"),
        _categories_form(p, count),
        _groups_form(p, count),
    ]
    weights = p.weights
    if weights is not None and (
        not isinstance(weights, Tensor) or weights.dtype != torch.float64 or list(weights.shape) != [count]
    ):
        problems.append(f"`weights` should be a float64 tensor with one number for each of the {count} rows.")
    return [problem for problem in problems if problem is not None]


def _categories_form(p: RowSet, count: int) -> str | None:
    """Problem of the form of categories and their names, or None."""
    names, codes = p.category_columns, p.categories
    if codes is None:
        return None if not names else f"`categories` should hold a column for each of {names}, found none."
    if not isinstance(codes, Tensor) or codes.dtype != torch.int32 or list(codes.shape) != [count, len(names)]:
        return (
            f"`categories` should be an int32 tensor of the {count} rows × the {len(names)} columns of "
            "`category_columns`."
        )
    twice = len(set(names)) != len(names) or bool(set(names) & set(p.columns))
    if not names or twice:
        return f"`category_columns` should be different names, none of them in `columns`, found {names}."
    if set(p.vocabularies) != set(names):
        return f"`vocabularies` should have the names of `category_columns`, found {sorted(p.vocabularies)}."
    return None


def _groups_form(p: RowSet, count: int) -> str | None:
    """Problem of the form of groups and their names, or None."""
    if p.groups is None:
        return None
    problem = fold_tensor_problem(p.groups, count, "row")
    if problem is not None:
        return problem.replace("`fold`", "`groups`")
    low, high = int(p.groups.min()), int(p.groups.max())
    if low < 0 or high >= len(p.group_names):
        return f"`groups` should be numbers of the {len(p.group_names)} `group_names`, found {low} to {high}."
    return None


def crossed_problem(p: RowSet) -> str | None:
    """Problem of the folds of cross-validation, or None."""
    if p.folds < 3:
        return (
            f"`folds` of cross-validation should be at least 3, to train on, validate on and test on; found {p.folds}."
        )
    counts = torch.bincount(p.fold.clamp(min=0), minlength=p.folds)
    if int(p.fold.min()) < 0 or len(counts) > p.folds:
        outside = int(p.fold[(p.fold < 0) | (p.fold >= p.folds)][0])
        return f"`fold` of cross-validation should be from 0 to {p.folds - 1}, found {outside}."
    empty = torch.nonzero(counts == 0)
    return f"too few rows: fold {int(empty[0])} of {p.folds} is empty." if len(empty) else None


def value_problems(p: RowSet) -> list[str]:
    """Problems of numbers, categories and weights, the first of each; their form is right."""
    problems = [_numbers(p), *(_codes(p, place) for place in range(len(p.category_columns))), _weights(p)]
    return [problem for problem in problems if problem is not None]


def _numbers(p: RowSet) -> str | None:
    wrong = []
    for column in range(len(p.columns)):  # One after the other: what is asked of all takes more than they do.
        values = p.values[:, column]
        usable = (values.abs() <= MAX_VALUE) | values.isnan()
        if not bool(usable.all()):
            wrong.append((int(torch.nonzero(~usable)[0]), column))
    if not wrong:
        return None
    row, column = min(wrong)
    return (
        f"row {row} (counted from 0), column `{p.columns[column]}`: should be a finite number of at most "
        f"{MAX_VALUE:g} in size, or NaN where it is missing, found {float(p.values[row, column])}."
    )


def _codes(p: RowSet, place: int) -> str | None:
    """Problem of one column of categories, or None."""
    assert p.categories is not None
    column, codes = p.category_columns[place], p.categories[:, place]
    names = p.vocabularies[column]
    if len(set(names)) != len(names):
        return f"`vocabularies` of `{column}` should be different names, found {names[:10]}."
    outside = torch.nonzero((codes != NO_CATEGORY) & ((codes < 0) | (codes >= len(names))))
    if not len(outside):
        return None
    row = int(outside[0])
    return (
        f"row {row} (counted from 0), column `{column}`: should be one of its {len(names)} categories, counted from 0, "
        f"or {NO_CATEGORY} where it is missing, found {int(codes[row])}."
    )


def _weights(p: RowSet) -> str | None:
    """Problem of the weights, or None."""
    if p.weights is None:
        return None
    usable = (p.weights >= 0) & (p.weights <= MAX_VALUE)  # False for NaN.
    if not bool(usable.all()):
        row = int(torch.nonzero(~usable)[0])
        return f"row {row} (counted from 0): its weight should be a number from 0 on, found {float(p.weights[row])}."
    for fold in range(p.folds):
        train = (p.fold != -1) & (p.fold != fold)
        if not bool((p.weights[train] > 0).any()):
            return f"`weights` should not all be 0 in the training rows, as they are when fold {fold} is held out."
    return None
