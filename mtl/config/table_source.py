"""`kind: table`: rows of any columns, each a sample, and how they are dealt into train, validation and test."""

from collections import Counter
from typing import Annotated, Literal, get_args

from pydantic import Field, field_validator, model_validator

from mtl.config.common import Folds, PositiveInt, Section, Seed
from mtl.config.conll import ConllFiles, Scheme
from mtl.config.date_format import date_format_problem
from mtl.config.image_files import ImageFiles
from mtl.config.inputs import IMAGES, ROWS, TOKENS, InputKind, Known
from mtl.config.line_files import LineFiles
from mtl.config.table_file import TableFile
from mtl.config.texts import TextOptions
from mtl.errors import shown

ColumnType = Literal["number", "category", "boolean", "date", "text", "image", "ignore"]
"""Type of the cells of a column."""
ALONE: tuple[ColumnType, ...] = ("text", "image")
"""Types of columns that are the only input of their table: no network reads them beside others yet."""
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


class TableSource(TableFile):
    """A table of samples, one a row, from a file of text, Parquet, Feather, ARFF or a spreadsheet; or a folder with a
    folder of images for each class, which is a table of the columns `image` and `class`."""

    kind: Literal["table"]
    also: list[str] = []
    """More files of the same columns, read as `path` is; their rows follow those of it."""
    file_column: str | None = None
    """Name of an input that tells which of these files a row comes from, by the file's name; null: there is none."""
    inputs: Annotated[dict[str, ColumnType] | list[str], Field(min_length=1)] | None = None
    """Columns that are inputs, with their types or as a list; null takes every column that no task learns, row numbers
    and ids apart. A column that a task learns is no input in any case."""
    types: dict[str, ColumnType] = {}
    """Column → its type, where the inferred one is wrong; also of columns that are no inputs."""
    images: ImageFiles | None = None
    """Files that the column of type `image` among the inputs names, which is then the only input."""
    ignore: list[str] = []
    """Columns that are neither inputs nor targets."""
    weight: str | None = None
    """Column with the weight of each row in the losses, 0 or more; metrics count every row once. It is no input."""
    allow: list[str] = []
    """Columns that may be a copy of a target, or have a value of their own for each of its values, because they are
    known before it is."""
    lines: LineFiles | None = None
    """Folders of texts and their classes, a line each, which `path` holds; null: `path` is a table."""
    conll: ConllFiles | None = Field(default=None, exclude_if=lambda conll: conll is None)
    """Files of sentences, a word a line, which `path` holds; null: `path` is a table, or one such file."""
    texts: TextOptions = TextOptions()
    """Reading of a column of texts, which is then the only input."""
    tags: dict[str, Scheme] = Field(default={}, exclude_if=lambda tags: not tags)
    """Column with a tag for each word of the texts → its scheme. Words and tags are lists as JSON has them, or stand
    with blanks between."""
    exact_labels: list[str] = []
    """Columns in which every spelling is a category of its own, and only an empty cell or NaN is missing."""
    date_format: dict[str, str] = {}
    """Column of dates → form of its cells, as in strftime (%d.%m.%Y), or `excel` for days as spreadsheets count them;
    without it the one form that all rows prove."""
    numbers: Literal["zscore", "quantile"] = "zscore"
    """Form in which networks see a number: its z-score, or the normal quantile at its rank among training rows, which
    brings far values near. What is missing is the median of training rows, beside a flag."""
    rare: PositiveInt = 1
    """Categories that fewer training rows than this have are one unknown category, as those are which none has."""
    units: dict[str, str] = {}
    """Column → unit in words; a unit in brackets at the end of a column's name, as in `T (degC)`, is read by itself."""
    split: Split = RandomSplit(kind="random")
    folds: Folds | None = None
    """Parts that training rows are dealt into; seed s validates on part s mod F. 1: one fixed validation part for every
    seed, a fifth. Null: 5, or 1 where `split` names the validation rows; `cross` has its own."""
    split_seed: Seed = 0
    """Seed of the draw of test rows and folds."""

    @field_validator("date_format")
    @classmethod
    def _forms_tell_a_time(cls, forms: dict[str, str]) -> dict[str, str]:
        for column, form in forms.items():
            problem = date_format_problem(form)
            if problem is not None:
                raise ValueError(f"of {column!r} {problem}")
        return forms

    @model_validator(mode="after")
    def _files_differ(self) -> "TableSource":
        self.check_files(self.files, self.also, self.file_column)
        several = "conll" if self.conll is not None else "lines"
        if (self.conll or self.lines) and (self.also or isinstance(self.split, FilesSplit)):
            raise ValueError(
                f"also and `split: {{kind: files}}` should be left out beside `{several}`, which names files"
            )
        if self.conll is not None and self.lines is not None:
            raise ValueError("conll should stand without lines, found both")
        return self

    @model_validator(mode="after")
    def _tags_stand_beside_words(self) -> "TableSource":
        if self.tags and self.text_column is None:
            raise ValueError(f"inputs should be `{{WORDS: text}}` alone beside `tags`, found {shown(self.inputs)}")
        for column in self.tags:
            if column == self.text_column or column in self.ignore or column in self.split_columns:
                raise ValueError(f"tags should name no column of `inputs`, `ignore` or `split`, found {column!r}")
        return self

    @model_validator(mode="after")
    def _columns_have_one_part(self) -> "TableSource":
        named = list(self.inputs or [])
        for setting, columns in (("inputs", named), ("ignore", self.ignore), ("allow", self.allow)):
            twice = [column for column, times in Counter(columns).items() if times > 1]
            if twice:
                raise ValueError(f"{setting} should name each column once, found {twice[0]!r} more than once")
        alone = {"weight": [self.weight] if self.weight is not None else [], "ignore": self.ignore}
        alone["split"] = self.kept_apart
        for column in named:
            for setting, columns in alone.items():
                if column in columns:
                    raise ValueError(f"inputs should name no column of `{setting}`, found {column!r} in both")
        for column in self.ignore:
            if column == self.weight or column in self.split_columns:
                raise ValueError(f"ignore should name no column of `weight` or `split`, found {column!r}")
        if isinstance(self.split, CrossSplit) and self.folds is not None and self.folds != self.split.folds:
            raise ValueError(f"folds should be left out beside `split: {{kind: cross}}`, found {self.folds}")
        return self

    @model_validator(mode="after")
    def _types_agree(self) -> "TableSource":
        given = self.inputs if isinstance(self.inputs, dict) else {}
        for column, kind in given.items():
            if kind == "ignore":
                raise ValueError(f"inputs should leave out what is no input, found {column!r}: ignore")
            if self.types.get(column, kind) != kind:
                raise ValueError(f"types and inputs should agree, found {self.types[column]} and {kind} of {column!r}")
        alone = next((column for column in self.inputs or [] if self.declared.get(column) in ALONE), None)
        if alone is not None and (len(self.inputs or []) > 1 or self.file_column is not None):
            other = next((column for column in self.inputs or [] if column != alone), self.file_column)
            raise ValueError(
                f"inputs should be {alone!r} ({self.declared[alone]}) alone, found {other!r} beside it: no network "
                "reads both yet, so leave one of them out"
            )
        for column in self.date_format:
            if self.declared.get(column, "date") != "date":
                raise ValueError(f"date_format is for dates, found {column!r}, which is a {self.declared[column]}")
        return self

    @model_validator(mode="after")
    def _images_have_a_folder(self) -> "TableSource":
        given = self.inputs if isinstance(self.inputs, dict) else {}
        images = [column for column, kind in given.items() if kind == "image"]
        if self.images is not None and not images:
            raise ValueError(
                "inputs should name the column of image files where `images` says where they lie, as in "
                f"`inputs: {{photo: image}}`, found {shown(self.inputs)}"
            )
        if images and self.images is None:
            raise ValueError(
                f"images should say where the files of {images[0]!r} lie, as in "
                "`images: {folder: data/raw/photos, size: [64, 64]}`, found nothing"
            )
        return self

    @property
    def known(self) -> Known | None:
        return None if self.images is None else Known(self.images.shape, None, None)

    @property
    def image_column(self) -> str | None:
        """Column with the names of image files that is the input; None without one."""
        return None if self.images is None else next(iter(self.inputs or ()))

    @property
    def input(self) -> InputKind | None:
        if self.images is not None:
            return IMAGES
        return ROWS if self.text_column is None else TOKENS

    @property
    def text_column(self) -> str | None:
        """The column of texts that is the only input; None where columns of other types are."""
        named = list(self.inputs or [])
        return named[0] if len(named) == 1 and self.declared.get(named[0]) == "text" else None

    @property
    def files(self) -> list[str]:
        several = self.lines or self.conll
        first = [self.path] if several is None else several.files_of(self.path)
        tables = [*first, *self.also, *([self.split.test_path] if isinstance(self.split, FilesSplit) else [])]
        folder = None if self.images is None else self.images.folder
        return tables if folder is None or folder in tables else [*tables, folder]

    @property
    def to_add(self) -> list[str]:
        return self.files

    @property
    def tagged(self) -> list[str]:
        return list(self.tags)

    @property
    def allowed(self) -> list[str]:
        return self.allow

    @property
    def declared(self) -> dict[str, ColumnType]:
        """Column → the type that the section says, where it says one."""
        given = self.inputs if isinstance(self.inputs, dict) else {}
        dates: dict[str, ColumnType] = dict.fromkeys(self.date_format, "date")
        ignored: dict[str, ColumnType] = dict.fromkeys(self.ignore, "ignore")
        return {**dates, **self.types, **given, **ignored}

    @property
    def group_column(self) -> str | None:
        """Column whose groups are never cut between parts."""
        match self.split:
            case GroupSplit(column=column):
                return column
            case CrossSplit(group=column) | FilesSplit(group=column):
                return column
        return None

    @property
    def kept_apart(self) -> list[str]:
        """Columns of `split` that are never inputs: groups and names of parts."""
        part = self.split.column if isinstance(self.split, ColumnSplit) else None
        return [column for column in (self.group_column, part) if column is not None]

    @property
    def split_columns(self) -> list[str]:
        """Columns that `split` names."""
        match self.split:
            case RandomSplit() | GroupSplit() | CrossSplit() | FilesSplit():
                others = [self.split.stratify]
            case TimeSplit(column=column):
                others = [column]
            case _:
                others = []
        return [*self.kept_apart, *(column for column in others if column is not None)]

    @property
    def by_windows(self) -> bool:
        return True

    @property
    def roles(self) -> dict[str, list[str]]:
        return {
            "inputs": list(self.inputs or []), "types": list(self.types), "ignore": self.ignore,
            "weight": [] if self.weight is None else [self.weight], "allow": self.allow,
            "exact_labels": self.exact_labels, "date_format": list(self.date_format), "units": list(self.units),
            "split": self.split_columns, "tags": list(self.tags),
        }  # fmt: skip


COLUMN_TYPES: tuple[ColumnType, ...] = get_args(ColumnType)
