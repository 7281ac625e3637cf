"""A plain network of the user's own, from a batch to [B, D], as an encoder.

B samples, C channels, L rows of a window, D width. Features are one token a sample, which joins the channels. Windows
are normalised first (each channel of each window to mean 0 and variance 1, as the built-in encoders do), so that the
network never sees level and scale: forecasts get them back from the head, labels and numbers see them in the amplitude
branch. Images and rows reach the network as they are, z-scored by the data.
"""

from jaxtyping import Float
from torch import Tensor, nn

from mtl.models.base import Encoder
from mtl.models.features import Features
from mtl.models.normalisation import normalise


class PlainEncoder(Encoder):
    """A network without stages; its dropout is its own, and that of a task acts on the task's head alone.

    Args:
        network: [B, C, L], [B, C, Y, X] or [B, F] → [B, D].
        width: D.
        dropout: rate of the heads.
    """

    def __init__(self, network: nn.Module, width: int, dropout: float) -> None:
        super().__init__()
        self.network = network
        self.width = width
        self.dropout = dropout

    def count_tokens(self, input_len: int) -> int:
        del input_len
        return 1

    def forward(self, x: Float[Tensor, "B C *S"], dropout: float | None = None) -> Features:
        del dropout
        if x.ndim != 3:
            return Features(self.network(x)[:, None, None])
        normalised, mean, std = normalise(x)
        return Features(self.network(normalised)[:, None, None], mean, std)
