"""`prepare.sources`: where windows, series, images and labels come from; one class a kind of source."""

from collections.abc import Collection
from typing import Annotated, ClassVar, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, JsonValue, field_validator, model_validator

from mtl.config.common import (
    TARGET_PATTERN,
    Folds,
    Name,
    PositiveFraction,
    PositiveInt,
    Section,
    Seed,
)
from mtl.config.date_format import date_format_problem
from mtl.config.gaps import MaxGap
from mtl.config.images import Cifar10Source, Cifar100Source, DigitsSource, MnistSource, MultiMnistSource
from mtl.config.inputs import WINDOWS, InputKind, SourceBase
from mtl.config.regressions import RegressionsSource
from mtl.config.sensors import SensorsSource
from mtl.config.table_file import TableFile
from mtl.config.table_source import TableSource
from mtl.config.table_split import TestShare


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # No such place; no name of a file.
        raise ValueError(f"should be a place in the IANA database, such as Europe/Berlin; found {name!r}") from None
    return name


class FractionBorders(Section):
    """Chronological parts: the first `train` of the rows, the next `val`, the rest is the test part."""

    train: PositiveFraction = 0.7
    test: PositiveFraction = 0.2

    @model_validator(mode="after")
    def _leave_room(self) -> "FractionBorders":
        if self.train + self.test >= 1:
            raise ValueError("train + test should leave a share for validation, so be below 1")
        return self


class RowBorders(Section):
    """Explicit parts: rows [0, train) train, [train, val) validation, [val, test) test; later rows are unused."""

    train: PositiveInt
    val: PositiveInt
    test: PositiveInt

    @model_validator(mode="after")
    def _in_order(self) -> "RowBorders":
        if not self.train < self.val < self.test:
            raise ValueError("train, val and test are end rows and should increase")
        return self


class WholeSeriesBorders(Section):
    """Whole series of a long table (`id`) in one part each: what is learnt is tried on series that were never seen."""

    test_series: TestShare = 0.2
    """Share of the rows whose series are the test part, about: no series is cut."""
    folds: Folds = 5
    """Folds that the other series are dealt into; seed s validates on fold s mod folds. 1: a fifth of them is held out
    for every seed."""
    split_seed: Seed = 0
    """Draws the test series and deals the others."""


def check_exact_labels(exact: Collection[str], labels: Collection[str]) -> None:
    """Raises a ValueError unless every one of `exact_labels` is a label of the source."""
    unknown = [name for name in exact if name not in labels]
    if unknown:
        raise ValueError(
            f"exact_labels should be among the labels ({', '.join(labels) or 'none'}), found {unknown[0]!r}"
        )


