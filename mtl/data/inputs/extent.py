"""Sources whose training part takes in other parts: what a model is trained on that is made again after its choice."""

from dataclasses import replace

import torch

from mtl.config.common import Extent
from mtl.data.inputs.base import Input
from mtl.types import Prepared, SourceData, Split

JOINED: dict[Extent, tuple[Split, ...]] = {"train": (), "train+val": ("val",), "all": ("val", "test")}
"""Parts that training takes in; they are empty afterwards."""


def trained_on(source: Input[SourceData], extent: Extent, fold: int) -> Input[SourceData]:
    """The source with the parts of an extent as its training part; the test part, where it stays, has the same samples.

    Args:
        source: as it was prepared.
        extent: parts that are trained on.
        fold: that is validated on otherwise.
    """
    data, joined = source.data, JOINED[extent]
    if not joined:
        return source
    if isinstance(data, Prepared) and data.fold is None:
        end = 3 if "test" in joined else 2  # of a row of `segments`: the first row, then the ends of the three parts
        if data.segments is not None:
            segments = data.segments.clone()
            segments[:, 1:end] = segments[:, end, None]
            return type(source)(replace(data, segments=segments))
        assert data.borders is not None
        _, b, c = data.borders
        return type(source)(replace(data, borders=(c, c, c) if end == 3 else (b, b, c)))
    assert data.fold is not None
    masks = source.dealt(fold)
    moved = torch.stack([masks[part] for part in joined]).any(dim=0)
    always = torch.full_like(data.fold, data.folds)  # the number of what trains whichever fold is held out
    return type(source)(replace(data, fold=torch.where(moved, always, data.fold)))
