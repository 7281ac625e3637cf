"""Series and stored windows as inputs: their contract, parts, and samples."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from mtl.config.inputs import WINDOWS, Held, InputKind
from mtl.config.tasks import Task
from mtl.data.inputs.base import Fitted, Input, Layout, Sampler
from mtl.data.inputs.channels import channel_remarks
from mtl.data.inputs.contract import MAX_VALUE, folds_problem, targets_problems
from mtl.data.inputs.gaps import Gaps, fit_known, spans
from mtl.data.inputs.given import array_of, checked_rows, frame_of, wrong_shape
from mtl.data.inputs.oracles import as_tensors, from_tensors, oracle_problem
from mtl.data.inputs.scaling import fit_rows, scores_problem, stays_mapped, where, z_scored
from mtl.data.inputs.seen import Columns, channels_of
from mtl.data.inputs.stretches import form_problems, parts_problem, rows_of, segment_of, segments_of, stretches
from mtl.data.inputs.tiles import Tiles
from mtl.data.inputs.tiling import check_shortest, tiles_of
from mtl.data.inputs.window_samples import MappedWindows, Windows, pad_rows
from mtl.errors import DataError, SettingError, shown
from mtl.tasks.context import Oracle
from mtl.types import SPLITS, Prepared, Split

MOST_BLOCKS = 16
"""Most blocks of a series. Errors at the ends of neighbouring blocks depend on each other, less so in longer blocks: of
10,000 rows whose errors are correlated over some 50 rows, 95 % t-intervals from 156 blocks cover the mean in 79 % of
cases, from 16 blocks in 94 % (`python -m benchmarks.variance`), at the price of a quantile of 2.13 instead of 1.98. Few
large blocks: Ibragimov and Müller 2010, Journal of Business & Economic Statistics 28, 453–468."""


class WindowsInput(Input[Prepared]):
    """A series, or stored windows."""

    kind: ClassVar[InputKind] = WINDOWS

    @property
    def series(self) -> bool:
        return self.data.window is None

    @property
    def held(self) -> Held:
        """Labels of a series are tags of its rows, too; a stored window has one."""
        return replace(super().held, tags=self.data.classes if self.series else {})

    @property
    def place(self) -> str:
        return "row" if self.series else "window"

    @property
    def size(self) -> int:
        return self.data.rows if self.series else super().size

    def problems(self) -> list[str]:
        form = form_problems(self.data)
        if form:
            return form
        parts = parts_problem(self.data) if self.series else None
        if parts is None and self.data.fold is not None:
            parts = folds_problem(self.data, "series" if self.series else self.place)
        others = [problem for problem in (self._values(), parts, oracle_problem(self.data)) if problem is not None]
        return [*others, *targets_problems(self, parts is None)]

    def tensors(self) -> dict[str, Tensor]:
        p = self.data
        optional = {
            "fold": p.fold, "groups": p.groups, "oracle_forecast": p.oracle_forecast, "segments": p.segments,
            "known": p.known,
        }  # fmt: skip
        known = as_tensors(p.oracle_labels, p.oracle_numbers)
        return {"values": p.values} | {name: tensor for name, tensor in optional.items() if tensor is not None} | known

    def meta(self) -> dict[str, Any]:
        p = self.data
        facts = {
            "units": p.units,
            "window": p.window,
            "borders": p.borders,
            "oracle_from": p.oracle_from,
            "oracle_labels": list(p.oracle_labels),
            "rows": p.rows,
        }
        numbers = {"oracle_numbers": list(p.oracle_numbers)} if p.oracle_numbers else {}
        numbers |= {"flags": list(p.flags)} if p.flags else {}
        return facts | numbers | ({"segment_names": p.segment_names} if p.segments is not None else {})

    @classmethod
    def from_kept(cls, meta: dict[str, Any], tensors: dict[str, Tensor], common: dict[str, Any]) -> "WindowsInput":
        prepared = Prepared(
            **common,
            values=tensors["values"],
            window=meta["window"],
            borders=None if meta["borders"] is None else tuple(meta["borders"]),
            fold=tensors.get("fold"),
            groups=tensors.get("groups"),
            units=meta["units"],
            oracle_forecast=tensors.get("oracle_forecast"),
            oracle_from=meta["oracle_from"],
            known=tensors.get("known"),
            flags=tuple(meta.get("flags", ())),
            segments=tensors.get("segments"),
            segment_names=meta.get("segment_names", []),
            **from_tensors(meta, tensors),
        )
        return cls(prepared)

    def masks(self, fold: int) -> dict[Split, Bool[Tensor, " _"]]:
        p = self.data
        if not self.series:
            return super().masks(fold)
        if p.borders is None and p.segments is None:
            raise DataError(f"{p.name}: has neither borders (a series) nor folds (stored windows).")
        return {split: rows_of(p, split, fold) for split in SPLITS}

    def remarks(self, masks: Mapping[Split, Bool[Tensor, " _"]]) -> list[str]:
        return channel_remarks(self.data, masks)

    def _fit(self, fold: int) -> Fitted:
        train = self.masks(fold)["train"]
        if self.data.window is not None:
            train = train.repeat_interleave(self.data.window)
        values, known = where(train, self.data.values), self.data.known
        return fit_rows(values) if known is None else fit_known(values, known[train])

    def scores_problem(self, fitted: Fitted) -> str | None:
        values = self.data.values
        if self.data.known is not None:
            values = torch.where(values.isnan(), fitted.mean, values)
        return scores_problem(values, self.data.columns, fitted)

    def length(self, name: str, task: Task) -> int:
        window, ahead = self.data.window, task.rows_ahead
        if window is None:
            if task.input_len is None:
                message = f"is missing: {task.source} is a series, not stored windows."
                raise SettingError(f"tasks.{name}.input_len", message)
            if task.at_positions:
                check_shortest(name, task.input_len, self.data)
            return task.input_len
        length = window - ahead if task.input_len is None else task.input_len
        if not 0 < length <= window - ahead:
            message = f"should leave {ahead} rows to forecast in the stored windows of {window} rows of "
            raise SettingError(f"tasks.{name}.input_len", f"{message}{task.source}, found {length}.")
        return length

    def shape(self, length: int, fitted: Fitted) -> tuple[int, ...]:
        return len(self.data.columns), length

    def numbers_of(self, split: Split, fold: int, length: int, ahead: int) -> Int[Tensor, " n"]:
        p = self.data
        if p.window is not None:
            assert p.fold is not None
            numbers = _part_of(p.fold, split, fold) * p.window + (p.window - length - ahead)
        else:
            numbers = torch.cat([stretch.starts(length, ahead) for stretch in stretches(p, split, fold)])
        # Inputs without a cell that could be neither measured nor filled.
        return numbers if p.known is None else numbers[spans(p.values.isnan().any(dim=1), numbers, length) == 0]

    def with_target(self, numbers: Int[Tensor, " n"], length: int, ahead: int, columns: list[str]) -> Int[Tensor, " m"]:
        known = self.data.known
        if known is None or not ahead:
            return numbers
        chosen = [self.data.columns.index(column) for column in columns]
        return numbers[spans(known[:, chosen].any(dim=1), numbers + length, ahead) > 0]

    def unlabelled(self, split: Split, fold: int, length: int | None) -> tuple[int, Int[Tensor, " n"]]:
        p = self.data
        if p.window is not None:
            assert p.fold is not None
            length, numbers = p.window, _part_of(p.fold, split, fold) * p.window
        else:
            assert length is not None
            numbers = torch.cat([stretch.whole(length) for stretch in stretches(p, split, fold)])
        # What is reconstructed is a target: every cell of it was measured.
        return length, numbers if p.known is None else numbers[spans(p.known.all(dim=1), numbers, length) == length]

    def places(self, numbers: Int[Tensor, " n"], length: int) -> Int[Tensor, " n"]:
        return numbers // self.data.window if self.data.window is not None else numbers + length - 1

    def tiles(self, split: Split, fold: int, length: int) -> Tiles:
        p = self.data
        return tiles_of(stretches(p, split, fold), length, None if p.known is None else p.values.isnan().any(dim=1))

    def at_positions(self, column: Tensor, numbers: Int[Tensor, " n"], length: int) -> Int[Tensor, "n L"]:
        return column.unfold(0, length, 1).index_select(0, numbers)

    def last_rows(self, numbers: Int[Tensor, " n"], length: int) -> Int[Tensor, " n"]:
        return numbers + length - 1

    def sampler(self, fitted: Fitted, ahead: int) -> Sampler:
        values = self.data.values
        gaps = None if self.data.known is None else Gaps.of(self.data.known, self._first_rows(), ahead)
        if stays_mapped(values.numel()):
            return lambda numbers, length: MappedWindows(values, length, numbers, gaps, fitted)
        flat = pad_rows(z_scored(values, fitted), ahead)
        return lambda numbers, length: Windows(flat, length, numbers, gaps)

    def _first_rows(self) -> Int[Tensor, " R"]:
        """First row of the series or of the stored window that each row belongs to."""
        row, window = torch.arange(self.data.rows), self.data.window
        return segments_of(self.data)[segment_of(self.data, row), 0] if window is None else row - row % window

    @classmethod
    def given(cls, values: object, layout: Layout, ahead: int) -> Windows:
        """Windows [n, L, C], or a frame whose last L rows are one window."""
        channels, length = layout.shape
        rows = frame_of(values, layout)
        if rows is not None:
            if len(rows) < length:
                raise wrong_shape(f"a frame of {length} rows or more, of which the last are the window", len(rows))
            rows = rows[-length:]
        else:
            form = f"windows [n, {length}, {channels}] of rows and the columns {shown(layout.columns)}, or a frame"
            array = array_of(values, form)
            if array.ndim != 3 or array.shape[1:] != (length, channels):
                turned = array.ndim == 3 and array.shape[1:] == (channels, length)
                remedy = "; `x.transpose(0, 2, 1)` puts the rows first" if turned else ""
                remedy = "; `x[None]` makes a batch of one" if array.shape == (length, channels) else remedy
                raise wrong_shape(form, list(array.shape), remedy)
            rows = array.to(torch.float64).reshape(-1, channels)
        rows = checked_rows(rows, layout, length)
        flat = pad_rows(z_scored(rows, layout.fitted), ahead)
        return Windows(flat, length, torch.arange(0, len(rows), length))

    def describe(self) -> str:
        what = "rows" if self.data.window is None else f"windows of {self.data.window} rows"
        what += "" if self.data.segments is None else f" of {len(self.data.segments)} series"
        return f"{what} × {len(self.data.columns)} columns"

    @property
    def gaps(self) -> bool:
        return self.data.known is not None

    @property
    def flags(self) -> tuple[str, ...]:
        return self.data.flags

    @property
    def units(self) -> dict[str, str]:
        return self.data.units

    @property
    def groups(self) -> Int[Tensor, " _"] | None:
        return self.data.groups

    def blocks(self, numbers: Int[Tensor, " n"], length: int, ahead: int) -> Int[Tensor, " n"]:
        """Block of each sample; a block of a series is a stretch of rows at which windows start, all equally long: at
        most MOST_BLOCKS, none shorter than a window or the rows that follow it. Several series share MOST_BLOCKS
        between them, at least one each, and count as independent of each other."""
        if not self.series:
            return super().blocks(numbers, length, ahead)
        segment = segment_of(self.data, numbers)
        present = sorted(set(segment.tolist()))
        most = max(1, MOST_BLOCKS // len(present))
        block, before = torch.zeros_like(numbers), 0
        for member in present:
            inside = segment == member
            passed = numbers[inside] - numbers[inside].min()
            rows = int(passed.max()) + 1
            count = max(1, min(most, rows // max(length, ahead)))
            block[inside] = before + passed * count // rows
            before += count
        return block

    def latest(self, numbers: Int[Tensor, " n"], share: float) -> Int[Tensor, " m"]:
        segment = segment_of(self.data, numbers)
        parts = [numbers[segment == member] for member in sorted(set(segment.tolist()))]
        return torch.cat([part[-max(1, round(share * len(part))) :] for part in parts])

    def seen(self, fold: int) -> Columns:
        train = self.masks(fold)["train"].repeat_interleave(self.data.window or 1)
        return ((name, self.data.values[train, place].numpy()) for place, name in enumerate(self.columns))

    @classmethod
    def seen_of(cls, values: object, columns: list[str]) -> Columns:
        return channels_of(values, columns, 2)

    @property
    def oracle(self) -> Oracle | None:
        p = self.data
        if p.oracle_forecast is None and not p.oracle_labels and not p.oracle_numbers:
            return None
        return Oracle(p.oracle_from, p.oracle_forecast, p.oracle_labels, p.oracle_numbers)

    def with_labels(
        self, labels: dict[str, Tensor], classes: dict[str, list[str]], optimum: dict[str, Tensor]
    ) -> "WindowsInput":
        return WindowsInput(replace(self.data, labels=labels, classes=classes, oracle_labels=optimum))

    def no_samples(self, length: int, ahead: int) -> str:
        wanted = f" and {ahead} rows to forecast" if ahead else ""
        shorter = "`input_len` or `horizon`" if ahead else "`input_len`"
        remedy = f": a shorter {shorter}, or other `borders`, may leave some" if self.series else ""
        if self.data.known is not None:
            remedy += "; none reads a cell that is missing and not filled, or forecasts filled cells alone"
        return f" with {length} rows of input{wanted}{remedy}"

    def _values(self) -> str | None:
        p = self.data
        usable = p.values.abs() <= MAX_VALUE  # False for NaN.
        if p.known is not None:
            usable |= p.values.isnan() & ~p.known
        if bool(usable.all()):
            return None
        row, column = (int(i) for i in torch.nonzero(~usable)[0])
        value = float(p.values[row, column])
        should = f"be at most {MAX_VALUE:g} in size" if math.isfinite(value) else "be a finite number"
        return f"{self._cell(row, column)}: should {should}, found {value}."

    def _cell(self, row: int, column: int) -> str:
        """Place of a cell of `values`, in words."""
        name, window = self.data.columns[column], self.data.window
        if window is None:
            return f"row {row} (counted from 0), column `{name}`"
        return f"window {row // window}, row {row % window} (counted from 0), column `{name}`"


def _part_of(fold: Int[Tensor, " n"], split: Split, held_out: int) -> Int[Tensor, " m"]:
    """Numbers of the samples with a fold that belong to a part."""
    test, val = fold == -1, fold == held_out
    return {"test": test, "val": val, "train": ~(test | val)}[split].nonzero().squeeze(1)