class SeriesSource(TableFile):
    """A table in time order, from a file of text or Parquet, or from several."""

    holds: ClassVar[InputKind | None] = WINDOWS
    series: ClassVar[bool] = True

    kind: Literal["series"]
    also: list[str] = Field(default=[], exclude_if=lambda paths: not paths)
    """More files of the same columns, read as `path` is; their rows follow those of it."""
    file_column: str | None = Field(default=None, exclude_if=lambda name: name is None)
    """Name for the file that a row comes from, which tells series apart as a column of `id` does: the rows of each file
    are a series of its own. Null: the files are one series in pieces, or told apart by `id` alone."""
    date: str | Annotated[list[str], Field(min_length=1)] | None = "date"
    """Column with the time stamps; several, such as [day, time], are joined by blanks; null when there is none."""
    date_format: str | None = None
    """Form of the time stamps, as in strftime (%d.%m.%Y %H:%M), `ISO8601`, `number`, or `excel` (days as spreadsheets
    count them); null takes the one form that all rows prove. Two-digit years from 69 on are 19xx, others 20xx."""
    time_zone: Annotated[str, AfterValidator(_known_zone)] | None = None
    """Place whose clock the stamps were read from (Europe/Berlin): the hour that it repeats in autumn is told apart by
    the order of the rows. Null for stamps in UTC, with an offset, or of a clock that is never changed."""
    id: str | Annotated[list[str], Field(min_length=1)] | None = None
    """Column, or columns, whose values tell the series of a long table apart (`store`): the rows of each are a series
    of its own, with `borders` of its own, which no window crosses."""
    values: list[str] | None = None
    """Value columns; null takes every column but `date`, `labels` and `targets`, row numbers and ids."""
    labels: list[str] = []
    """Columns with a class for every row, for classification tasks. Empty cells, NaN, NA and null are no label; blanks
    around a name, letter case and spellings of one number (1, 1.0, 01) make no other class."""
    exact_labels: list[str] = []
    """Label columns in which every spelling is a class of its own, and only an empty cell or NaN is no label."""
    targets: list[str] = []
    """Columns with a number for every row, known at that row, for regression tasks; they are no inputs. An empty cell
    and a missing marker are no target."""
    allow: list[str] = []
    """Value columns that may be a copy of a label or of a target, or have a value of its own for each of its values,
    because they are known before it is."""
    units: dict[str, str] = {}
    """Column → unit in words; a unit in brackets at the end of a column's name, as in `T (degC)`, is read by itself."""
    on_missing: Literal["error", "keep_markers", "interpolate", "ffill"] = "error"
    """`keep_markers` leaves the marker's number in the data, as the published benchmarks do. `interpolate` (by time,
    where there are time stamps) and `ffill` fill in inputs, within a part; filled cells are never targets and count in
    no metric, mean or spread. Cells before the first or after the last known value of a part are not filled, and
    windows that read them are left out."""
    max_gap: MaxGap = 48
    """Longest hole that is filled: rows, or a span of time such as 6h; a longer one is an error."""
    flag_filled: bool = False
    """A column of 0 and 1 beside each channel in which cells were filled says which, as an input."""
    on_duplicate: Literal["error", "first", "last", "mean", "keep"] = "error"
    on_unordered: Literal["error", "sort"] = "error"
    on_constant: Literal["error", "keep", "drop"] = "error"
    borders: FractionBorders | RowBorders | WholeSeriesBorders = FractionBorders()
    """Parts: shares of the rows in order of time, or end rows, of each series; or whole series (`test_series`)."""

    @field_validator("date_format")
    @classmethod
    def _tells_a_time(cls, form: str | None) -> str | None:
        problem = None if form is None else date_format_problem(form)
        if problem is not None:
            raise ValueError(problem)
        return form

    @model_validator(mode="after")
    def _files_differ(self) -> "SeriesSource":
        self.check_files(self.files, self.also, self.file_column)
        return self

    @model_validator(mode="after")
    def _stamps_and_ids(self) -> "SeriesSource":
        if self.time_zone is not None and self.date is None:
            raise ValueError("time_zone is for time stamps, and `date` names no column of them")
        if isinstance(self.borders, WholeSeriesBorders) and not self.ids:
            raise ValueError("borders.test_series holds out whole series: `id` or `file_column` should tell them apart")
        for column in self.ids:
            if column in (*self.stamp_columns, *(self.values or [])):
                role = "date" if column in self.stamp_columns else "values"
                raise ValueError(
                    f"id should name columns that are nothing else, found {column!r}, which is in `{role}`"
                )
        return self

    @model_validator(mode="after")
    def _exact_labels_are_labels(self) -> "SeriesSource":
        check_exact_labels(self.exact_labels, self.labels)
        return self

    @model_validator(mode="after")
    def _targets_are_nothing_else(self) -> "SeriesSource":
        roles: dict[str, Collection[str]] = {
            "date": self.stamp_columns, "id": self.ids, "values": self.values or [], "labels": self.labels,
        }  # fmt: skip
        for target in self.targets:
            if self.targets.count(target) > 1:
                raise ValueError(f"targets should name each column once, found {target!r} more than once")
            for role, columns in roles.items():
                if target in columns:
                    raise ValueError(
                        f"targets should name columns that are nothing else, found {target!r}, which is "
                        f"in `{role}` too: take it out of one of them"
                    )
        return self

    @property
    def ids(self) -> list[str]:
        """Columns whose values tell the series of a long table apart; that of the files first."""
        of_file = [] if self.file_column is None else [self.file_column]
        return [*of_file, *self._written_ids]

    @property
    def _written_ids(self) -> list[str]:
        if self.id is None:
            return []
        return [self.id] if isinstance(self.id, str) else self.id

    @property
    def files(self) -> list[str]:
        return [self.path, *self.also]

    @property
    def stamp_columns(self) -> list[str]:
        """Columns of the file that make up the time stamps."""
        return [self.date] if isinstance(self.date, str) else self.date or []

    @property
    def date_column(self) -> str | None:
        """Column of the table with the time stamps, joined where they stand in several; None where there are none."""
        return None if self.date is None else " + ".join(self.stamp_columns)

    @property
    def roles(self) -> dict[str, list[str]]:
        return {
            "date": self.stamp_columns, "id": self._written_ids, "labels": self.labels, "targets": self.targets,
            "values": self.values or [],
        }  # fmt: skip

    @property
    def text_columns(self) -> list[str]:
        return [*self.stamp_columns, *self._written_ids, *self.labels]

    @property
    def joined(self) -> dict[str, list[str]]:
        return {str(self.date_column): self.stamp_columns} if len(self.stamp_columns) > 1 else {}

    @property
    def labels_among_inputs(self) -> list[str]:
        return [label for label in self.labels if label in (self.values or [])]

    @property
    def tagged(self) -> list[str]:
        return self.labels


