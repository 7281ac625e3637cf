"""A task at its source: which samples it has in each part, their targets, and the task resolved.

A sample is known by the row at which its window starts, or by the number of its image or row.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from mtl.config import Task
from mtl.data.inputs.base import Fitted, Input
from mtl.data.inputs.tiles import Tiles
from mtl.errors import SettingError
from mtl.seeding import generator
from mtl.tasks.base import TaskSpec, known
from mtl.tasks.context import AtSource
from mtl.tasks.every import kind_of, resolve
from mtl.types import NO_LABEL, SourceData, Split


@dataclass(frozen=True)
class TaskAtSource:
    """A task, its source, and the label or numeric target that it learns there (None for what follows a sample)."""

    name: str
    task: Task
    source: Input[SourceData]
    learns: str | None
    length: int
    """Rows of a sample; 0 where it has none."""

    @property
    def column(self) -> Tensor | None:
        """Targets of all places of the source; None for what follows a sample."""
        return None if self.learns is None else kind_of(self.task).column(self.source.data, self.learns)

    def samples(self, split: Split, fold: int) -> Int[Tensor, " n"]:
        """Samples of one part that have a target."""
        ahead = self.task.rows_ahead
        tiles = self.tiles(split, fold)
        numbers = self.source.numbers_of(split, fold, self.length, ahead) if tiles is None else tiles.starts
        numbers = self.source.with_target(numbers, self.length, ahead, self.task.followed(self.channels))
        values = self.values(numbers, tiles)
        return numbers if values is None else numbers[known(values)]

    def tiles(self, split: Split, fold: int) -> Tiles | None:
        """Samples in which every position of a part counts once, for a class at every position. None where all of
        every sample count: those of other tasks, and in training, which is the better for every window."""
        if split == "train" or not self.task.at_positions:
            return None
        return self.source.tiles(split, fold, self.length)

    @property
    def channels(self) -> list[str]:
        """Columns that a task predicts which names none."""
        flags = set(self.source.flags)
        return [column for column in self.source.data.columns if column not in flags]

    def no_samples(self, split: Split, fold: int) -> str:
        """Sentence on a part that has no sample of the task: none at all, or none with a target."""
        name, count = self.source.data.name, len(self.source.numbers_of(split, fold, self.length, self.task.rows_ahead))
        if count == 0 or self.learns is None:
            return f"{name} has no {split} sample{self.source.no_samples(self.length, self.task.rows_ahead)}"
        parts = "`borders`" if self.source.series else "`split_seed` or `folds`"
        parts = "parts by `split`" if self.source.kind.tabular else parts
        return (
            f"none of the {count:,} {split} samples of {name} has a value of `{self.learns}`: choose other {parts} of "
            "the source, or leave the task out"
        )

    def values(self, numbers: Int[Tensor, " n"], tiles: Tiles | None = None) -> Tensor | None:
        """Targets of samples as the source holds them; None for what follows them.

        Args:
            numbers: of the samples.
            tiles: by which positions count, for a class at every position; None: all do.
        """
        column = self.column
        if column is None:
            return None
        if not self.task.at_positions:
            return column[self.source.places(numbers, self.length)]
        values = self.source.at_positions(column, numbers, self.length)
        return values if tiles is None else values.masked_fill(~tiles.counts(numbers, self.length), NO_LABEL)

    def check_measurable(self, split: Split, numbers: Int[Tensor, " n"], fold: int) -> None:
        """Checks that what the task is judged by has a value on the samples of a part, whatever is predicted.

        Raises:
            SettingError: it has none, such as an area under the curve where every sample is negative.
        """
        values = self.values(numbers, self.tiles(split, fold))
        classes = self.source.names_of(self.learns)
        metric = self.task.primary_metric
        reason = None if values is None else kind_of(self.task).unmeasurable(metric, values, len(classes))
        if reason is not None:
            part = {"val": "validation"}.get(split, split)
            always = [name for name in ("accuracy", "log_loss") if name in self.task.metrics]
            raise SettingError(
                f"tasks.{self.name}.metric",
                f"should have a value on the {part} part of {self.source.data.name}, where {reason}: found {metric!r}. "
                f"{' and '.join(always)} {'has' if len(always) == 1 else 'have'} one on any samples.",
            )

    def fraction(self, numbers: Int[Tensor, " n"], seed: int) -> Int[Tensor, " m"]:
        """`train_fraction` of the samples: the latest of a series where what follows is learnt, else a draw, stratified
        by class where there are classes."""
        share = self.task.train_fraction
        if share == 1 or len(numbers) == 0:
            return numbers
        values = self.values(numbers)
        if values is None and self.source.series:
            return self.source.latest(numbers, share)
        classes = values is not None and not values.is_floating_point() and values.ndim == 1
        strata = values if classes and values is not None else torch.zeros(len(numbers), dtype=torch.int64)
        drawer = generator(seed, self.name, "train_fraction")
        kept = []
        for stratum in torch.unique(strata):
            members = (strata == stratum).nonzero().squeeze(1)
            count = max(1, round(share * len(members)))
            kept.append(members[torch.randperm(len(members), generator=drawer)[:count]])
        return numbers[torch.cat(kept).sort().values]

    def spec(self, numbers: Int[Tensor, " n"], fitted: Fitted) -> TaskSpec:
        """The task, resolved; `numbers` are its training samples."""
        data, learns = self.source.data, self.learns
        at = AtSource(
            name=self.name, source=data.name, input=self.source.kind, shape=self.source.shape(self.length, fitted),
            columns=self.source.columns, layout=self.source.layout(fitted),
            parts=self.source.parts(fitted), mean=fitted.mean, std=fitted.std,
            units=self.source.units, learns=learns,
            classes=self.source.names_of(learns), values=self.values(numbers), channels=self.channels,
            gaps=self.source.gaps,
        )  # fmt: skip
        return resolve(self.task, at)
