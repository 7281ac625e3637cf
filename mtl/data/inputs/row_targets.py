"""Columns of a table that tasks learn, taken out of its inputs; and sentences on categories that training rows lack.

S rows.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TypeVar

import torch
from jaxtyping import Bool, Float64, Int
from torch import Tensor

from mtl.config.cells import MOST_CLASSES
from mtl.data.inputs.base import PARTS
from mtl.data.inputs.scaling import stays_mapped
from mtl.errors import DataError
from mtl.types import NO_CATEGORY, NO_LABEL, RowSet, Split

MOST_NAMES = 4
MOST_COLUMNS = 4
Rows = TypeVar("Rows", bound=RowSet)


def without_targets(data: Rows, named: Collection[str], sorts: Collection[str] = (), alone: bool = True) -> Rows:
    """The rows with the columns that tasks name as targets: numbers among `numbers`, categories among `labels`; columns
    that are no inputs are left out.

    Args:
        data: rows whose columns may be targets or inputs.
        named: names that tasks learn or that their rules are made from; those of no column are left alone.
        sorts: those of them that tasks read as classes: whole numbers are then labels as well.
        alone: the columns are all that a sample has, so that some have to be left.

    Raises:
        DataError: no input is left.
    """
    gone = {*named, *data.aside}
    kept = [place for place, name in enumerate(data.columns) if name not in gone]
    others = [place for place, name in enumerate(data.category_columns) if name not in gone]
    if (len(kept), len(others)) == (len(data.columns), len(data.category_columns)):
        return data
    if alone and not kept and not others:
        raise DataError(
            f"{data.name}: every column is a target of some task ({', '.join(sorted(named))}) or no input, so that no "
            "input is left: leave a task out, or name other `inputs`."
        )
    assert data.places is None
    labels, classes, numbers = targets_of(data, named, sorts)
    values, places = _without_others(data.values, kept)
    columns = [data.category_columns[place] for place in others]
    return replace(
        data,
        values=values,
        places=places,
        columns=[data.columns[place] for place in kept],
        categories=None if data.categories is None or not others else data.categories[:, others],
        category_columns=columns,
        vocabularies={name: data.vocabularies[name] for name in columns},
        numbers=data.numbers | numbers,
        labels=data.labels | labels,
        classes=data.classes | classes,
        aside=[],
    )


def _without_others(values: Float64[Tensor, "S F"], kept: list[int]) -> tuple[Float64[Tensor, "S _"], list[int] | None]:
    """Values of some columns, and their places among them where others are left beside them: a copy of a large source
    would fill memory."""
    if kept and kept == list(range(kept[0], kept[-1] + 1)):
        return values[:, kept[0] : kept[-1] + 1], None
    if stays_mapped(len(values) * len(kept)):
        return values, kept
    return values[:, kept], None


def targets_of(
    data: RowSet, named: Collection[str], sorts: Collection[str]
) -> tuple[dict[str, Int[Tensor, " S"]], dict[str, list[str]], dict[str, Float64[Tensor, " S"]]]:
    """Labels, their classes, and numbers that the columns of some names are as targets; arguments as of
    `without_targets`."""
    numbers = {name: data.values[:, place].clone() for place, name in enumerate(data.columns) if name in named}
    labels, classes = {}, {}
    for place, name in enumerate(data.category_columns):
        if name in named:
            assert data.categories is not None
            labels[name] = data.categories[:, place].long()  # what is missing is NO_LABEL
            classes[name] = data.vocabularies[name]
    for name in numbers:
        sorted_out = whole_classes(numbers[name]) if name in sorts else None
        if sorted_out is not None:
            labels[name], classes[name] = sorted_out
    return labels, classes, numbers


def whole_classes(numbers: Float64[Tensor, " S"]) -> tuple[Int[Tensor, " S"], list[str]] | None:
    """Class of each of some whole numbers, NO_LABEL where it is missing, and the names of the classes, by size; None
    where they are not whole, or too many to be classes."""
    known = ~numbers.isnan()
    values, places = torch.unique(numbers[known], return_inverse=True)
    if len(values) > MOST_CLASSES or bool((values != values.round()).any()) or bool((values.abs() >= 2**53).any()):
        return None
    label = torch.full((len(numbers),), NO_LABEL, dtype=torch.int64)
    label[known] = places
    return label, [str(int(value)) for value in values.tolist()]


def row_remarks(data: RowSet, masks: Mapping[Split, Bool[Tensor, " S"]]) -> list[str]:
    """Sentences on categories of validation or test rows that no training row has."""
    told = []
    for place, column in enumerate(data.category_columns):
        assert data.categories is not None
        codes, vocabulary = data.categories[:, place], data.vocabularies[column]
        known = torch.unique(codes[masks["train"]])
        strange: dict[str, None] = {}
        counts = []
        for split in ("val", "test"):
            there = codes[masks[split]]
            lacking = there[(there != NO_CATEGORY) & ~torch.isin(there, known)]
            strange |= dict.fromkeys(vocabulary[number] for number in torch.unique(lacking).tolist())
            if len(lacking):
                counts.append(f"{len(lacking):,} {PARTS[split]} rows" if len(lacking) > 1 else f"1 {PARTS[split]} row")
        if counts:
            names = list(strange)
            more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
            told.append(f"{column} ({', '.join(names[:MOST_NAMES])}{more}; {' and '.join(counts)})")
    if not told:
        return []
    more = f" and {len(told) - MOST_COLUMNS} other columns" if len(told) > MOST_COLUMNS else ""
    return [f"no training row has some categories of {', '.join(told[:MOST_COLUMNS])}{more}: seen as unknown."]
