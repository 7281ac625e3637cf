"""The z-score of a source, fitted on training rows only (methods 1.3)."""

from jaxtyping import Float64
from torch import Tensor

from mtl.checks import bad
from mtl.data.validate import part_masks
from mtl.types import Prepared


def fit_scaler(prepared: Prepared, fold: int) -> tuple[Float64[Tensor, " C"], Float64[Tensor, " C"]]:
    """Mean and population standard deviation (ddof 0) of each channel over the training rows, original units.

    A channel that never changes gets the deviation 1, so that its z-scores are 0 instead of a division by zero.

    Args:
        prepared: a series (its training rows are [0, a)) or stored windows (those neither in test nor in `fold`).
        fold: the fold held out for validation; 0 for a series.

    Raises:
        UserError: there is no such fold.
    """
    if not 0 <= fold < prepared.folds:
        raise bad("fold", f"be from 0 to {prepared.folds - 1}", fold)
    train = part_masks(prepared, fold)["train"]
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
