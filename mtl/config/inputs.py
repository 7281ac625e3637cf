"""Kinds of input: what a sample of a source is, as far as it is known before any file is read; imports no torch."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, ClassVar, Literal

from mtl.config.common import Problem, Section

Shape = tuple[int | None, ...]
"""Shape of one sample: (C, L) of a window, (C, Y, X) of an image, (F,) of a row; None where only the data tell. (1,) of
a text: each place of it is one code, and only a batch tells how many there are. (P,) of a mixed sample: the numbers of
its parts end to end, where a text counts as one."""


@dataclass(frozen=True)
class InputKind:
    """Kind of the samples of a source, such as windows, images or rows.

    Args:
        name: the kind, as `prepare` writes it.
        noun: several samples in words.
        dimensions: of a sample's shape.
        has_length: a task may say how many rows a sample has (`input_len`).
        continues: rows follow a sample, so that they can be forecast.
        turns: a sample can be turned upside down.
        tabular: a sample has columns that tasks may learn, whatever the source calls them.
        pictured: a sample is an image, which files may hold and `train.augment` may change.
        texts: a sample is a text, as the codes of its tokens.
        positions: parts of a sample that may have a class each, in words; empty: there are none.
        mixed: a sample has parts of other kinds.
    """

    name: str
    noun: str
    dimensions: int
    has_length: bool = False
    continues: bool = False
    turns: bool = False
    tabular: bool = False
    pictured: bool = False
    texts: bool = False
    positions: str = ""
    mixed: bool = False

    @property
    def ragged(self) -> bool:
        """A batch is as long as its longest sample."""
        return self.texts or self.mixed

    @property
    def mapped(self) -> bool:
        """A linear map of the numbers of a sample can be the start of a network."""
        return self.dimensions == 1 and not self.ragged

    def words(self, shape: Shape) -> str:
        """Samples of a shape, in words."""
        match self.name:
            case "images":
                if None in shape:
                    return f"images of {shape[0]} channel{'' if shape[0] == 1 else 's'}"
                return f"images of {' × '.join(map(str, shape))}: channels, rows, columns"
            case "windows":
                return "windows" if shape[1] is None else f"windows of {shape[1]} rows"
            case "tokens" | "mixed":
                return self.noun
            case _:
                return self.noun if None in shape else f"{self.noun} of {shape[0]} numbers"


@dataclass(frozen=True)
class RowLayout:
    """Order of the W numbers that a network sees of a row of a table: its F numbers, 1 for each missing one of those
    that training rows lack some of, and the code of each category (0 unknown, 1 missing, 2 and more a known name).
    A text has one code, that of the token at each of its places.

    Args:
        numbers: F.
        flags: places of the numbers that have a number for being missing, ascending.
        codes: number of codes of each category, at least 2.
    """

    numbers: int
    flags: tuple[int, ...] = ()
    codes: tuple[int, ...] = ()

    @property
    def width(self) -> int:
        """W."""
        return self.numbers + len(self.flags) + len(self.codes)

    @property
    def expanded(self) -> int:
        """Numbers of a row with a column for each code of a category, 0 apart, in place of the code."""
        return self.numbers + len(self.flags) + sum(count - 1 for count in self.codes)


WINDOWS = InputKind("windows", "windows", 2, has_length=True, continues=True, positions="steps")
IMAGES = InputKind("images", "images", 3, turns=True, pictured=True)
ROWS = InputKind("rows", "rows", 1, tabular=True)
TOKENS = InputKind("tokens", "texts", 1, tabular=True, texts=True, positions="words")
MIXED = InputKind("mixed", "mixtures of inputs", 1, tabular=True, mixed=True)
INPUT_KINDS = (WINDOWS, IMAGES, ROWS, TOKENS, MIXED)
PartName = Literal["rows", "image", "text"]
PART_KINDS: dict[PartName, InputKind] = {"rows": ROWS, "image": IMAGES, "text": TOKENS}
"""Part of a mixed sample → its kind, in the order in which parts stand; a text is the last, for its length varies."""


def kind_named(name: str | None) -> InputKind:
    """The kind that `prepare` wrote; windows have none written."""
    return next(kind for kind in INPUT_KINDS if kind.name == (name or WINDOWS.name))


@dataclass(frozen=True)
class PartLayout:
    """One part of a mixed sample: numbers that stand beside those of other parts.

    Args:
        name: of the part.
        shape: of a sample of the part, as networks see it alone; (1,) of a text.
        layout: meaning of the numbers of a row, or codes of a text.
    """

    name: PartName
    shape: Shape
    layout: RowLayout | None = None

    @property
    def kind(self) -> InputKind:
        """Kind of the part."""
        return PART_KINDS[self.name]

    @property
    def numbers(self) -> int:
        """Numbers of the part in a sample; of a text 1, though it takes what is left of a batch."""
        return prod(number for number in self.shape if number is not None)

    @property
    def columns(self) -> int:
        """Columns of a table that the part is made from."""
        if self.kind.tabular and self.layout is not None:
            return self.layout.numbers + len(self.layout.codes)
        return self.numbers if self.kind.tabular else 1


def placed(parts: Iterable[PartLayout]) -> Iterator[tuple[PartLayout, int]]:
    """Each part with the place of its first number in a sample."""
    begin = 0
    for part in parts:
        yield part, begin
        begin += part.numbers


@dataclass(frozen=True)
class Sample:
    """One sample of a run: whose it is (`tasks.NAME`, `pretrain`), its kind, and its shape as far as it is known."""

    whose: str
    kind: InputKind
    shape: Shape
    source: str | None = None
    layout: RowLayout | None = None
    """Meaning of the numbers of a row; None where each is a number, or where only the data tell."""
    steps: bool = False
    """A class is learnt at every row of a window, so that an encoder should have features of each."""
    parts: tuple[PartLayout, ...] = ()
    """Parts of a mixed sample, in order, as far as they are known."""

    @property
    def without_codes(self) -> "Sample":
        """The sample as an encoder sees it that reads numbers alone."""
        if self.layout is None:
            return self
        return replace(self, shape=(self.layout.expanded,), layout=None)


BESIDE = "beside"
"""Key of meta.json under which a table's columns stand beside its images or texts: targets, where tasks name them."""


