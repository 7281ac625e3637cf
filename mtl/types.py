"""Data that the rooms hand to each other, and the legend of dimension names.

B batch, C channels, L input length, H horizon, N tokens, D width, K tasks, R rows of a series, W windows,
S images or rows of a table, V words of all texts, Y × X pixels of an image, F numbers of a row, G categories of a row.
"""

from dataclasses import dataclass, field
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int, Int16, Int32, UInt8
from torch import Tensor

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
NO_LABEL = -1
"""Marks a sample whose label is missing: it is masked, never counted as a class."""
NO_CATEGORY = -1
"""Marks a category of a row that is missing."""


@dataclass(frozen=True)
class Prepared:
    """One source, as `prepare` writes it and `mtl.data.loading.store` reads it back; values in original units.

    A *series* (`window` None) has one row a time step, and windows may start anywhere inside a part.
    *Stored windows* (`window` = L) are W windows of L rows laid end to end: window i is rows [i·L, (i+1)·L).
    """

    name: str
    values: Float[Tensor, "R C"]
    """float64, original units."""
    columns: list[str]
    window: int | None
    borders: tuple[int, int, int] | None
    """Series: rows [0, a) train, [a, b) validation, [b, c) test. Stored windows, and a series with `segments`: None."""
    fold: Int[Tensor, " _"] | None
    """Folds of stored windows, or of several series that are held out whole: -1 is test, 0 to F - 1 the fold that one
    is held out with, F always trains; seed s validates on fold s mod F. None: `borders` or `segments` cut parts."""
    folds: int
    """Number of folds F; 1 where the validation part is fixed, as that of a series with `borders` is."""
    labels: dict[str, Int[Tensor, " _"]] = field(default_factory=dict)
    """Label name → class of each row (series: known at that row) or of each stored window; NO_LABEL is missing."""
    classes: dict[str, list[str]] = field(default_factory=dict)
    """Label name → class names in the order of the numbers."""
    groups: Int[Tensor, " W"] | None = None
    """Stored windows: whom a window belongs to (a person), or None."""
    units: dict[str, str] = field(default_factory=dict)
    """Column → unit in words, where known."""
    oracle_forecast: Float[Tensor, "n H C"] | None = None
    """Sources with a known optimum: best forecast (original units) of rows t+1…t+H given all rows ≤ t, for the
    rows t in [oracle_from, oracle_from + n)."""
    oracle_from: int = 0
    oracle_labels: dict[str, Float[Tensor, "n _"]] = field(default_factory=dict)
    """Label name → P(class | rows ≤ t) for the same rows t as `oracle_forecast`."""
    notes: list[str] = field(default_factory=list)
    """Sentences on what was replaced, dropped or skipped while reading."""
    numbers: dict[str, Float[Tensor, " _"]] = field(default_factory=dict)
    """Numeric target → float64 value, original units, of each row (series: known at that row) or of each stored window;
    NaN is missing."""
    oracle_numbers: dict[str, Float[Tensor, " n"]] = field(default_factory=dict)
    """Numeric target → E[target | rows ≤ t] for the same rows t as `oracle_forecast`."""
    known: Bool[Tensor, "R C"] | None = None
    """Mask of the cells of `values` that were measured; None: all were. Others are filled in for inputs, and never
    count as targets, in metrics or in a mean or spread; or they are NaN, and no sample reads them."""
    flags: tuple[str, ...] = ()
    """Columns that are inputs alone: a forecast predicts them only if it names them."""
    segments: Int[Tensor, "G 4"] | None = None
    """Series of G series laid end to end, which no window crosses: first row of each, and the end rows of its train,
    validation and test parts, which mean nothing beside `fold`; None for one series, which has `borders`."""
    segment_names: list[str] = field(default_factory=list)
    """Name of each of the G series."""

    @property
    def rows(self) -> int:
        return self.values.shape[0]


