"""`tasks.NAME.linear` of a forecast: the linear map of the raw window that its network starts from."""

from typing import Literal

from mtl.config.common import Section

Level = Literal["last", "mean", "zero"]
Channels = Literal["one", "own", "all"]


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
