"""Sentences on the data behind results that a reader should know: how a source was read, classes without samples in
a part, cells that were filled in, channels that stand still.
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Bool
from torch import Tensor

from mtl.data.inputs.base import PARTS, Input
from mtl.data.loading.notes import FILLED, STILL, joined_notes
from mtl.data.loading.store import META, PREPARED
from mtl.types import NO_LABEL, SourceData, Split

RARE = 5
"""Samples of a class in validation or test, below which the counts of all classes are told."""
MANY = 20
"""Samples of a part in which fewer than RARE of a class are few."""
MOST_CLASSES = 12
"""Classes whose counts a sentence holds."""


def remarks(source: Input[SourceData], fold: int = 0, close: Sequence[str] = ()) -> list[str]:
    """Sentences on a prepared source, each beginning with its name; the same for the same data.

    Args:
        source: the data.
        fold: the part of the training samples that is held out for validation.
        close: sentences on inputs that targets can nearly be read off.
    """
    data, masks = source.data, source.masks(fold)
    notes = [*close, *(note for note in data.notes if FILLED not in note and STILL not in note)]
    said = joined_notes(notes, (PREPARED / data.name / META).as_posix()) + class_remarks(source, fold)
    said += source.remarks(masks)
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
        f"{PARTS[split]} " + ", ".join(f"{names[number]} {counts[split][number]:,}" for number in told)
        for split in masks
    )
    place = source.place
    absent = {split: [names[n] for n in few if counts[split][n] == 0] for split in judged}
    missing = " and ".join(f"no {place} of {', '.join(of)} in {PARTS[split]}" for split, of in absent.items() if of)
    return f"{missing or f'few {place}s of a class'}: `{label}` has in {by_part}."
