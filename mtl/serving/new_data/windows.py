"""Every window of a file of new rows in time order, with what follows it and what its last row is labelled.

R rows, C channels, n windows of L rows, H rows ahead.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int
from torch import Tensor

from mtl.config.sources import SeriesSource
from mtl.data.inputs.base import Input
from mtl.data.inputs.every import input_of
from mtl.data.inputs.tiles import Tiles
from mtl.data.timeline.order import Timeline
from mtl.errors import DataError
from mtl.results.deployment import Origin
from mtl.serving.new_data.series import check_step, filled, rows_of
from mtl.serving.new_data.targets import Target, there
from mtl.tasks.base import TaskSpec
from mtl.types import NO_LABEL, Prepared, SourceData


@dataclass(frozen=True)
class InTime:
    """Rows in time order, of one series or of several.

    Args:
        source: all rows, as one part.
        values: original units; NaN where nothing is known.
        known: mask of what was measured.
        timeline: of the rows.
    """

    source: Input[SourceData]
    values: Float64[np.ndarray, "R C"]
    known: Bool[np.ndarray, "R C"]
    timeline: Timeline

    def starts(self, length: int) -> Int[Tensor, " n"]:
        """Rows at which windows start that hold no missing value."""
        return self.source.numbers_of("test", 0, length, 0)

    def windows(self, starts: Int[Tensor, " n"], length: int) -> Float64[np.ndarray, "n L C"]:
        """Windows in original units."""
        cut: np.ndarray = self.values[starts.numpy()[:, None] + np.arange(length)]
        return cut

    def tiles(self, length: int) -> Tiles:
        """Windows of which one answers each row that can be."""
        tiles = self.source.tiles("test", 0, length)
        assert tiles is not None, "rows are positions"
        return tiles


@dataclass(frozen=True)
class LabelledRows(InTime):
    """Rows in time order with targets.

    Args:
        targets: those that the file holds.
        labels: task whose target is a column → its value at each row [R].
    """

    targets: list[Target]
    labels: dict[str, Float64[np.ndarray, " R"]]

    def with_target(self, target: Target, length: int) -> Int[Tensor, " n"]:
        """The windows that have a target, or could have one; of a class at every row, those that answer some."""
        if target.spec.at_steps:
            return self.tiles(length).starts
        ahead = target.spec.rows_ahead
        numbers = self.source.numbers_of("test", 0, length, ahead)
        return self.source.with_target(numbers, length, ahead, target.section.followed(target.spec.columns))

    def target(self, target: Target, starts: Int[Tensor, " n"], length: int) -> Tensor:
        """Targets of windows as predictions are scored by; what is missing is NO_LABEL or NaN."""
        first = starts.numpy()
        if target.spec.at_steps:
            at_rows = target.encoded(self.labels[target.spec.name])
            values = at_rows[starts[:, None] + torch.arange(length)]
            return values.masked_fill(~self.tiles(length).counts(starts, length), NO_LABEL)
        if not target.follows:
            return target.encoded(self.labels[target.spec.name][first + length - 1])
        wanted = target.section.followed(target.spec.columns)
        channels = [target.spec.columns.index(name) for name in wanted]
        measured = np.where(self.known[:, channels], self.values[:, channels], np.nan)
        rows = first[:, None] + length + np.arange(target.spec.rows_ahead)
        return target.spec.encode(torch.from_numpy(np.ascontiguousarray(measured[rows].transpose(0, 2, 1))))

    def blocks(self, target: Target, starts: Int[Tensor, " n"], length: int) -> Int[np.ndarray, " n"]:
        """Blocks of windows that count as independent of each other, as in the verdicts for new data."""
        return self.source.blocks(starts, length, target.spec.rows_ahead).numpy()


def labelled_rows(
    options: SeriesSource, specs: Sequence[TaskSpec], targets: list[Target], origin: Origin | None, notes: list[str]
) -> LabelledRows:
    """The rows of a file.

    Args:
        options: of the file.
        specs: tasks, all of one source.
        targets: looked for in the file.
        origin: the source that the model was trained on, where it is known.
        notes: takes sentences on what was read otherwise than it is written, and on what is not there.

    Raises:
        DataError: a column is missing, rows have another step than those of training, or there is nothing to score by.
    """
    read = rows_of(options, specs[0].columns, notes)
    table = read[0].table
    held = there(targets, [str(name) for name in table.frame.columns], options.path, notes)
    section = {} if origin is None or origin.section is None else origin.section
    exact = section.get("exact_labels")
    exact = exact if isinstance(exact, list) else []
    labels = {t.spec.name: t.of_table(table, t.column in exact, options) for t in held if not t.follows}
    rows = in_time(read, options, specs, origin, notes)
    return LabelledRows(rows.source, rows.values, rows.known, rows.timeline, held, labels)


def in_time(
    read: tuple[Timeline, np.ndarray, list[str], list[str]], options: SeriesSource, specs: Sequence[TaskSpec],
    origin: Origin | None, notes: list[str],
) -> InTime:  # fmt: skip
    """Rows of a file as one part of a source, with their holes filled where the options say so.

    Args:
        read: what `rows_of` gives.
        options, specs, origin, notes: as in `labelled_rows`.

    Raises:
        DataError: rows have another step than those of training, or no window can be read.
    """
    (timeline, values, channels, flags), columns = read, specs[0].columns
    check_step(timeline, origin, str(options.date_column))
    values, known = filled(timeline, values, (channels, flags), columns, options, notes)
    gone = int(np.isnan(values).any(axis=1).sum())
    if gone:
        notes.append(f"{gone:,} rows miss an input, and windows that hold one of them are left out")
    ends = timeline.starts
    lengths = np.stack([ends[:-1], ends[:-1], ends[:-1], ends[1:]], axis=1)
    prepared = Prepared(
        name=specs[0].source, values=torch.from_numpy(np.ascontiguousarray(values)), columns=columns, window=None,
        borders=None, fold=None, folds=1, known=torch.from_numpy(np.ascontiguousarray(known)),
        segments=torch.from_numpy(lengths), segment_names=timeline.names or [""],
    )  # fmt: skip
    rows = InTime(input_of(prepared), values, known, timeline)
    short = min(spec.input_len for spec in specs)
    if not len(rows.starts(short)):
        raise DataError(
            f"{options.path}: should have at least {short} rows below each other without a missing input, which the "
            f"model reads, found {len(values):,} rows in {len(ends) - 1} series."
        )
    return rows
