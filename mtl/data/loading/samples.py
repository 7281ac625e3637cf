"""A task at its source: which samples it has in each part, their labels, and the task resolved.

A sample is known by the row at which its window starts, or by its image's number.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from mtl.config import BinaryTask, ForecastTask, Task
from mtl.errors import DataError, SettingError
from mtl.seeding import generator
from mtl.tasks.label_measures import unmeasurable
from mtl.types import NO_LABEL, ImageSet, Prepared, SourceData, Split, TaskSpec


def input_len(name: str, task: Task, source: SourceData) -> int:
    """Rows of the task's windows; 0 for images.

    Raises:
        ConfigError: the length is missing, does not fit, or is given for images; or images are to be forecast.
    """
    wanted = task.horizon if isinstance(task, ForecastTask) else 0
    if isinstance(source, ImageSet):
        return 0
    if source.window is None:
        if task.input_len is None:
            message = f"is missing: {task.source} is a series, not stored windows."
            raise SettingError(f"tasks.{name}.input_len", message)
        return task.input_len
    length = source.window - wanted if task.input_len is None else task.input_len
    if not 0 < length <= source.window - wanted:
        message = f"should leave {wanted} rows to forecast in the stored windows of {source.window} rows of "
        raise SettingError(f"tasks.{name}.input_len", f"{message}{task.source}, found {length}.")
    return length


def part_of(fold: Int[Tensor, " n"], split: Split, held_out: int) -> Int[Tensor, " m"]:
    """Numbers of the stored windows or images that belong to a part."""
    test, val = fold == -1, fold == held_out
    return {"test": test, "val": val & ~test, "train": ~test & ~val}[split].nonzero().squeeze(1)


@dataclass(frozen=True)
class TaskAtSource:
    """A task, its source and the label that it learns there (None for a forecast)."""

    name: str
    task: Task
    source: SourceData
    label: str | None
    length: int

    def samples(self, split: Split, fold: int) -> Int[Tensor, " n"]:
        """Those of one part; without a label, left out."""
        source, length = self.source, self.length
        horizon = self.task.horizon if isinstance(self.task, ForecastTask) else 0
        if source.fold is not None:
            stored = part_of(source.fold, split, fold)
            if self.label is not None:
                stored = stored[source.labels[self.label][stored] != NO_LABEL]
            if isinstance(source, ImageSet):
                return stored
            assert source.window is not None
            return stored * source.window + (source.window - length - horizon)
        assert isinstance(source, Prepared) and source.borders is not None
        first, second, end = source.borders
        begin, stop = {"train": (0, first), "val": (first, second), "test": (second, end)}[split]
        if self.label is None:
            # The first target row is the part's first row, so validation and test windows start L rows before it.
            earliest = max(0, begin - length)
            return torch.arange(earliest, max(earliest, stop - length - horizon + 1))
        # A label belongs to the last row of its window.
        starts = torch.arange(max(0, begin - length + 1), max(0, stop - length + 1))
        return starts[source.labels[self.label][starts + length - 1] != NO_LABEL]

    def labels(self, starts: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
        """Class numbers of samples."""
        assert self.label is not None
        return labels_at(self.source, self.label, self.length, starts)

    def check_measurable(self, split: Split, starts: Int[Tensor, " n"]) -> None:
        """Checks that what a label is judged by has a value on the samples of a part, whatever is predicted.

        Raises:
            SettingError: it has none, such as an area under the curve where every sample is negative.
        """
        if isinstance(self.task, ForecastTask):
            return
        counts = torch.bincount(self.labels(starts), minlength=len(self.source.classes[self.label or ""])).tolist()
        metric = self.task.primary_metric
        reason = unmeasurable(metric, counts)
        if reason is not None:
            part = {"val": "validation"}.get(split, split)
            raise SettingError(
                f"tasks.{self.name}.metric",
                f"should have a value on the {part} part of {self.source.name}, where {reason}: found {metric!r}. "
                "accuracy and log_loss have one on any samples.",
            )

    def fraction(self, starts: Int[Tensor, " n"], seed: int) -> Int[Tensor, " m"]:
        """`train_fraction` of the samples: the latest of a series' forecast, else a draw stratified by class."""
        share = self.task.train_fraction
        if share == 1 or len(starts) == 0:
            return starts
        if self.label is None and self.source.fold is None:
            return starts[-max(1, round(share * len(starts))) :]
        strata = torch.zeros(len(starts), dtype=torch.int64) if self.label is None else self.labels(starts)
        drawer = generator(seed, self.name, "train_fraction")
        kept = []
        for stratum in strata.unique():
            members = (strata == stratum).nonzero().squeeze(1)
            count = max(1, round(share * len(members)))
            kept.append(members[torch.randperm(len(members), generator=drawer)[:count]])
        return starts[torch.cat(kept).sort().values]

    def spec(self, starts: Int[Tensor, " n"]) -> TaskSpec:
        """The task, resolved; `starts` are its training samples."""
        task, source = self.task, self.source
        if isinstance(task, ForecastTask):
            targets = [source.columns.index(column) for column in task.targets or source.columns]
            return TaskSpec(self.name, "forecast", source.name, self.length, source.columns, targets, task.horizon,
                            role=task.role, weight=task.weight, dropout=task.dropout, head_lr=task.head_lr)  # fmt: skip
        assert self.label is not None
        classes = source.classes[self.label]
        counts = torch.bincount(self.labels(starts), minlength=len(classes))
        absent = [classes[i] for i in (counts == 0).nonzero().squeeze(1).tolist()]
        if absent:
            raise DataError(f"tasks.{self.name}: no training sample of class {absent[0]!r}.")
        weights: tuple[float, ...] | None = None
        if task.class_weights == "balanced":
            balanced = counts.sum() / (len(classes) * counts)
            weights = (float(counts[0] / counts[1]),) if isinstance(task, BinaryTask) else tuple(balanced.tolist())
        image = (source.images.shape[2], source.images.shape[3]) if isinstance(source, ImageSet) else None
        return TaskSpec(self.name, task.kind, source.name, self.length, source.columns, [], classes=classes,
                        role=task.role, weight=task.weight, dropout=task.dropout, class_weights=weights,
                        image=image, head_lr=task.head_lr, label_metric=task.primary_metric)  # fmt: skip


def labels_at(source: SourceData, label: str, length: int, starts: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
    """Class numbers of the samples that start at `starts`."""
    if isinstance(source, ImageSet):
        return source.labels[label][starts]
    return source.labels[label][starts // source.window if source.window is not None else starts + length - 1]
