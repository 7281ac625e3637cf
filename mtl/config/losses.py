"""Losses of tasks that predict numbers: an error of one number, or quantiles of it."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from mtl.config.common import Section
from mtl.errors import shown

ErrorLoss = Literal["mse", "mae", "huber"]
ERROR_LOSSES = ("mse", "mae", "huber")
MEDIAN = 0.5
SAME_LEVEL = 1e-9
"""Two levels closer than this are the same one: 1 − 0.9 is not 0.1 in floating-point numbers."""
EXAMPLE = "{quantiles: [0.1, 0.5, 0.9]}"


class QuantileLoss(Section):
    """The pinball loss of several quantiles (Koenker and Bassett 1978, Econometrica 46), averaged and doubled, which
    approximates the continuous ranked probability score."""

    quantiles: tuple[float, ...]
    """Levels, ascending between 0 and 1, the median 0.5 among them."""


def _checked(loss: Any) -> Any:
    """The loss as it was given.

    Raises:
        ValueError: it is none, in one message for all the forms that a loss may take.
    """
    if isinstance(loss, QuantileLoss) or (isinstance(loss, str) and loss in ERROR_LOSSES):
        return loss
    if not isinstance(loss, dict) or set(loss) != {"quantiles"}:
        raise ValueError(f"should be {', '.join(ERROR_LOSSES)} or, for quantiles, {EXAMPLE}, found {shown(loss)}")
    levels = loss["quantiles"]
    listed = isinstance(levels, list | tuple) and bool(levels)
    if not listed or not all(type(level) in (int, float) for level in levels):
        raise ValueError(f"should list the levels of its quantiles, such as {EXAMPLE}, found {shown(levels)}")
    if not all(low < high for low, high in zip([0, *levels], [*levels, 1], strict=True)):
        raise ValueError(f"should have levels that ascend strictly between 0 and 1, found {shown(levels)}")
    if MEDIAN not in levels:
        raise ValueError(f"should have the level 0.5 too, the median, which mse and mae measure, found {shown(levels)}")
    return loss


def levels_problem(levels: Sequence[float]) -> str | None:
    """The reason why numbers cannot be levels of quantiles, in words; None where they can."""
    ascend = all(low < high for low, high in zip([0.0, *levels], [*levels, 1.0], strict=True))
    if ascend and MEDIAN in levels:
        return None
    return f"`levels` should ascend strictly between 0 and 1, 0.5 among them, found {shown(list(levels))}"


NumberLoss = Annotated[ErrorLoss | QuantileLoss, BeforeValidator(_checked)]


def levels_of(loss: NumberLoss) -> int:
    """Numbers that are predicted of one target: quantiles, or the number itself."""
    return len(loss.quantiles) if isinstance(loss, QuantileLoss) else 1


def central_intervals(levels: Sequence[float]) -> list[tuple[int, int, float]]:
    """The central intervals that levels span: (position of the lower bound, of the upper bound, probability between).

    A pair τ, 1 − τ spans the interval that should hold the share 1 − 2τ of the targets. Widest first; levels without a
    counterpart span none.

    Raises:
        ValueError: the levels do not ascend strictly inside (0, 1).
    """
    ordered = all(low < high for low, high in zip([0.0, *levels], [*levels, 1.0], strict=True))
    if not ordered:
        raise ValueError(f"`levels` should ascend strictly inside (0, 1), found {list(levels)}.")
    return [
        (low, high, round(levels[high] - levels[low], 9))
        for low in range(len(levels))
        for high in range(low + 1, len(levels))
        if abs(levels[low] + levels[high] - 1) < SAME_LEVEL
    ]
