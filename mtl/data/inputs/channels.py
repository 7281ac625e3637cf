"""Sentences on measured channels that a reader of results should know: cells that were filled in, channels that stand
still.

R rows, C channels.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from mtl.data.inputs.base import PARTS
from mtl.types import Prepared, Split

MOST_COLUMNS = 4
FEWEST = 10
"""Rows of a part in which a channel that stands still is told of."""


def channel_remarks(data: Prepared, masks: Mapping[Split, Bool[Tensor, " _"]]) -> list[str]:
    """Sentences on the channels of series or windows; `masks` hold the rows or windows of each part."""
    rows = {split: _rows(data, mask) for split, mask in masks.items()}
    return _filled(data, rows) + _still(data, rows)


def _rows(data: Prepared, mask: Bool[Tensor, " _"]) -> Bool[Tensor, " R"]:
    return mask if data.window is None else mask.repeat_interleave(data.window)


def _filled(data: Prepared, rows: Mapping[Split, Bool[Tensor, " R"]]) -> list[str]:
    """Shares of the cells that were filled in, by channel and part."""
    if data.known is None:
        return []
    made_up = ~data.known
    counts = made_up.sum(dim=0).tolist()
    columns = sorted((number for number, count in enumerate(counts) if count), key=lambda number: -counts[number])
    told = []
    for number in columns[:MOST_COLUMNS]:
        shares = [f"{PARTS[split]} {_percent(made_up[mask, number])}" for split, mask in rows.items()]
        told.append(f"{data.columns[number]} ({', '.join(shares)})")
    more = f" and {len(columns) - MOST_COLUMNS} other channels" if len(columns) > MOST_COLUMNS else ""
    return [f"values were missing in {', '.join(told)}{more}: filled in for inputs, never predicted nor counted."]


def _percent(mask: Bool[Tensor, " n"]) -> str:
    share = 100 * float(mask.double().mean())
    return f"{share:.0f} %" if share >= 10 or share == 0 else f"{share:.1f} %" if share >= 0.1 else "< 0.1 %"


def _still(data: Prepared, rows: Mapping[Split, Bool[Tensor, " R"]]) -> list[str]:
    """Channels that change in training and not in validation or test."""
    moves = {split: _moves(data, mask) for split, mask in rows.items()}
    said = []
    for split in ("val", "test"):
        if int(rows[split].sum()) < FEWEST:
            continue
        still = [
            name for name, before, now in zip(data.columns, moves["train"], moves[split], strict=True)
            if before and not now and name not in data.flags
        ]  # fmt: skip
        if still:
            more = f" and {len(still) - MOST_COLUMNS} more" if len(still) > MOST_COLUMNS else ""
            verb = "changes" if len(still) == 1 else "change"
            said.append(
                f"{', '.join(still[:MOST_COLUMNS])}{more} never {verb} in {PARTS[split]}: forecasting a probe that "
                "stands still is no achievement."
            )
    return said


def _moves(data: Prepared, mask: Bool[Tensor, " R"]) -> list[bool]:
    """Channels that have two different measured values in some rows."""
    values: Float64[Tensor, "r C"] = data.values[mask]
    there = ~values.isnan() if data.known is None else data.known[mask]
    highest = torch.where(there, values, -torch.inf).amax(dim=0)
    lowest = torch.where(there, values, torch.inf).amin(dim=0)
    return [bool(moved) for moved in highest > lowest]
