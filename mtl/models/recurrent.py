"""A recurrent encoder: gated recurrent units (GRU; Cho et al. 2014, arXiv 1406.1078) over all channels of a window.

Channels are read together and as they are: their levels, and what one says of another, are information that instance
normalisation and independent channels take away. A window is one token, the state after its last row; where a task
learns a class at every row, heads read the state after each.

B samples, C channels, L rows, D width.
"""

from jaxtyping import Float
from torch import Tensor, nn

from mtl.config import RecurrentEncoder
from mtl.models.base import StagedEncoder, Window
from mtl.models.dropout import drop
from mtl.models.features import Features
from mtl.models.heads import JointForecastHead, LinearHead


class Recurrent(StagedEncoder):
    """Layers of units, each a stage; dropout acts behind every layer.

    Args:
        config: widths and dropout.
        channels: C.
    """

    def __init__(self, config: RecurrentEncoder, channels: int) -> None:
        super().__init__()
        self.width = config.width
        self.dropout = config.dropout
        inputs = [channels] + [config.width] * (config.layers - 1)
        self.layers = nn.ModuleList(nn.GRU(number, config.width, batch_first=True) for number in inputs)

    def forecast_head(self, shape: tuple[int, ...], targets: list[int], numbers: int, rate: float) -> nn.Module:
        # The state that heads read is dropped already, once for all of them.
        return JointForecastHead(self.width, numbers, targets, shape[0], rate=0.0)

    def vector_head(self, shape: tuple[int, ...], numbers: int, rate: float) -> nn.Module:
        return LinearHead(self.width, numbers)

    @property
    def stages(self) -> tuple[str, ...]:
        return tuple(f"layers.{number}" for number in range(len(self.layers)))

    @property
    def stage_widths(self) -> tuple[int, ...]:
        return (self.width,) * len(self.layers)

    def begin(self, x: Float[Tensor, "B C L"]) -> tuple[Float[Tensor, "B L C"], Window]:
        return x.transpose(1, 2), Window(tuple(x.shape))

    def stage(self, number: int, tensor: Float[Tensor, "B L _"], rate: float) -> Float[Tensor, "B _ D"]:
        states, _ = self.layers[number](tensor)
        if number == len(self.layers) - 1 and not self.at_steps:
            states = states[:, -1:]  # heads read the state after the last row
        return drop(states, rate)

    def end(self, tensor: Float[Tensor, "B _ D"], window: Window) -> Features:
        del window
        if self.at_steps:
            return Features(tensor[:, None, -1:], places=tensor)
        return Features(tensor[:, None])
