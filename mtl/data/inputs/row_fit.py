"""Fit of the rows of a table to the training rows of a fold, and rows as networks see them.

S rows, F numbers, G categories, Q quantiles, W = F + flags + G numbers that stand for a row (`RowLayout`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int, Int32
from torch import Tensor

from mtl.config.inputs import RowLayout
from mtl.data.inputs import scratch
from mtl.data.inputs.base import Fitted
from mtl.data.inputs.gaps import fit_filled
from mtl.data.inputs.scaling import fit_rows
from mtl.types import NO_CATEGORY, RowSet

UNKNOWN, MISSING, FIRST = 0, 1, 2
"""Codes of a category that training rows do not know or that is rare there, of a missing one, and of the first name."""
QUANTILES = 256
"""Quantiles of a number that its ranks are found by, at most."""
LEAST_SHARE = 1e-7
"""Share of training rows below the smallest value, so that its normal quantile is a number (about ±5.2)."""
TOGETHER = 32
"""Columns that are fitted together, a multiple of those that a processor adds up at once."""
BLOCK = 1 << 16
"""Rows that are encoded together: what they need in float64 stays small beside the result."""


@dataclass(frozen=True)
class FittedRows(Fitted):
    """Rows of a table: what is fitted beside the mean and deviation of the numbers that are not missing."""

    medians: Float64[Tensor, " F"]
    """Median of each number over the rows where it is known; it stands for a missing one."""
    flags: tuple[int, ...] = ()
    """Places of the numbers that some training rows lack, ascending."""
    quantiles: Float64[Tensor, "Q F"] | None = None
    """Quantiles of each number from the smallest value to the largest; None: z-scores are seen."""
    names: tuple[tuple[str, ...], ...] = ()
    """Categories of each column that training rows know, sorted."""
    missing: tuple[bool, ...] = ()
    """For each column of categories, whether training rows lack some."""

    @property
    def layout(self) -> RowLayout | None:
        """Meaning of the W numbers of a row; None where each is a number."""
        if not self.flags and not self.names:
            return None
        return RowLayout(len(self.mean), self.flags, tuple(FIRST + len(known) for known in self.names))

    @property
    def width(self) -> int:
        """W."""
        return len(self.mean) + len(self.flags) + len(self.names)

    def plain(self) -> dict[str, Any]:
        mixed = {
            "medians": self.medians.tolist() if self.flags else None,
            "flags": list(self.flags) or None,
            "quantiles": None if self.quantiles is None else self.quantiles.T.tolist(),
            "categories": [list(known) for known in self.names] or None,
            "missing": list(self.missing) or None,
        }
        return super().plain() | {name: value for name, value in mixed.items() if value is not None}

    @classmethod
    def from_plain(cls, content: Mapping[str, Any]) -> "FittedRows":
        scale, quantiles = Fitted.from_plain(content), content.get("quantiles")
        medians = content.get("medians")
        return cls(
            scale.mean,
            scale.std,
            scale.mean if medians is None else torch.tensor(medians, dtype=torch.float64),
            tuple(content.get("flags") or ()),
            None if quantiles is None else torch.tensor(quantiles, dtype=torch.float64).T.contiguous(),
            tuple(tuple(known) for known in content.get("categories") or ()),
            tuple(content.get("missing") or ()),
        )

    def encoded(self, values: Float64[Tensor, "S F"], codes: Int32[Tensor, "S G"] | None) -> Float[Tensor, "S W"]:
        """Rows as networks see them, float32.

        Args:
            values: original units; NaN is missing.
            codes: codes of the categories; None where there are none.
        """
        rows = torch.empty(len(values), self.width)
        count, coded = len(self.mean), self.width - len(self.names)
        for begin in range(0, len(values), BLOCK):
            block = slice(begin, begin + BLOCK)
            numbers = values[block]
            gone = numbers.isnan()
            numbers = torch.where(gone, self.medians, numbers)
            rows[block, :count] = self._scaled(numbers).float()
            rows[block, count:coded] = gone[:, list(self.flags)].float()
            if codes is not None:
                rows[block, coded:] = codes[block].float()
        return rows

    def _scaled(self, numbers: Float64[Tensor, "b F"]) -> Float64[Tensor, "b F"]:
        if self.quantiles is None:
            return (numbers - self.mean) / self.std
        places = np.linspace(0, 1, len(self.quantiles))
        grid, scaled = self.quantiles.numpy(), torch.empty_like(numbers)
        for column in range(numbers.shape[1]):
            given, knots = numbers[:, column].numpy(), np.ascontiguousarray(grid[:, column])
            # From both sides, so that a value that many rows have stands in the middle of their ranks.
            below, above = np.interp(given, knots, places), np.interp(-given, -knots[::-1], places)
            scaled[:, column] = torch.from_numpy((below + 1 - above) / 2)
        normal: Tensor = torch.special.ndtri(scaled.clamp(LEAST_SHARE, 1 - LEAST_SHARE))
        return normal

    def tables(self, vocabularies: Sequence[Sequence[str]]) -> list[Int32[Tensor, " _"]]:
        """For each category, the code of what is missing and then of each name of another vocabulary, in its order."""
        tables = []
        for place, vocabulary in enumerate(vocabularies):
            known = {name: FIRST + number for number, name in enumerate(self.names[place])}
            lacking = MISSING if self.missing[place] else UNKNOWN
            codes = [lacking, *(known.get(name, UNKNOWN) for name in vocabulary)]
            tables.append(torch.tensor(codes, dtype=torch.int32))
        return tables

    def codes(self, categories: Int32[Tensor, "S G"], tables: Sequence[Int32[Tensor, " _"]]) -> Int32[Tensor, "S G"]:
        """Codes of categories; NO_CATEGORY is missing.

        Args:
            categories: numbers in other vocabularies.
            tables: of these vocabularies, as `tables` makes them.
        """
        codes = torch.empty_like(categories)
        for place, table in enumerate(tables):
            codes[:, place] = table[categories[:, place] - NO_CATEGORY]
        return codes


def fit_table(data: RowSet, train: Bool[Tensor, " S"]) -> FittedRows:
    """The fit to the training rows of a fold; no other row has any part in it."""
    rows, flags = train.nonzero().squeeze(1), []
    scales, medians, quantiles = [], [], []
    for columns in column_blocks(len(data.columns)):
        values = _rows_of(data, columns, rows)
        lacking = _isnan(values)
        flagged = lacking.any(dim=0) & ~lacking.all(dim=0)
        flags += [columns.start + place for place in flagged.nonzero().squeeze(1).tolist()]
        medians += [values[:, place].nanmedian().nan_to_num() for place in range(values.shape[1])]
        if data.scaling == "quantile":
            quantiles += _quantiles(values)
        if bool(lacking.any()):
            scales.append(fit_filled(values.masked_fill_(lacking, 0.0), lacking.logical_not_()))
        else:
            scales.append(fit_rows(values))
    names, missing = [], []
    for place, column in enumerate(data.category_columns):
        assert data.categories is not None
        vocabulary = data.vocabularies[column]
        counts = torch.bincount(data.categories[train, place].long() - NO_CATEGORY, minlength=len(vocabulary) + 1)
        often = (counts[1:] >= max(1, data.rare)).nonzero().squeeze(1).tolist()
        names.append(tuple(vocabulary[number] for number in often))
        missing.append(bool(counts[0] > 0))
    none = torch.empty(0, dtype=torch.float64)
    return FittedRows(
        torch.cat([none, *(scale.mean for scale in scales)]),
        torch.cat([none, *(scale.std for scale in scales)]),
        torch.stack(medians) if medians else none,
        tuple(flags),
        torch.from_numpy(np.maximum.accumulate(np.stack(quantiles, axis=1), axis=0)) if quantiles else None,
        tuple(names),
        tuple(missing),
    )


def _rows_of(data: RowSet, columns: slice, rows: Int[Tensor, " r"]) -> Float64[Tensor, "r F"]:
    """A copy of some columns in some rows."""
    places = range(*columns.indices(len(data.columns)))
    copy = torch.from_numpy(scratch.empty((len(rows), len(places)), np.float64))
    if data.places is None:
        return torch.index_select(data.values[:, columns], 0, rows, out=copy)
    wanted = torch.tensor(data.places[columns])
    for some in scratch.blocks(len(rows), BLOCK):
        copy[some] = data.values[rows[some][:, None], wanted]
    return copy


def _isnan(values: Float64[Tensor, "r F"]) -> Bool[Tensor, "r F"]:
    mask = torch.from_numpy(scratch.empty(tuple(values.shape), np.bool_))
    for rows in scratch.blocks(len(values)):
        mask[rows] = values[rows].isnan()
    return mask


def column_blocks(count: int, together: int = TOGETHER) -> Iterator[slice]:
    """Places of columns that are looked at together, so that a copy of them stays small beside the whole.

    By TOGETHER, sums of a column are those of the whole matrix to the last bit: its place in the registers of a
    processor is the same, and it is never alone.
    """
    begin = 0
    while begin < count:
        end = begin + together if count - begin > together + (together > 1) else count
        yield slice(begin, end)
        begin = end


def _quantiles(values: Float64[Tensor, "S F"]) -> list[np.ndarray]:
    """Quantiles of the known values of each column, as many as there are rows at most; zeros where none is known."""
    places = np.linspace(0, 1, min(QUANTILES, max(2, len(values))))
    columns = (column[~np.isnan(column)] for column in values.numpy().T)
    return [np.quantile(column, places) if len(column) else np.zeros(len(places)) for column in columns]
