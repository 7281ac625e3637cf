"""`split` of a table: how its rows are dealt into train, validation and test."""

from collections import Counter
from typing import Annotated, Literal

from pydantic import Field, model_validator

from mtl.config.common import PositiveInt, Section

TestShare = Annotated[float, Field(gt=0, lt=1, strict=True)]
Duplicates = Literal["warn", "together"]
"""Rows that equal each other in every column that is read: `warn` deals them out like others and tells how many test
rows have a copy in train; `together` keeps all copies of a row in one part."""
Values = Annotated[list[str], Field(min_length=1)]


class RandomSplit(Section):
    """Test rows drawn at random by `split_seed`; the others are dealt into folds at random."""

    kind: Literal["random"]
    test: TestShare = 0.2
    stratify: str | None = None
    """Column whose classes, or quarters of whose numbers, every part holds in equal shares."""
    duplicates: Duplicates = "warn"


class GroupSplit(Section):
    """Whole groups of rows (a person, a site) in the test part, and whole groups in each fold."""

    kind: Literal["group"]
    column: str
    """Column that names the group of a row; it is no input."""
    test: TestShare = 0.2
    """Share of the rows, about: groups are never cut."""
    stratify: str | None = None
    """Column whose classes, or quarters of whose numbers, every part holds in about equal shares: of many draws of
    whole groups the one that comes closest. Null: one draw, whatever the groups hold."""


class TimeSplit(Section):
    """The latest rows are the test part; folds are stretches of time, and with `folds: 1` the latest of the others
    are the validation part. Rows of one time stay together."""

    kind: Literal["time"]
    column: str | None = None
    """Column of dates or numbers; it is an input only if `inputs` names it. Null: rows stand in the order of time."""
    test: TestShare | PositiveInt = 0.2
    """Share of the rows, or their number."""


class ColumnSplit(Section):
    """A column names the part of each row; it is no input. Without a validation value the training rows are dealt
    into folds."""

    kind: Literal["column"]
    column: str
    train: Values = ["train", "training"]
    val: list[str] = ["val", "valid", "validation", "dev"]
    test: Values = ["test", "testing"]

    @model_validator(mode="after")
    def _parts_differ(self) -> "ColumnSplit":
        count = Counter([*self.train, *self.val, *self.test])
        twice = [value for value, times in count.items() if times > 1]
        if twice:
            raise ValueError(f"train, val and test should name each value once, found {twice[0]!r} more than once")
        return self


class CrossSplit(Section):
    """Cross-validation: seed s tests on fold s mod `folds` and validates on the next, so that as many seeds as folds
    test every row once."""

    kind: Literal["cross"]
    folds: Annotated[int, Field(ge=3, le=50, strict=True)] = 10
    stratify: str | None = None
    """Column whose classes, or quarters of whose numbers, every fold holds in equal shares."""
    group: str | None = None
    """Column whose groups are never cut; it is no input."""
    duplicates: Duplicates = "warn"

    @model_validator(mode="after")
    def _one_way(self) -> "CrossSplit":
        if self.group is not None and (self.stratify is not None or self.duplicates == "together"):
            raise ValueError("group should stand alone: whole groups cannot be stratified or joined to their copies")
        return self


class FilesSplit(Section):
    """The test rows stand in a file of their own, `test_path`; those of `path` are dealt into folds."""

    kind: Literal["files"]
    test_path: str
    """File of the same columns, read as `path` is, relative to the project's folder."""
    test_skip_rows: Annotated[int, Field(ge=0, strict=True)] | None = None
    """Lines at its top that are not read; null: as many as `skip_rows`."""
    group: str | None = None
    """Column whose groups are never cut between training and validation rows; it is no input."""
    stratify: str | None = None
    """Column whose classes, or quarters of whose numbers, every fold holds in equal shares."""


Split = Annotated[
    RandomSplit | GroupSplit | TimeSplit | ColumnSplit | CrossSplit | FilesSplit, Field(discriminator="kind")
]
