"""The z-score of a source, fitted on training rows or images only (methods 1.3)."""

import torch
from jaxtyping import Float64
from torch import Tensor

from mtl.checks import bad
from mtl.data.loading.images import FULL
from mtl.data.loading.validate import part_masks
from mtl.types import ImageSet, SourceData

LEVELS = 256
"""Values that a pixel can have."""
CHUNK = 4096
"""Images that are counted together."""


def fit_scaler(prepared: SourceData, fold: int) -> tuple[Float64[Tensor, " C"], Float64[Tensor, " C"]]:
    """Mean and population standard deviation (ddof 0) of each channel over the training rows, original units; of
    images over the pixels of the training images, in shares of full brightness, or as the config gives them.

    A channel that never changes gets the deviation 1, so that its z-scores are 0 instead of a division by zero.

    Args:
        prepared: a series (its training rows are [0, a)), or stored windows or images (those neither in test nor in
            `fold`).
        fold: the fold held out for validation; 0 for a series.

    Raises:
        UserError: there is no such fold.
    """
    if not 0 <= fold < prepared.folds:
        raise bad("fold", f"be from 0 to {prepared.folds - 1}", fold)
    train = part_masks(prepared, fold)["train"]
    if isinstance(prepared, ImageSet):
        if prepared.mean is not None and prepared.std is not None:
            return torch.tensor(prepared.mean, dtype=torch.float64), torch.tensor(prepared.std, dtype=torch.float64)
        return _of_pixels(prepared, train)
    if prepared.window is not None:
        train = train.repeat_interleave(prepared.window)
    rows = prepared.values[train]
    mean, std = rows.mean(dim=0), rows.std(dim=0, unbiased=False)
    # Rounding can leave a constant channel a mean that is not its value, and a deviation of 1e-17: compare the
    # extremes instead. And the squares of deviations below 1e-162 are 0.
    constant = rows.amax(dim=0) == rows.amin(dim=0)
    mean[constant] = rows[0, constant]
    std[constant | (std == 0)] = 1.0
    return mean, std


def _of_pixels(source: ImageSet, train: Tensor) -> tuple[Float64[Tensor, " C"], Float64[Tensor, " C"]]:
    """From how often each channel has each of the 256 values: exact, and no pixel becomes a float."""
    channels = source.images.shape[1]
    counts = torch.zeros(channels, LEVELS, dtype=torch.int64)
    for chosen in train.nonzero().squeeze(1).split(CHUNK):
        images = source.images[chosen]
        for channel in range(channels):
            counts[channel] += torch.bincount(images[:, channel].reshape(-1), minlength=LEVELS)
    value = torch.arange(LEVELS, dtype=torch.float64) / FULL
    share = counts.double() / counts.sum(dim=1, keepdim=True)
    mean = share @ value
    std = (share * (value - mean[:, None]) ** 2).sum(dim=1).sqrt()
    std[(counts > 0).sum(dim=1) == 1] = 1.0
    return mean, std
