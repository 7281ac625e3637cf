"""`kind: table`: rows of any columns, each a sample, and how they are dealt into train, validation and test."""

from collections import Counter
from typing import Annotated, Literal, get_args

from pydantic import Field, field_validator, model_validator

from mtl.config.common import Folds, PositiveInt, Seed
from mtl.config.conll import ConllFiles, Scheme
from mtl.config.date_format import date_format_problem
from mtl.config.image_files import ImageFiles
from mtl.config.inputs import MIXED, InputKind, Known, PartLayout
from mtl.config.line_files import LineFiles
from mtl.config.table_file import TableFile
from mtl.config.table_split import ColumnSplit, CrossSplit, FilesSplit, GroupSplit, RandomSplit, Split, TimeSplit
from mtl.config.texts import TextOptions
from mtl.errors import shown

ColumnType = Literal["number", "category", "boolean", "date", "text", "image", "ignore"]
"""Type of the cells of a column."""
ONCE: tuple[ColumnType, ...] = ("text", "image")
"""Types of which a table has one input at most, and only where `inputs` names it."""


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
    """Files that the column of type `image` among the inputs names."""
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
    """Reading of the column of texts among the inputs."""
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
        if self.tags and (self.text_column is None or self.input.mixed):
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
        for once in ONCE:
            several = self._inputs_of(once)
            if len(several) > 1:
                raise ValueError(
                    f"inputs should hold one column of type {once} at most, found {several[0]!r} and {several[1]!r}: "
                    "leave one of them out"
                )
        for column in self.date_format:
            if self.declared.get(column, "date") != "date":
                raise ValueError(f"date_format is for dates, found {column!r}, which is a {self.declared[column]}")
        return self

    @model_validator(mode="after")
    def _images_have_a_folder(self) -> "TableSource":
        images = self._inputs_of("image")
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
        return None if self.images is None or self.input.mixed else Known(self.images.shape, None, None)

    @property
    def image_column(self) -> str | None:
        """Column with the names of image files among the inputs; None without one."""
        return None if self.images is None else next(iter(self._inputs_of("image")), None)

    @property
    def text_column(self) -> str | None:
        """Column of texts among the inputs; None without one."""
        return next(iter(self._inputs_of("text")), None)

    @property
    def input(self) -> InputKind:
        kinds = [part.kind for part in self.parts]
        return MIXED if len(kinds) > 1 else kinds[0]

    @property
    def parts(self) -> tuple[PartLayout, ...]:
        image, text = self.image_column, self.text_column
        others = [column for column in self.inputs or [] if column not in (image, text)]
        rows = [PartLayout("rows", (None,))] if others or self.file_column or (image is None and text is None) else []
        images = [] if image is None or self.images is None else [PartLayout("image", self.images.shape)]
        return (*rows, *images, *([] if text is None else [PartLayout("text", (1,))]))

    @property
    def pictured(self) -> bool:
        return self.images is not None

    @property
    def once(self) -> list[str]:
        """Inputs of types of which there is one at most."""
        return [column for column in (self.image_column, self.text_column) if column is not None]

    def _inputs_of(self, kind: ColumnType) -> list[str]:
        """Columns of a type among the inputs."""
        return [column for column in self.inputs or [] if self.declared.get(column) == kind]

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
