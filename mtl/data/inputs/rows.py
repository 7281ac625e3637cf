"""Rows of numbers.

n samples, B of a batch, F numbers of a row.
"""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mtl.config.inputs import ROWS, InputKind
from mtl.config.tasks import Task
from mtl.data.inputs.base import Input, Layout, Sampler, Samples, Scaler, part_of
from mtl.data.inputs.contract import folds_problem, targets_problems
from mtl.data.inputs.given import array_of, checked_rows, frame_of, wrong_shape
from mtl.data.inputs.oracles import as_tensors, from_tensors
from mtl.data.inputs.row_contract import form_problems, value_problems
from mtl.data.inputs.scaling import fit_rows, scores_problem
from mtl.errors import shown
from mtl.tasks.context import Oracle
from mtl.types import RowSet, Split

PLAIN: dict[str, Any] = {
    "category_columns": [], "vocabularies": {}, "group_names": [], "scaling": "zscore", "rare": 1,
}  # fmt: skip
"""Members of the meta that rows of numbers alone have at these values, and that are then left out of it."""


@dataclass(frozen=True)
class Rows(Samples):
    """Some of the rows of a source."""

    scaled: Float[Tensor, "S F"]
    """All rows of the source, z-scored, float32; pools share the one tensor."""
    rows: Int[Tensor, " n"]
    """Indices of the rows that are the samples."""

    def __len__(self) -> int:
        return self.rows.shape[0]

    @property
    def numbers(self) -> Int[Tensor, " n"]:
        return self.rows

    def gather(self, index: Int[Tensor, " B"], ahead: int) -> tuple[Float[Tensor, "B F"], None]:
        """Rows; nothing follows one, so `ahead` is 0."""
        assert ahead == 0
        return self.scaled.index_select(0, self.rows.index_select(0, index)), None

    def pick(self, index: Int[Tensor, " m"]) -> "Rows":
        return replace(self, rows=self.rows[index])

    def to(self, device: torch.device) -> "Rows":
        return Rows(self.scaled.to(device), self.rows.to(device))


class RowsInput(Input[RowSet]):
    """Rows of numbers, each a sample."""

    kind: ClassVar[InputKind] = ROWS

    @property
    def place(self) -> str:
        return "row"

    def problems(self) -> list[str]:
        form = form_problems(self.data)
        if form:
            return form
        parts = folds_problem(self)
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
        rows = RowSet(
            **common,
            values=tensors["values"],
            fold=tensors["fold"],
            units=meta["units"],
            **from_tensors(meta, tensors),
            **{name: tensors.get(name) for name in ("categories", "groups", "weights")},
            **{name: meta.get(name, value) for name, value in PLAIN.items()},
        )
        return cls(rows)

    def _fit(self, fold: int) -> Scaler:
        return fit_rows(self.data.values[self.masks(fold)["train"]])

    def scores_problem(self, scaler: Scaler) -> str | None:
        return scores_problem(self.data.values, self.data.columns, scaler)

    def length(self, name: str, task: Task) -> int:
        return 0

    def shape(self, length: int) -> tuple[int, ...]:
        return (len(self.data.columns),)

    def numbers_of(self, split: Split, fold: int, length: int, ahead: int) -> Int[Tensor, " n"]:
        return part_of(self.data.fold, split, fold)

    def places(self, numbers: Int[Tensor, " n"], length: int) -> Int[Tensor, " n"]:
        return numbers

    def sampler(self, scaler: Scaler, ahead: int) -> Sampler:
        scaled = ((self.data.values - scaler[0]) / scaler[1]).float()
        return lambda numbers, length: Rows(scaled, numbers)

    @classmethod
    def given(cls, values: object, layout: Layout, ahead: int) -> Rows:
        """Rows [n, F], or a frame of them."""
        (width,) = layout.shape
        rows = frame_of(values, layout)
        if rows is None:
            form = f"rows [n, {width}] of the columns {shown(layout.columns)}, or a frame"
            array = array_of(values, form)
            if array.ndim != 2 or array.shape[1] != width:
                remedy = "; `x[None]` makes a batch of one" if array.shape == (width,) else ""
                raise wrong_shape(form, list(array.shape), remedy)
            rows = array.to(torch.float64)
        rows = checked_rows(rows, layout, 1)
        return Rows(((rows - layout.scaler[0]) / layout.scaler[1]).float(), torch.arange(len(rows)))

    def describe(self) -> str:
        return f"rows × {len(self.data.columns)} columns"

    @property
    def units(self) -> dict[str, str]:
        return self.data.units

    @property
    def oracle(self) -> Oracle | None:
        p = self.data
        return Oracle(0, None, p.oracle_labels, p.oracle_numbers) if p.oracle_labels or p.oracle_numbers else None

    def with_labels(
        self, labels: dict[str, Tensor], classes: dict[str, list[str]], optimum: dict[str, Tensor]
    ) -> "RowsInput":
        return RowsInput(replace(self.data, labels=labels, classes=classes, oracle_labels=optimum))

    def _oracle(self) -> str | None:
        p, count = self.data, self.size
        for name, chance in p.oracle_labels.items():
            if name not in p.classes or list(chance.shape) != [count, len(p.classes[name])]:
                return f"`oracle_labels` of `{name}` should be a chance of each class for each of the {count} rows."
        for name, mean in p.oracle_numbers.items():
            if name not in p.numbers or list(mean.shape) != [count]:
                return f"`oracle_numbers` of `{name}` should be a number for each of the {count} rows."
        return None