class HarSource(SourceBase):
    """UCI HAR, nine raw inertial channels: the zip (also nested in an outer zip) or its unzipped folder."""

    holds: ClassVar[InputKind | None] = WINDOWS

    kind: Literal["har"]
    path: str = "data/raw/UCI HAR Dataset.zip"
    folds: Annotated[int, Field(ge=1, le=21, strict=True)] = 5
    """Training subjects are dealt into this many groups; seed s holds out group s mod folds for validation. 1: a fifth
    of them, drawn by split_seed, is held out for every seed."""
    split_seed: Seed = 0

    @property
    def files(self) -> list[str]:
        return [self.path]


class UeaSource(SourceBase):
    """A set of the UEA/UCR archive or of its extrinsic regression archive, in .ts format: `<stem>_TRAIN.ts` and
    `<stem>_TEST.ts`. The header says whether a case has a class (label `label`) or a number (target `target`)."""

    holds: ClassVar[InputKind | None] = WINDOWS

    kind: Literal["uea"]
    path: str
    """Path up to `_TRAIN.ts`, relative to the project's folder."""
    folds: Folds = 5
    split_seed: Seed = 0
    on_unequal_length: Literal["error", "resample", "left_pad"] = "error"
    """`resample` stretches to the longest length; `left_pad` repeats the first value in front."""
    on_missing: Literal["error", "interpolate"] = "error"
    """Treatment of `?`: `interpolate` draws a line between the neighbours in the same channel."""

    @property
    def files(self) -> list[str]:
        return [f"{self.path}_TRAIN.ts", f"{self.path}_TEST.ts"]


class ArraysSource(SourceBase):
    """One .npz with `x_train` [N, L, C], `x_test`, and a `y_train`/`y_test` [N] for each label or target name; with
    `folds: 1` it may hold a validation part of its own, `x_val` and `y_val`."""

    holds: ClassVar[InputKind | None] = WINDOWS

    kind: Literal["arrays"]
    path: str
    labels: dict[Name, str] | None = None
    """Label name → stem of its arrays (`y` means `y_train` and `y_test`), of whole numbers or of names, which are read
    as those of a table are. null takes {label: y}, or no label where `targets` are named."""
    missing_label: Annotated[int, Field(strict=True)] | str | None = None
    """Number or name that stands for no label, such as -1; null: none does, and -1 is a class like others. NaN and an
    empty name are no label in any case."""
    exact_labels: list[str] = []
    """Labels in which every spelling of a name is a class of its own."""
    targets: dict[Name, str] = {}
    """Numeric target → stem of its arrays of numbers; NaN is missing."""
    groups: str | None = None
    """Stem of the array (`subject` → `subject_train`) whose groups are held out whole; null: stratified."""
    folds: Folds = 5
    split_seed: Seed = 0

    @model_validator(mode="after")
    def _no_name_twice(self) -> "ArraysSource":
        twice = [name for name in self.targets if name in self.label_stems]
        if twice:
            raise ValueError(f"targets should have other names than labels, found {twice[0]!r} in both")
        check_exact_labels(self.exact_labels, self.label_stems)
        return self

    @property
    def label_stems(self) -> dict[str, str]:
        """Label name → stem of its arrays."""
        if self.labels is None:
            return {} if self.targets else {"label": "y"}
        return self.labels

    @property
    def files(self) -> list[str]:
        return [self.path]


class PythonSource(SourceBase):
    """A user's own source under plugins/: `target: module:callable` returns an `mtl.types.Prepared` (windows or a
    series), an `mtl.types.ImageSet`, or an `mtl.types.RowSet` (rows of numbers)."""

    kind: Literal["python"]
    target: Annotated[str, Field(pattern=TARGET_PATTERN)]
    path: str | None = None
    options: dict[str, JsonValue] = {}
    """Given to the target by name; plain values, lists and maps."""

    @property
    def files(self) -> list[str]:
        return [] if self.path is None else [self.path]


Source = Annotated[
    SensorsSource | RegressionsSource | SeriesSource | HarSource | UeaSource | ArraysSource | PythonSource
    | DigitsSource | MnistSource | MultiMnistSource | Cifar10Source | Cifar100Source | TableSource,
    Field(discriminator="kind"),
]  # fmt: skip


class PrepareConfig(Section):
    """`prepare`: one DVC stage a source, `prepare@<name>`."""

    sources: Annotated[dict[Name, Source], Field(min_length=1)]


__all__ = [
    "ArraysSource", "Cifar100Source", "Cifar10Source", "DigitsSource", "FractionBorders", "HarSource", "MnistSource",
    "MultiMnistSource", "PrepareConfig", "PythonSource", "RegressionsSource", "RowBorders", "SeriesSource", "Source",
    "TableSource", "UeaSource", "WholeSeriesBorders",
]  # fmt: skip
