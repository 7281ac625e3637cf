"""The linear encoder: two layers over each channel's whole window (upstream: HtulTS), and its forgetting layer.

B samples, C channels, L rows, D width. A channel is one token: [B, C, 1, D]. Windows are instance-normalised as the
Transformer's are, so that forecasts and labels see the same input under either encoder.
"""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mtl.checks import bad
from mtl.config import LinearEncoder
from mtl.config.window_encoders import ActivationForgetting
from mtl.models.base import StagedEncoder, Window
from mtl.models.dropout import drop
from mtl.models.features import Features
from mtl.models.heads import ConvClassifier, WideForecastHead
from mtl.models.normalisation import normalise


class ActivationGate(nn.Module):
    """Features × (1 − rate · gate), gate = sigmoid of an MLP D → D/2 → D."""

    def __init__(self, config: ActivationForgetting, width: int) -> None:
        super().__init__()
        self.rate = config.rate
        self.down = nn.Linear(width, width // 2)
        self.up = nn.Linear(width // 2, width)

    def forward(self, x: Float[Tensor, "*S D"]) -> Float[Tensor, "*S D"]:
        gate: Tensor = self.up(F.relu(self.down(x)))
        return x * (1 - self.rate * gate.sigmoid())


class LinearBackbone(StagedEncoder):
    """Linear(L→D) → ReLU → dropout → Linear(D→D) → ReLU → half the dropout."""

    fine_tuning_only = ("forgetting.",)

    def __init__(self, config: LinearEncoder) -> None:
        super().__init__()
        self.width = config.width
        self.classification = config.classification
        self.dropout = config.dropout
        self.input_len = config.input_len
        self.policy = config.resize
        self.first = nn.Linear(config.input_len, config.width)
        self.second = nn.Linear(config.width, config.width)
        self.forgetting = ActivationGate(config.forgetting, config.width) if config.forgetting else None

    def count_tokens(self, input_len: int) -> int:
        if input_len != self.input_len and self.policy == "error":
            raise bad(
                "input_len", f"be {self.input_len} as `encoder.input_len`, or `encoder.resize` not `error`", input_len
            )
        if input_len > self.input_len and self.policy == "left_pad":
            raise bad(
                "input_len", f"be at most `encoder.input_len` {self.input_len} under `resize: left_pad`", input_len
            )
        return 1

    def forecast_head(self, shape: tuple[int, ...], targets: list[int], numbers: int, rate: float) -> nn.Module:
        self.count_tokens(shape[1])
        return WideForecastHead(self.width, numbers, targets, shape[0], rate)

    def vector_head(self, shape: tuple[int, ...], numbers: int, rate: float) -> nn.Module:
        return ConvClassifier(self.classification, shape[0], numbers, rate)

    def resize(self, x: Float[Tensor, "B C L"]) -> Float[Tensor, "B C M"]:
        """Windows of the network's one length: interpolated between both ends, or zeros put in front."""
        self.count_tokens(x.shape[-1])
        if x.shape[-1] == self.input_len:
            return x
        if self.policy == "left_pad":
            return F.pad(x, (self.input_len - x.shape[-1], 0))
        return F.interpolate(x, size=self.input_len, mode="linear", align_corners=True)

    @property
    def stages(self) -> tuple[str, ...]:
        return "first", "second"

    @property
    def stage_widths(self) -> tuple[int, ...]:
        return self.width, self.width

    def begin(self, x: Float[Tensor, "B C L"]) -> tuple[Float[Tensor, "B C M"], Window]:
        normalised, mean, std = normalise(x)
        return self.resize(normalised), Window(tuple(x.shape), mean, std)

    def stage(self, number: int, tensor: Float[Tensor, "B C _"], rate: float) -> Float[Tensor, "B C D"]:
        if number == 0:
            return drop(F.relu(self.first(tensor)), rate)
        return drop(F.relu(self.second(tensor)), rate / 2)

    def end(self, tensor: Float[Tensor, "B C D"], window: Window) -> Features:
        if self.forgetting is not None and not self.pretraining:
            tensor = self.forgetting(tensor)
        return Features(tensor.unsqueeze(2), window.mean, window.std)
