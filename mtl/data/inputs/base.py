"""The contract of a kind of input: a prepared source, and samples of it that a batch is gathered from.

Whoever prepares, splits or loads data asks an `Input` these questions and never which kind it is, so that a new kind is
one file here and one `case` in `mtl.data.inputs.every`.

n samples, B of a batch, C channels (or numbers of a row), F folds.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic, TypeVar

import torch
from jaxtyping import Bool, Float, Float64, Int
from numpy import ndarray
from torch import Tensor

from mtl.checks import bad
from mtl.config.inputs import Held, InputKind, PartLayout, RowLayout
from mtl.config.tasks import Task
from mtl.data.inputs.seen import Columns
from mtl.data.inputs.tiles import Tiles
from mtl.tasks.context import Oracle
from mtl.types import SourceData, Split

Data = TypeVar("Data", bound=SourceData, covariant=True)
PARTS: dict[Split, str] = {"train": "train", "val": "validation", "test": "test"}
"""Parts of the data in words."""


@dataclass(frozen=True)
class Fitted:
    """Numbers that are found from the training samples of a fold alone, and bring every sample to what networks see."""

    mean: Float64[Tensor, " C"]
    """Mean of each channel, original units."""
    std: Float64[Tensor, " C"]
    """Population standard deviation of each channel, original units; 1 for a channel that never changes."""

    def plain(self) -> dict[str, Any]:
        """Content as files hold it: that of `mtl.results.model.Scaler`."""
        return {"mean": self.mean.tolist(), "std": self.std.tolist()}

    @classmethod
    def from_plain(cls, content: Mapping[str, Any]) -> "Fitted":
        """Reads what `plain` wrote."""
        return cls(*(torch.tensor(content[name], dtype=torch.float64) for name in ("mean", "std")))


@dataclass(frozen=True)
class Layout:
    """Description of the samples of a source in a saved model."""

    source: str
    shape: tuple[int, ...]
    """Shape of one sample, as networks see it."""
    columns: list[str]
    fitted: Fitted


class Samples(ABC):
    """Samples of a pool, cut from their source when they are asked for."""

    @abstractmethod
    def __len__(self) -> int: ...

    @property
    @abstractmethod
    def numbers(self) -> Int[Tensor, " n"]:
        """Numbers by which the source knows its samples: the row at which a window starts, the image, the row."""

    @abstractmethod
    def gather(
        self, index: Int[Tensor, " B"], ahead: int
    ) -> tuple[Float[Tensor, "B *S"], Float[Tensor, "B C A"] | None]:
        """Inputs, z-scored, and the `ahead` rows that follow them (None where nothing can follow a sample)."""

    def contents(self, index: Int[Tensor, " B"]) -> Iterator[bytes]:
        """Bytes of what networks see of each sample, the same in whatever batch it stands."""
        return (row.tobytes() for row in (self.gather(index, 0)[0] + 0.0).cpu().numpy())  # one zero of both

    @property
    def lengths(self) -> Int[Tensor, " n"] | None:
        """Places of each sample, where a batch is padded to its longest; None of samples of one shape."""
        return None

    def complete(self, ahead: int, channels: Int[Tensor, " T"] | None) -> Bool[Tensor, " n"] | None:
        """Mask of the samples whose `ahead` next rows were all measured in some channels (None: in all); None: all
        were."""
        return None

    @property
    def of_rows(self) -> "Samples":
        """The samples as encoders are fitted to them before the first step: of mixtures the numbers and categories."""
        return self

    @abstractmethod
    def pick(self, index: Int[Tensor, " m"]) -> "Samples":
        """Some of the samples."""

    @abstractmethod
    def to(self, device: torch.device) -> "Samples":
        """The samples with their tensors on `device`; nothing is copied that is there already."""


Sampler = Callable[[Int[Tensor, " n"], int], Samples]
"""(numbers of samples, rows of each) → samples."""


class Input(ABC, Generic[Data]):
    """A prepared source, by its kind of input.

    Args:
        data: what `prepare` made of it.
    """

    kind: ClassVar[InputKind]
    fitted: ClassVar[type[Fitted]] = Fitted
    """Class of what is fitted to training samples."""

    def __init__(self, data: Data) -> None:
        self.data = data

    def for_tasks(self, tasks: Sequence[Task]) -> "Input[Data]":
        """The source as all the tasks that read it see it, whichever of them are trained: columns that one of them
        learns are targets, and no inputs."""
        return self

    @property
    def held(self) -> Held:
        """Names in the source that a task may refer to."""
        return Held(self.data.name, self.kind, self.columns, self.data.classes, list(self.data.numbers))

    def names_of(self, learns: str | None) -> list[str]:
        """Classes of what a task learns; empty where it has none."""
        return self.data.classes.get(learns or "", [])

    @property
    def series(self) -> bool:
        """Samples may start anywhere in a row of time steps; else each is stored, and has a fold."""
        return False

    @property
    def crossed(self) -> bool:
        """Seeds test on folds of their own."""
        return False

    @property
    @abstractmethod
    def place(self) -> str:
        """Noun for the part of the data that a target belongs to: a row, a window, an image."""

    @property
    def size(self) -> int:
        """Number of these parts of the data."""
        assert self.data.fold is not None
        return len(self.data.fold)

    @abstractmethod
    def problems(self) -> list[str]:
        """Everything that breaks the contract of the data, in whole sentences; where the form of the arrays does, that
        alone, since the rest relies on it."""

    @abstractmethod
    def tensors(self) -> dict[str, Tensor]:
        """Arrays that are kept, besides labels and numeric targets, by name."""

    @abstractmethod
    def meta(self) -> dict[str, Any]:
        """Facts that are kept, besides those that every source has; plain values."""

    @classmethod
    @abstractmethod
    def from_kept(cls, meta: dict[str, Any], tensors: dict[str, Tensor], common: dict[str, Any]) -> "Input[Any]":
        """The source as it was kept; `common` holds the fields that every source has."""

    def remarks(self, masks: Mapping[Split, Bool[Tensor, " _"]]) -> list[str]:
        """Sentences on the inputs that a reader of results should know; `masks` of the parts, as `masks` gives them."""
        return []

    def masks(self, fold: int) -> dict[Split, Bool[Tensor, " _"]]:
        """Part → which places belong to it when `fold` is held out."""
        return self.dealt(fold)

    def dealt(self, fold: int) -> dict[Split, Bool[Tensor, " _"]]:
        """Part → which of what is dealt into folds (places, or whole series) belongs to it when `fold` is held out."""
        assert self.data.fold is not None
        held_out, test = self.data.fold == fold, self.data.fold == -1
        return {"train": ~(held_out | test), "val": held_out, "test": test}

    def fit(self, fold: int) -> Fitted:
        """Fits what networks see of a sample to the training samples when `fold` is held out.

        Raises:
            UserError: there is no such fold.
        """
        if not 0 <= fold < self.data.folds:
            raise bad("fold", f"be from 0 to {self.data.folds - 1}", fold)
        return self._fit(fold)

    @abstractmethod
    def _fit(self, fold: int) -> Fitted: ...

    @abstractmethod
    def length(self, name: str, task: Task) -> int:
        """Rows of a sample of the task `name`; 0 for samples without any.

        Raises:
            SettingError: the length is missing or does not fit.
        """

    @abstractmethod
    def shape(self, length: int, fitted: Fitted) -> tuple[int, ...]:
        """Shape of one sample, as networks see it."""

    def layout(self, fitted: Fitted) -> RowLayout | None:
        """Meaning of the numbers of a row; None where each is a number, and of other samples."""
        return None

    def parts(self, fitted: Fitted) -> tuple[PartLayout, ...]:
        """Parts of a sample, in order; none of samples that are of one kind."""
        return ()

    @abstractmethod
    def numbers_of(self, split: Split, fold: int, length: int, ahead: int) -> Int[Tensor, " n"]:
        """Samples of a part, by number; `ahead` rows follow each and belong to it."""

    def with_target(self, numbers: Int[Tensor, " n"], length: int, ahead: int, columns: list[str]) -> Int[Tensor, " m"]:
        """The samples of which some of the `ahead` rows that follow were measured in one of the columns."""
        return numbers

    @property
    def gaps(self) -> bool:
        """Some of the rows that follow a sample may not have been measured."""
        return False

    @property
    def flags(self) -> tuple[str, ...]:
        """Columns that are inputs alone, unless a task names them."""
        return ()

    def unlabelled(self, split: Split, fold: int, length: int | None) -> tuple[int, Int[Tensor, " n"]]:
        """Rows of a sample, and the samples of a part that lie in it whole; only of a kind that continues."""
        raise AssertionError(f"{self.kind.noun} are not pretrained on")

    @abstractmethod
    def places(self, numbers: Int[Tensor, " n"], length: int) -> Int[Tensor, " n"]:
        """Indices of the targets of samples among the labels and numeric targets of the source."""

    def tiles(self, split: Split, fold: int, length: int) -> Tiles | None:
        """Samples of a part in which every position counts once; None where positions belong to one sample anyway."""
        return None

    def at_positions(self, column: Tensor, numbers: Int[Tensor, " n"], length: int) -> Int[Tensor, "n P"]:
        """Classes at the positions of samples, of those of the whole source (`mtl.tasks.base.TaskSpec.column`)."""
        return column[self.places(numbers, length)]

    @abstractmethod
    def sampler(self, fitted: Fitted, ahead: int) -> Sampler:
        """Sampler, which turns numbers into samples; at most `ahead` rows are asked for behind a sample."""

    @classmethod
    @abstractmethod
    def given(cls, values: object, layout: Layout, ahead: int) -> Samples:
        """Samples that a user gives, original units: arrays, tensors or a frame, as `layout` describes them. They are
        as those of a pool, but for the `ahead` rows behind one, which mean nothing.

        Raises:
            DataError: they do not fit: what was found, what is allowed, and what to do.
        """

    @abstractmethod
    def describe(self) -> str:
        """Samples and columns in words, after their number."""

    @property
    def units(self) -> dict[str, str]:
        """Column or numeric target → unit in words, where known."""
        return {}

    @property
    def columns(self) -> list[str]:
        """Names of what a sample holds: channels, or the numbers and then the categories of a row."""
        return self.data.columns

    @property
    def weights(self) -> Float64[Tensor, " n"] | None:
        """Weight of each place in the training loss; None where all weigh the same."""
        return None

    @property
    def groups(self) -> Int[Tensor, " n"] | None:
        """Number of whom each place belongs to (a person); None where that is not known."""
        return None

    def blocks(self, numbers: Int[Tensor, " n"], length: int, ahead: int) -> Int[Tensor, " n"]:
        """Numbers of the blocks of samples: those of different blocks count as independent of each other. A sample has
        `length` rows, and `ahead` behind it belong to it.

        Whole groups where a source has any, and one block of all samples of no known group; else single samples.
        """
        groups = self.groups
        return numbers if groups is None else groups[self.places(numbers, length)]

    def latest(self, numbers: Int[Tensor, " n"], share: float) -> Int[Tensor, " m"]:
        """The latest share of samples, at least one; of several series, of each."""
        return numbers[-max(1, round(share * len(numbers))) :]

    def cells(self) -> tuple[list[str], Float64[ndarray, "n C"], list[str]] | None:
        """Names of the inputs, their values side by side (NaN is missing), and the names of those whose values are
        numbers of categories; None where a sample is no row of a table."""
        return None

    @abstractmethod
    def seen(self, fold: int) -> Columns:
        """Values of each input in the training part when `fold` is held out, original units."""

    @classmethod
    @abstractmethod
    def seen_of(cls, values: object, columns: list[str]) -> Columns:
        """Values of each input in samples that a user gives, as `given` takes them."""

    @property
    def oracle(self) -> Oracle | None:
        """Outputs of the best possible predictor, where they are known."""
        return None

    def last_rows(self, numbers: Int[Tensor, " n"], length: int) -> Int[Tensor, " n"]:
        """The last row that each sample shows: what its entry of the oracle is found by."""
        return self.places(numbers, length)

    def with_labels(
        self, labels: dict[str, Tensor], classes: dict[str, list[str]], optimum: dict[str, Tensor]
    ) -> "Input[Data]":
        """The source with other labels, and with P(class | rows so far) of some, where it is known."""
        return type(self)(replace(self.data, labels=labels, classes=classes))

    def turned(self, which: Bool[Tensor, " n"]) -> "Input[Any]":
        """The source with some samples upside down; only of a kind that turns."""
        raise AssertionError(f"{self.kind.noun} cannot be turned")

    def scores_problem(self, fitted: Fitted) -> str | None:
        """Reason in words why z-scores cannot be squared in float32; None if they can."""
        return None

    def no_samples(self, length: int, ahead: int) -> str:
        """Sentence on the length that samples would need, for the message that a part has none."""
        return ""
