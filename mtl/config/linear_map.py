"""`tasks.NAME.linear`: the map of the raw window or row, solved for, that a network starts from."""

from typing import Annotated, Literal

from pydantic import Field

from mtl.config.common import Section
from mtl.config.inputs import InputKind
from mtl.errors import SettingError

Level = Literal["last", "mean", "zero"]
Channels = Literal["one", "own", "all"]


MOST_KERNELS = 100_000
USUAL_KERNELS = 1000
Kernels = Annotated[int, Field(ge=1, le=MOST_KERNELS, strict=True)]
"""Number of random convolution kernels (Dempster et al. 2020, arXiv 1910.13051); each gives two features."""


class LinearStart(Section):
    """Ridge regression from the window to the rows that follow, solved before training and then kept as it is.

    The head of the network starts at zero, so before the first step the task predicts what ridge regression predicts,
    and that is a candidate when the best epoch is chosen.
    """

    channels: Channels = "one"
    """`one`: each channel from its own past, by one map for all channels; `own`: by a map of its own; `all`: from the
    past of all channels at once."""
    level: Level = "last"
    """Taken off the window and added to what is predicted: its last value, its mean, or nothing."""


class RowStart(Section):
    """Ridge regression of a number, or logistic regression of a label, on the numbers of a row of a table and a column
    for each category, solved before training and then kept.

    The head of the network starts at zero, so before the first step the task predicts what the simple model predicts,
    and that is a candidate when the best epoch is chosen.
    """


class KernelStart(Section):
    """Ridge regression of a label on random convolution kernels of the window, solved before training and then kept.

    The head of the network starts at zero, so before the first step the task predicts what the simple model `kernels`
    predicts, and that is a candidate when the best epoch is chosen.
    """

    kernels: Kernels | None = None
    """null takes 1000 on windows; rows of a table have none: logistic regression on their numbers and a column for each
    category, as `RowStart`."""


def check_row_start(name: str, linear: RowStart | None, source: str, kind: InputKind) -> None:
    """Checks that a start at a linear map of rows is asked of rows.

    Raises:
        SettingError: it is not.
    """
    if linear is not None and not kind.mapped:
        message = f"is for rows of a table, and {source} holds {kind.noun}: leave it out."
        raise SettingError(f"tasks.{name}.linear", message)