@dataclass(frozen=True)
class RowSet:
    """One source of rows of a table, as `prepare` writes it and `mtl.data.loading.store` reads it back: numbers,
    categories, or both."""

    name: str
    values: Float[Tensor, "S F"]
    """float64, original units; NaN is missing."""
    columns: list[str]
    """Names of the F numbers."""
    fold: Int[Tensor, " S"]
    """-1 is a test row, 0 to F - 1 the fold that it is held out with, F a row that always trains; seed s validates on
    fold s mod F."""
    folds: int
    """Number of folds F; 1 where the validation part is fixed."""
    labels: dict[str, Int[Tensor, " S"]] = field(default_factory=dict)
    """Label name → class of each row; NO_LABEL is missing."""
    classes: dict[str, list[str]] = field(default_factory=dict)
    """Label name → class names in the order of the numbers."""
    numbers: dict[str, Float[Tensor, " S"]] = field(default_factory=dict)
    """Numeric target → float64 value of each row, original units; NaN is missing."""
    units: dict[str, str] = field(default_factory=dict)
    """Column or numeric target → unit in words, where known."""
    oracle_labels: dict[str, Float[Tensor, "S _"]] = field(default_factory=dict)
    """Label name → P(class | row)."""
    oracle_numbers: dict[str, Float[Tensor, " S"]] = field(default_factory=dict)
    """Numeric target → E[target | row], original units."""
    notes: list[str] = field(default_factory=list)
    """Sentences on what was replaced, dropped or skipped while reading."""
    categories: Int32[Tensor, "S G"] | None = None
    """Number of each category in the vocabulary of its column; NO_CATEGORY is missing. None: there are none."""
    category_columns: list[str] = field(default_factory=list)
    """Names of the G categories."""
    vocabularies: dict[str, list[str]] = field(default_factory=dict)
    """Column of categories → names over all rows, in order. Which of them training rows know is found for each fold."""
    groups: Int[Tensor, " S"] | None = None
    """Number of whom a row belongs to (a person), from 0; None where that is not known."""
    group_names: list[str] = field(default_factory=list)
    """Names of the groups, in the order of their numbers."""
    weights: Float[Tensor, " S"] | None = None
    """float64 weight of each row in the loss of every task, at least 0; None: all weigh the same."""
    scaling: Literal["zscore", "quantile"] = "zscore"
    """Form in which networks see a number: its z-score, or the normal quantile at its rank among training rows."""
    rare: int = 1
    """Categories that fewer training rows than this have are one category."""
    crossed: bool = False
    """Cross-validation: every row has a fold from 0 to F - 1, and seed s tests on fold s mod F and validates on the
    next."""
    aside: list[str] = field(default_factory=list)
    """Columns of numbers or categories that are no inputs, and that tasks may learn."""
    places: list[int] | None = None
    """Columns of `values` that `columns` name, of a large source whose other columns are no inputs and stay in the file
    beside them; None: all, in their order. `prepare` writes none."""


@dataclass(frozen=True)
class ImageSet:
    """One source of images, as `prepare` writes it and `mtl.data.loading.store` reads it back; pixels stay uint8."""

    name: str
    images: UInt8[Tensor, "S C Y X"]
    columns: list[str]
    """Channels: `grey`, or `red`, `green`, `blue`."""
    fold: Int[Tensor, " S"]
    """-1 is a test image, 0 to F - 1 the fold that it is held out with, F an image that always trains; seed s validates
    on fold s mod F."""
    folds: int
    """Number of folds F; 1 where the validation part is fixed."""
    labels: dict[str, Int[Tensor, " S"]]
    """Label name → class of each image; NO_LABEL is missing. Every built-in set has `classes`."""
    classes: dict[str, list[str]]
    """Label name → class names in the order of the numbers."""
    mean: tuple[float, ...] | None = None
    """Mean of each channel, in shares of full brightness, as the config gives it; None: that of the training images."""
    std: tuple[float, ...] | None = None
    notes: list[str] = field(default_factory=list)
    """Sentences on what was replaced, dropped or skipped while reading."""
    numbers: dict[str, Float[Tensor, " S"]] = field(default_factory=dict)
    """Numeric target → float64 value of each image, original units; NaN is missing."""
    beside: RowSet | None = None
    """Columns of a table that stand beside the images, a row an image: none is an input, and tasks may learn any. Their
    folds are those of the images, and groups, weights and cross-validation are theirs. None: there is no table."""


@dataclass(frozen=True)
class Tokens:
    """Texts as one fold reads them."""

    codes: Int32[Tensor, " T"]
    """Codes of the tokens of all texts end to end."""
    begins: Int[Tensor, " S1"]
    """int64 place of the first code of each of the S texts, and the end of the last."""
    merges: tuple[str, ...]
    """Pairs of tokens that training rows of the fold join, the commonest first."""
    marks: UInt8[Tensor, " T"] | None = None
    """Marks of the tokens that begin or continue a word; None where words have no tags, or codes tell."""


@dataclass(frozen=True)
class TextSet(RowSet):
    """One source of texts, a row of a table each; its numbers and categories are no inputs, and tasks may learn
    them."""

    text: str = ""
    """Name of the column of texts."""
    tokens: tuple[Tokens, ...] = ()
    """The texts as each of the F folds reads them."""
    lower: bool = True
    """Capital letters are read as small ones."""
    longest: int = 0
    """Codes of a text, at most."""
    letters: Int32[Tensor, " S"] | None = None
    """Number of characters of each text as it was written."""
    words: Int[Tensor, " S1"] | None = None
    """int64 place of the first word of each text among those of all end to end, and the end of the last; None where
    words have no tags."""
    tags: dict[str, Int16[Tensor, " V"]] = field(default_factory=dict)
    """Tags → class of each of the V words of all texts; NO_LABEL is missing."""
    tag_names: dict[str, list[str]] = field(default_factory=dict)
    """Tags → names of their classes in the order of the numbers."""
    tokenizer: dict[str, str] | None = None
    """Pretrained network whose tokens the codes are: its folder or name (`model`), and the hash of its tokenizer
    (`sha256`). None: tokens are learnt."""

    def tags_side_by_side(self, name: str) -> Int16[Tensor, "S P"]:
        """Tags of the words of each text in a row, NO_LABEL behind the last; P words of the longest text, of which a
        network may reach `longest` less 1."""
        assert self.words is not None
        tags, counts = self.tags[name], self.words.diff().clamp(max=max(1, self.longest - 1))
        places = torch.arange(max(1, int(counts.max())))
        at = (self.words[:-1, None] + places).clamp(max=len(tags) - 1)
        return tags[at].masked_fill(places >= counts[:, None], NO_LABEL)


