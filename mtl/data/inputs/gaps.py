"""Cells of windows that were not measured: filled in for inputs, or missing, and never a target.

R rows, C channels, B windows of a batch of L rows and A rows ahead, n windows.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor

from mtl.data.inputs.base import Fitted
from mtl.data.inputs.scaling import fit_rows


@dataclass(frozen=True)
class Gaps:
    """Mask of the known cells of a source, and where each channel was known last."""

    known: Bool[Tensor, "R C"]
    latest: Int[Tensor, "R C"]
    """Last row at or before each row in which a channel was known, in the same series or stored window; -1 for none."""

    @classmethod
    def of(cls, known: Bool[Tensor, "R C"], first: Int[Tensor, " R"], more: int) -> "Gaps":
        """The gaps of a source, with `more` rows behind its end.

        Args:
            known: mask of the cells that were measured.
            first: first row of the series or stored window that each row belongs to.
            more: rows that are asked for behind the end; they mean nothing.
        """
        row = torch.arange(len(known), dtype=torch.int32)[:, None]
        latest = torch.cummax(torch.where(known, row, -1), dim=0).values
        latest = torch.where(latest < first[:, None], -1, latest).to(torch.int32)
        return cls(
            torch.cat([known, known.new_zeros(more, known.shape[1])]),
            torch.cat([latest, latest.new_full((more, known.shape[1]), -1)]),
        )

    def to(self, device: torch.device) -> "Gaps":
        """The same on a device."""
        return Gaps(self.known.to(device), self.latest.to(device))

    def last_known(self, starts: Int[Tensor, " B"], length: int) -> Int[Tensor, "B C"]:
        """The last row of each window in which a channel was known, or one before it; -1 where there is none."""
        return self.latest.index_select(0, starts + length - 1).long()

    def past(
        self, value: Float[Tensor, "B C"], x: Float[Tensor, "B C L"], starts: Int[Tensor, " B"]
    ) -> Float[Tensor, "B C L"]:
        """Inputs that hold nothing from behind their window: cells filled in at its end, by a line to a value that is
        known only later, repeat the last known value instead, or are the training mean where there is none.

        Args:
            value: of each channel in the row `last_known`, or anything where there is none.
            x: the windows.
            starts: their first rows.
        """
        length = x.shape[2]
        latest = self.last_known(starts, length)
        row = starts[:, None, None] + torch.arange(length, device=starts.device)
        return torch.where(row > latest[..., None], torch.where(latest < 0, 0.0, value)[..., None], x)

    def ahead(
        self, following: Float[Tensor, "B C A"], starts: Int[Tensor, " B"], length: int
    ) -> Float[Tensor, "B C A"]:
        """Rows ahead with NaN for the cells that were not measured."""
        known = self.known.unfold(0, length + following.shape[2], 1).index_select(0, starts)[:, :, length:]
        return following.masked_fill(~known, torch.nan)

    def complete(
        self, starts: Int[Tensor, " n"], length: int, ahead: int, channels: Int[Tensor, " T"] | None
    ) -> Bool[Tensor, " n"]:
        """Mask of the windows of which all rows ahead were measured in some channels; None: in all."""
        known = self.known if channels is None else self.known[:, channels]
        return spans(known.all(dim=1), starts + length, ahead) == ahead


def spans(rows: Bool[Tensor, " R"], starts: Int[Tensor, " n"], length: int) -> Int[Tensor, " n"]:
    """How many of the `length` rows from each start on are marked."""
    counts = rows.long().cumsum(0)
    sums = torch.cat([counts.new_zeros(1), counts])
    return sums[starts + length] - sums[starts]


def fit_known(rows: Float64[Tensor, "R C"], known: Bool[Tensor, "R C"]) -> Fitted:
    """Mean and population standard deviation of the known cells of each column, as `fit_rows` gives those of all."""
    return fit_filled(torch.where(known, rows, 0.0), known)


def fit_filled(rows: Float64[Tensor, "R C"], known: Bool[Tensor, "R C"]) -> Fitted:
    """The same of rows in which the cells that are not known hold 0."""
    whole = fit_rows(rows)
    mean, std = whole.mean, whole.std
    for column in (~known.all(dim=0)).nonzero().squeeze(1).tolist():
        cells = rows[known[:, column], column][:, None]
        if len(cells):
            own = fit_rows(cells)
            mean[column], std[column] = own.mean[0], own.std[0]
        else:
            mean[column], std[column] = 0.0, 1.0
    return whole
