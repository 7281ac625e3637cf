"""`tasks.NAME.linear`: the closed-form map of the raw window that a network starts from."""

from typing import Annotated, Literal

from pydantic import Field

from mtl.config.common import Section

Level = Literal["last", "mean", "zero"]
Channels = Literal["one", "own", "all"]


MOST_KERNELS = 100_000
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


class KernelStart(Section):
    """Ridge regression of a label on random convolution kernels of the window, solved before training and then kept.

    The head of the network starts at zero, so before the first step the task predicts what the simple model `kernels`
    predicts, and that is a candidate when the best epoch is chosen.
    """

    kernels: Kernels = 1000