@dataclass(frozen=True)
class MixedSet(RowSet):
    """One source of rows of a table with an image, a text or both beside the numbers and categories of a row, of which
    there may be none; folds, targets, groups and weights are those of the rows."""

    image: ImageSet | None = None
    """The images, whose own targets are empty."""
    image_column: str = ""
    """Column that names them."""
    text: TextSet | None = None
    """The texts, whose own numbers and targets are empty."""


SourceData = Prepared | ImageSet | RowSet


@dataclass(frozen=True)
class Table:
    """Targets of several tasks side by side, so that a batch gathers all of them at once."""

    tasks: tuple[str, ...]
    values: Int[Tensor, "B J"] | Float[Tensor, "B J"]
    """A column a task: class numbers, or z-scored numbers; what stands for a missing one means nothing."""

    def of(self, tasks: tuple[str, ...]) -> Tensor:
        """[B, j] columns of some of the tasks, in the order asked for; without a copy when they are all."""
        return self.values if tasks == self.tasks else self.values[:, [self.tasks.index(task) for task in tasks]]


@dataclass(frozen=True)
class Batch:
    """Samples of one pool: tasks that share them share one pass through the network."""

    pool: str
    index: Int[Tensor, " B"]
    """Numbers of the samples in their pool."""
    x: Float[Tensor, "B *S"]
    """Inputs, z-scored: windows [B, C, L], images [B, C, Y, X], rows [B, F], or the parts of mixed samples end to end
    [B, P]."""
    ahead: dict[str, Float[Tensor, "B _ _"]]
    """Task whose target follows the samples → [B, T, H] (T target channels), z-scored."""
    tables: tuple[Table, ...]
    """Targets that belong to the samples: one table of class numbers, one of numbers, each if there are any."""
    valid: Bool[Tensor, "B K"] | None
    """Mask of the samples that have a target, for each of the K tasks of the pool, in its order; None: all have."""
    weights: Float[Tensor, " B"] | None = None
    """Weight of each sample in the losses, at least 0; None: all weigh the same."""
    positions: dict[str, Int[Tensor, "B _"]] = field(default_factory=dict)
    """Task whose target is a class at every position of a sample → [B, P] class numbers, NO_LABEL where there is
    none."""

    def target(self, task: str) -> Tensor:
        """Target of one task: [B, T, H] z-scored, [B] or [B, P] class numbers, or [B] z-scored."""
        if task in self.ahead:
            return self.ahead[task]
        if task in self.positions:
            return self.positions[task]
        return self.targets((task,))[:, 0]

    def targets(self, tasks: tuple[str, ...]) -> Tensor:
        """[B, j] targets of tasks whose targets are in one table."""
        return next(table for table in self.tables if tasks[0] in table.tasks).of(tasks)


@dataclass(frozen=True)
class Stack:
    """Predictions of tasks of one number a sample, in one matrix."""

    tasks: tuple[str, ...]
    values: Float[Tensor, "B J"]


@dataclass(frozen=True)
class Predictions:
    """Predictions of a network for a batch, and the tensors between its shared part and its heads."""

    own: dict[str, Tensor]
    """Task → its prediction: [B, T, H] z-scored of a forecast, [B, k] logits of a classification; of a forecast's Q
    quantiles [B, T, H · Q], of a regression's [B, Q]; [B, P, k] logits at the P positions of a tagging, NaN behind the
    last of a sample."""
    stacks: dict[str, Stack]
    """Kind of tasks that predict one number a sample → the numbers of those that were asked for."""
    features: tuple[Tensor, ...]
    """All tensors that heads read: one under hard sharing, one a task when each has a trunk of its own."""

    def __getitem__(self, task: str) -> Tensor:
        """Prediction of one task: [B, T, H], [B, k], [B, P, k] or [B]."""
        if task in self.own:
            return self.own[task]
        stack = next(stack for stack in self.stacks.values() if task in stack.tasks)
        return stack.values[:, stack.tasks.index(task)]

    @property
    def tasks(self) -> tuple[str, ...]:
        return (*self.own, *(task for stack in self.stacks.values() for task in stack.tasks))
