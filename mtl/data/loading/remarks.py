"""Sentences on the data behind results that a reader should know: classes without samples in a part, cells
that were filled in, channels that stand still.

C channels.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from mtl.data.inputs.base import Input
from mtl.types import NO_LABEL, Prepared, SourceData, Split

RARE = 5
"""Samples of a class in validation or test, below which the counts of all classes are told."""
MANY = 20
"""Samples of a part in which fewer than RARE of a class are few."""
MOST_CLASSES = 12
"""Classes whose counts a sentence holds."""
MOST_COLUMNS = 4
FEWEST = 10
"""Rows of a part in which a channel that stands still is told of."""
NAMES: dict[Split, str] = {"train": "train", "val": "validation", "test": "test"}


def remarks(source: Input[SourceData], fold: int = 0) -> list[str]:
    """Sentences on a prepared source, each beginning with its name; the same for the same data.

    Args:
        source: the data.
        fold: the part of the training samples that is held out for validation.
    """
    data, masks = source.data, source.masks(fold)
    said = class_remarks(source, fold)
    if isinstance(data, Prepared):
        rows = {split: _rows(data, mask) for split, mask in masks.items()}
        said += _filled(data, rows) + _still(data, rows)
    return [f"{data.name}: {sentence}" for sentence in said]


def class_remarks(source: Input[SourceData], fold: int = 0) -> list[str]:
    """Sentences on labels of which a class has few samples or none in validation or test."""
    masks = source.masks(fold)
    return [said for label in source.data.labels if (said := _classes(source, label, masks)) is not None]


def _classes(source: Input[SourceData], label: str, masks: Mapping[Split, Bool[Tensor, " _"]]) -> str | None:
    """Counts of the classes of a label in each part, where one has few samples or none in validation or test."""
    names, values = source.data.classes[label], source.data.labels[label]
    counts = {}
    for split, mask in masks.items():
        known = values[mask]
        counts[split] = torch.bincount(known[known != NO_LABEL], minlength=len(names)).tolist()
    judged: tuple[Split, ...] = ("val", "test")
    # In a part of a few samples every class is rare.
    least = {split: RARE if sum(counts[split]) >= MANY else 1 for split in judged}
    few = [
        number for number in range(len(names))
        if counts["train"][number] and any(counts[split][number] < least[split] for split in judged)
    ]  # fmt: skip
    if not few:
        return None
    told = [number for number in range(len(names)) if len(names) <= MOST_CLASSES or number in few[:MOST_CLASSES]]
    by_part = "; ".join(
        f"{NAMES[split]} " + ", ".join(f"{names[number]} {counts[split][number]:,}" for number in told)
        for split in masks
    )
    place = source.place
    absent = {split: [names[n] for n in few if counts[split][n] == 0] for split in judged}
    missing = " and ".join(f"no {place} of {', '.join(of)} in {NAMES[split]}" for split, of in absent.items() if of)
    return f"{missing or f'few {place}s of a class'}: `{label}` has in {by_part}."


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
        shares = [f"{NAMES[split]} {_percent(made_up[mask, number])}" for split, mask in rows.items()]
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
                f"{', '.join(still[:MOST_COLUMNS])}{more} never {verb} in {NAMES[split]}: forecasting a probe that "
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
