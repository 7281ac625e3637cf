"""How far a metric of a finished model, and the change from one finished model to another, are known for new data.

The models are given, so that no seed varies: what varies are the samples. These fall into B blocks that count as
independent (`Input.blocks`: stretches of a series, groups, else single samples), as in the verdicts for new data
(`mtl.evaluation.components`). Leaving out one block at a time (the jackknife of Tukey 1958) gives B pseudo-values
B·T − (B − 1)·T₋ᵦ of the metric or change T, whose spread is its standard error, with B − 1 degrees of freedom.

B blocks.
"""

import numpy as np
from jaxtyping import Float

from mtl.evaluation.components import MIN_BLOCKS, metrics_by_block, same_blocks
from mtl.evaluation.intervals import Effect
from mtl.results.samples import BlockErrors
from mtl.tasks.undefined import Undefined


def value_of(errors: BlockErrors, lower_is_better: bool) -> Effect | Undefined:
    """The metric of one model, with the error of the choice of samples.

    Args:
        errors: of its samples, whose mean is the metric or 1 less it.
        lower_is_better: the metric is their mean.
    """
    if len(errors.blocks) < MIN_BLOCKS:
        return _too_few(len(errors.blocks))
    (whole,), (without,) = metrics_by_block([errors], lower_is_better)
    return _jackknife(float(whole), without)


def change_between(before: BlockErrors, after: BlockErrors, lower_is_better: bool) -> Effect | Undefined:
    """The change from one model to another on the same samples in percent of the first; positive is better.

    Args:
        before: errors of the first model.
        after: those of the second.
        lower_is_better: direction of the metric.
    """
    assert same_blocks(before, after)
    if len(before.blocks) < MIN_BLOCKS:
        return _too_few(len(before.blocks))
    (old, new), (old_without, new_without) = metrics_by_block([before, after], lower_is_better)
    if not (old > 0 and (old_without > 0).all()):
        return Undefined("a value of 0 leaves no relative change")
    sign = -100 if lower_is_better else 100
    return _jackknife(float(sign * (new / old - 1)), sign * (new_without / old_without - 1))


def _jackknife(whole: float, without: Float[np.ndarray, " B"]) -> Effect:
    """A statistic of all blocks with its standard error, by its values without each of them."""
    count = len(without)
    pseudo = count * whole - (count - 1) * without
    same = without.min() == without.max()
    return Effect(whole, 0.0 if same else float(pseudo.std(ddof=1)) / count**0.5, count - 1.0)


def _too_few(count: int) -> Undefined:
    return Undefined(
        f"{count} independent block{'' if count == 1 else 's'}, and fewer than {MIN_BLOCKS} tell no spread"
    )
