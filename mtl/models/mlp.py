"""A multilayer perceptron over the pixels of an image or the numbers of a row: Linear → activation → dropout, once for
each hidden size.

B samples, C channels, Y × X pixels, P numbers of a sample, D width of the last layer. Samples are small, so everything
is one matrix.
"""

from itertools import pairwise

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mtl.config.encoder import MlpEncoder
from mtl.models.base import StagedEncoder, Window
from mtl.models.dropout import drop
from mtl.models.features import Features


class Mlp(StagedEncoder):
    """Each layer is a stage.

    Args:
        config: sizes and dropout.
        numbers: P, C · Y · X of an image.
    """

    def __init__(self, config: MlpEncoder, numbers: int) -> None:
        super().__init__()
        self.width = config.sizes[-1]
        self.sizes = tuple(config.sizes)
        self.linear = config.activation == "identity"
        self.dropout = config.dropout
        widths = [numbers, *config.sizes]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))

    @property
    def stages(self) -> tuple[str, ...]:
        return tuple(f"layers.{number}" for number in range(len(self.layers)))

    @property
    def stage_widths(self) -> tuple[int, ...]:
        return self.sizes

    def begin(self, x: Float[Tensor, "B *S"]) -> tuple[Float[Tensor, "B P"], Window]:
        return x.flatten(1), Window(tuple(x.shape))

    def stage(self, number: int, tensor: Float[Tensor, "B _"], rate: float) -> Float[Tensor, "B _"]:
        hidden = self.layers[number](tensor)
        return drop(hidden if self.linear else F.relu(hidden), rate)

    def end(self, tensor: Float[Tensor, "B D"], window: Window) -> Features:
        del window
        return Features(tensor[:, None, None])
