"""Rows of a table: numbers and categories, of which some may be missing.

S rows, n samples, B of a batch, W numbers that stand for a row (`mtl.config.inputs.RowLayout`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor

from mtl.config.inputs import ROWS, InputKind, RowLayout
from mtl.config.tasks import Task
from mtl.data.inputs import scratch
from mtl.data.inputs.base import Fitted, Input, Layout, Sampler, Samples
from mtl.data.inputs.contract import folds_problem, targets_problems
from mtl.data.inputs.oracles import as_tensors, from_tensors
from mtl.data.inputs.row_contract import crossed_problem, form_problems, value_problems
from mtl.data.inputs.row_fit import BLOCK, FittedRows, column_blocks, fit_table
from mtl.data.inputs.row_frames import rows_given
from mtl.data.inputs.row_targets import row_remarks, without_targets
from mtl.data.inputs.scaling import CPU, scores_problem, stays_mapped
from mtl.data.inputs.seen import UNKNOWN, Columns, Named, row_columns
from mtl.tasks.context import Oracle
from mtl.types import NO_CATEGORY, RowSet, Split

PLAIN: dict[str, Any] = {
    "category_columns": [], "vocabularies": {}, "group_names": [], "scaling": "zscore", "rare": 1,
    "crossed": False, "aside": [],
}  # fmt: skip
"""Members of the meta that rows of numbers alone have at these values, and that are then left out of it."""


class ByIndex(Samples):
    """Samples that are rows of a source, by their indices."""

    rows: Int[Tensor, " n"]

    def __len__(self) -> int:
        return self.rows.shape[0]

    @property
    def numbers(self) -> Int[Tensor, " n"]:
        return self.rows


@dataclass(frozen=True)
class Rows(ByIndex):
    """Some of the rows of a source."""

    encoded: Float[Tensor, "S W"]
    """All rows of the source as networks see them, float32; pools share the one tensor."""
    rows: Int[Tensor, " n"]
    """Indices of the rows that are the samples."""

    def gather(self, index: Int[Tensor, " B"], ahead: int) -> tuple[Float[Tensor, "B W"], None]:
        """Rows; nothing follows one, so `ahead` is 0."""
        assert ahead == 0
        return self.encoded.index_select(0, self.rows.index_select(0, index)), None

    def pick(self, index: Int[Tensor, " m"]) -> "Rows":
        return replace(self, rows=self.rows[index])

    def to(self, device: torch.device) -> "Rows":
        return Rows(self.encoded.to(device), self.rows.to(device))


@dataclass(frozen=True)
class MappedRows(ByIndex):
    """Some of the rows of a source that stays in its file."""

    encode: Callable[[Int[Tensor, " B"]], Float[Tensor, "B W"]]
    """Indices of rows → the rows as networks see them, on the CPU, which can read the file."""
    rows: Int[Tensor, " n"]
    """Indices of the rows that are the samples."""
    device: torch.device = CPU
    """Where batches are wanted."""

    def gather(self, index: Int[Tensor, " B"], ahead: int) -> tuple[Float[Tensor, "B W"], None]:
        """Rows; nothing follows one, so `ahead` is 0."""
        assert ahead == 0
        return self.encode(self.rows.index_select(0, index.cpu())).to(self.device), None

    def pick(self, index: Int[Tensor, " m"]) -> "MappedRows":
        return replace(self, rows=self.rows[index])

    def to(self, device: torch.device) -> "MappedRows":
        return replace(self, device=device)


class RowsInput(Input[RowSet]):
    """Rows of numbers and categories, each a sample."""

    kind: ClassVar[InputKind] = ROWS
    fitted: ClassVar[type[Fitted]] = FittedRows

    @property
    def place(self) -> str:
        return "row"

    @property
    def crossed(self) -> bool:
        return self.data.crossed

    def problems(self) -> list[str]:
        form = form_problems(self.data)
        if form:
            return form
        parts = crossed_problem(self.data) if self.data.crossed else folds_problem(self.data, self.place)
        others = [problem for problem in (parts, self._oracle()) if problem is not None]
        return [*value_problems(self.data), *others, *targets_problems(self, parts is None)]

    def tensors(self) -> dict[str, Tensor]:
        p = self.data
        known = as_tensors(p.oracle_labels, p.oracle_numbers)
        mixed = {"categories": p.categories, "groups": p.groups, "weights": p.weights}
        there = {name: tensor for name, tensor in mixed.items() if tensor is not None}
        return {"values": p.values, "fold": p.fold} | known | there

    def meta(self) -> dict[str, Any]:
        p = self.data
        return {
            "kind": self.kind.name,
            "rows": len(p.values),
            "units": p.units,
            "oracle_labels": list(p.oracle_labels),
            "oracle_numbers": list(p.oracle_numbers),
        } | {name: vars(p)[name] for name, value in PLAIN.items() if vars(p)[name] != value}

    @classmethod
    def from_kept(cls, meta: dict[str, Any], tensors: dict[str, Tensor], common: dict[str, Any]) -> "RowsInput":
        mixed: dict[str, Any] = {name: tensors.get(name) for name in ("categories", "groups", "weights")}
        mixed |= {name: meta.get(name, value) for name, value in PLAIN.items()}
        rows = RowSet(
            **common,
            values=tensors["values"],
            fold=tensors["fold"],
            units=meta["units"],
            **from_tensors(meta, tensors),
            **mixed,
        )
        return cls(rows)

    def for_tasks(self, tasks: Sequence[Task]) -> "RowsInput":
        named = {name for task in tasks for name in task.named}
        return type(self)(without_targets(self.data, named, {name for task in tasks for name in task.sorts}))

    @property
    def columns(self) -> list[str]:
        return [*self.data.columns, *self.data.category_columns]

    def _fit(self, fold: int) -> FittedRows:
        return fit_table(self.data, self.masks(fold)["train"])

    def scores_problem(self, fitted: Fitted) -> str | None:
        assert isinstance(fitted, FittedRows)
        if fitted.quantiles is not None:
            return None
        for columns in column_blocks(len(self.data.columns), 1):
            values, medians = self.data.values[:, columns], fitted.medians[columns]
            scale = Fitted(fitted.mean[columns], fitted.std[columns])
            problem = scores_problem(torch.where(values.isnan(), medians, values), self.data.columns[columns], scale)
            if problem is not None:
                return problem
        return None

    def remarks(self, masks: Mapping[Split, Bool[Tensor, " S"]]) -> list[str]:
        return row_remarks(self.data, masks)

    def length(self, name: str, task: Task) -> int:
        return 0

    def shape(self, length: int, fitted: Fitted) -> tuple[int, ...]:
        assert isinstance(fitted, FittedRows)
        return (fitted.width,)

    def layout(self, fitted: Fitted) -> RowLayout | None:
        assert isinstance(fitted, FittedRows)
        return fitted.layout

    def numbers_of(self, split: Split, fold: int, length: int, ahead: int) -> Int[Tensor, " n"]:
        return self.masks(fold)[split].nonzero().squeeze(1)

    def dealt(self, fold: int) -> dict[Split, Bool[Tensor, " S"]]:
        if not self.data.crossed:
            return super().dealt(fold)
        test, val = self.data.fold == fold, self.data.fold == (fold + 1) % self.data.folds
        return {"train": ~(test | val), "val": val, "test": test}

    def places(self, numbers: Int[Tensor, " n"], length: int) -> Int[Tensor, " n"]:
        return numbers

    def sampler(self, fitted: Fitted, ahead: int) -> Sampler:
        assert isinstance(fitted, FittedRows)
        p = self.data
        categories = p.categories if p.category_columns else None
        tables = fitted.tables([p.vocabularies[column] for column in p.category_columns])

        def encode(index: Int[Tensor, " B"] | slice) -> Float[Tensor, "B W"]:
            codes = None if categories is None else fitted.codes(categories[index], tables)
            numbers = p.values[index]
            return fitted.encoded(numbers if p.places is None else numbers[:, p.places], codes)

        if stays_mapped(len(p.values) * fitted.width):
            return lambda numbers, length: MappedRows(encode, numbers)
        encoded = encode(slice(None))
        return lambda numbers, length: Rows(encoded, numbers)

    @classmethod
    def given(cls, values: object, layout: Layout, ahead: int) -> Rows:
        """Rows [n, F] of numbers, or a frame with the columns in any order."""
        assert isinstance(layout.fitted, FittedRows)
        encoded = rows_given(values, layout, layout.fitted)
        return Rows(encoded, torch.arange(len(encoded)))

    def describe(self) -> str:
        return f"rows × {len(self.columns)} columns"

    @property
    def units(self) -> dict[str, str]:
        return self.data.units

    def cells(self) -> tuple[list[str], Float64[np.ndarray, "S C"], list[str]]:
        p = self.data
        names = [*p.columns, *p.category_columns]
        if p.categories is None and p.places is None:
            return names, p.values.numpy(), []
        values = scratch.empty((len(p.values), len(names)), np.float64)
        for some in scratch.blocks(len(values), BLOCK):
            numbers = p.values[some]
            values[some, : len(p.columns)] = numbers if p.places is None else numbers[:, p.places]
            if p.categories is not None:
                codes = p.categories[some].double().numpy()
                values[some, len(p.columns) :] = np.where(codes == NO_CATEGORY, np.nan, codes)
        return names, values, p.category_columns

    def seen(self, fold: int) -> Columns:
        p, train = self.data, self.masks(fold)["train"]
        for place, name in zip(p.places or range(len(p.columns)), p.columns, strict=True):
            yield name, p.values[train, place].numpy()
        for place, (name, known) in enumerate(zip(p.category_columns, fit_table(p, train).names, strict=True)):
            assert p.categories is not None
            often = set(known)
            names = [word if word in often else UNKNOWN for word in p.vocabularies[name]]
            yield name, Named(p.categories[train, place].numpy(), names)

    @classmethod
    def seen_of(cls, values: object, columns: list[str]) -> Columns:
        return row_columns(values, columns)

    @property
    def groups(self) -> Int[Tensor, " S"] | None:
        return self.data.groups

    @property
    def weights(self) -> Float64[Tensor, " S"] | None:
        weights = self.data.weights
        # Equal weights are none, whatever their size.
        return None if weights is None or bool((weights == weights[0]).all()) else weights

    @property
    def oracle(self) -> Oracle | None:
        p = self.data
        return Oracle(0, None, p.oracle_labels, p.oracle_numbers) if p.oracle_labels or p.oracle_numbers else None

    def with_labels(
        self, labels: dict[str, Tensor], classes: dict[str, list[str]], optimum: dict[str, Tensor]
    ) -> "RowsInput":
        return type(self)(replace(self.data, labels=labels, classes=classes, oracle_labels=optimum))

    def _oracle(self) -> str | None:
        p, count = self.data, self.size
        for name, chance in p.oracle_labels.items():
            if name not in p.classes or list(chance.shape) != [count, len(p.classes[name])]:
                return f"`oracle_labels` of `{name}` should be a chance of each class for each of the {count} rows."
        for name, mean in p.oracle_numbers.items():
            if name not in p.numbers or list(mean.shape) != [count]:
                return f"`oracle_numbers` of `{name}` should be a number for each of the {count} rows."
        return None