@dataclass(frozen=True)
class Held:
    """Names in a source that a task may refer to.

    Args:
        source: name of the source.
        kind: kind of its samples.
        columns: names of its inputs.
        classes: label → names of its classes.
        numbers: names of its numeric targets.
        tags: tags of words, or of the rows of a series → names of their classes.
    """

    source: str
    kind: InputKind
    columns: Sequence[str]
    classes: dict[str, list[str]]
    numbers: Sequence[str] = ()
    tags: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def of_meta(cls, source: str, kind: InputKind, meta: Mapping[str, Any]) -> "Held | None":
        """Names in a source as its meta.json has them; labels of a series are tags of its rows, too. None for a table,
        also one of images or texts, whose columns are targets where tasks name them: its data tell."""
        if kind.tabular or BESIDE in meta:
            return None
        classes = meta["classes"]
        of_rows = classes if kind.has_length and meta["window"] is None else {}
        return cls(source, kind, meta["columns"], classes, meta.get("numbers", []), of_rows)


@dataclass(frozen=True)
class Known:
    """Properties of the data of a source that its section tells before any file is read.

    Args:
        shape: shape of a sample.
        labels: label → number of its classes; None where only the data tell.
        names: label → its classes in the order of the numbers; None where only the data tell.
        train_size: at most so many training samples, before the section takes a part; None where only the data tell.
        columns: names of the inputs.
        numbers: names of the numeric targets.
    """

    shape: Shape
    labels: dict[str, int] | None
    names: dict[str, tuple[str, ...]] | None
    train_size: int | None = None
    columns: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()


class SourceBase(Section):
    """Base of the sections of sources, with the questions that every kind answers before its files are read."""

    holds: ClassVar[InputKind | None] = None
    """Kind of the samples of every source of this kind; None where only its section or the data tell."""
    series: ClassVar[bool] = False
    """One row a time step: a task says how many rows a sample has."""

    @property
    def input(self) -> InputKind | None:
        """Kind of its samples; None where only the data tell."""
        return self.holds

    @property
    def parts(self) -> tuple[PartLayout, ...]:
        """Parts of its mixed samples, as far as they are known."""
        return ()

    @property
    def pictured(self) -> bool | None:
        """Images are among its inputs; None where only the data tell."""
        return None if self.input is None else self.input.pictured

    @property
    def files(self) -> list[str]:
        """Files or folders that it reads, relative to the project's folder."""
        return []

    @property
    def to_add(self) -> list[str]:
        """Files that `mtl data add` is given for the source: files that come together go by the first of them."""
        return self.files[:1]

    @property
    def most_ahead(self) -> int | None:
        """The most rows ahead that may be forecast; None where the data alone limit them."""
        return None

    @property
    def labels_among_inputs(self) -> list[str]:
        """Labels whose columns the section takes for inputs as well."""
        return []

    @property
    def allowed(self) -> list[str] | None:
        """Inputs that may be copies of a target; None where the source says itself which columns are targets, and its
        reader has held the others against them."""
        return None

    @property
    def tagged(self) -> Collection[str] | None:
        """Names of the tags of its words or rows; None where only the data tell."""
        return None

    @property
    def known(self) -> Known | None:
        """Properties of the data that the section tells; None where only the data tell."""
        return None

    def problem(self, name: str) -> Problem | None:
        """Problem of the section of the source `name` with its data, or None if none is known yet."""
        return None
