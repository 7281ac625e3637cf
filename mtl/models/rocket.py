"""Random convolution kernels below a trained network, after ROCKET (Dempster et al. 2020, arXiv 1910.13051).

The kernels are drawn once and stay as they are. Each channel passes them alone, so that sources with different channels
share all that is trained. What a kernel finds is pooled over the whole window: the share of positive values and the
maximum (section 3.2), the minimum, the mean of the positive part, and the value at the window's end, which alone says
where in a cycle the window stops. Windows are not instance-normalised first: a level that tells classes apart reaches
the features where the zeros around a window meet it, and heads get mean and standard deviation besides.

B samples, C channels, L rows of a window, K kernels of a dilation, S = B·C sequences, F numbers of a channel, D width.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mtl.config import RocketEncoder
from mtl.models.base import StagedEncoder, Window
from mtl.models.draws import drawn
from mtl.models.dropout import drop
from mtl.models.features import Features
from mtl.models.normalisation import normalise

POOLS = 5
"""Numbers that each kernel gives."""
RAMP = 0.1
"""Width around 0 in which a value counts in part as positive: a rounding error of the convolution moves a share by a
rounding error, where a step would move it by a whole row."""
RESPONSES = 1 << 19
"""Responses that are computed before they are pooled (2 MB): they stay in a core's cache, which is four times as fast
as those of a whole batch at once."""


class ResidualBlock(nn.Module):
    """Norm → Linear(D→2D) → GELU → dropout → Linear(2D→D), added to its input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)

    def forward(self, x: Float[Tensor, "B C D"], rate: float) -> Float[Tensor, "B C D"]:
        change: Tensor = self.down(drop(F.gelu(self.up(self.norm(x))), rate))
        return x + change


class Rocket(StagedEncoder):
    """Pooled responses of fixed kernels, a linear layer and residual blocks; a window's channel is one token."""

    weights: Tensor
    """[dilations, K, 1, length]: normal, each less its mean and of norm 1."""
    biases: Tensor
    """[dilations, K]: uniform in [−1/3, 1/3], the published range for kernels of norm 1 and length 9."""

    def __init__(self, config: RocketEncoder) -> None:
        super().__init__()
        self.width = config.width
        self.dropout = config.dropout
        self.level_noise = config.level_noise
        self.classification = config.classification
        self.dilations = tuple(config.dilations)
        weights = torch.randn(len(config.dilations), config.kernels, 1, config.kernel_len)
        weights = weights - weights.mean(dim=-1, keepdim=True)
        self.register_buffer("weights", weights / weights.norm(dim=-1, keepdim=True))
        self.register_buffer("biases", (2 * torch.rand(len(config.dilations), config.kernels) - 1) / 3)
        self.embedding = nn.Linear(POOLS * self.biases.numel(), config.width)
        self.blocks = nn.ModuleList(ResidualBlock(config.width) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)

    @property
    def stages(self) -> tuple[str, ...]:
        """The linear layer on what the kernels find, then the blocks."""
        return ("embedding", *(f"blocks.{number}" for number in range(len(self.blocks))))

    @property
    def stage_widths(self) -> tuple[int, ...]:
        return (self.width,) * (len(self.blocks) + 1)

    def begin(self, x: Float[Tensor, "B C L"]) -> tuple[Float[Tensor, "B C F"], Window]:
        _, mean, std = normalise(x)
        if self.training and self.level_noise:
            x = x + self.level_noise * drawn((*x.shape[:2], 1), lambda shape: torch.randn(shape, device=x.device))
        sequences = x.flatten(0, 1).unsqueeze(1)
        half = self.weights.shape[-1] // 2
        # A traced network must not hold the number of sequences that it was traced with.
        size = max(1, RESPONSES // (self.biases.shape[1] * x.shape[-1]))
        parts = (sequences,) if torch.compiler.is_exporting() else torch.split(sequences, size)
        pooled = [
            torch.cat([pool(F.conv1d(p, weight, bias, padding=half * dilation, dilation=dilation)) for p in parts])
            for dilation, weight, bias in zip(self.dilations, self.weights, self.biases, strict=True)
        ]
        return torch.unflatten(torch.cat(pooled, dim=1), 0, x.shape[:2]), Window(tuple(x.shape), mean, std)

    def stage(self, number: int, tensor: Float[Tensor, "B C _"], rate: float) -> Float[Tensor, "B C D"]:
        features: Tensor = self.embedding(tensor) if number == 0 else self.blocks[number - 1](tensor, rate)
        return features

    def end(self, tensor: Float[Tensor, "B C D"], window: Window) -> Features:
        return Features(self.norm(tensor).unsqueeze(2), window.mean, window.std)


def pool(responses: Float[Tensor, "S K L"]) -> Float[Tensor, "S k"]:
    """Five numbers of each kernel: share of positive values, maximum, minimum, mean of the positive part, last value.

    Shares are brought to mean 0 and variance 1, as if they were uniform, and the means of positive parts, which vary
    least, to the scale of the others.
    """
    beyond_half = responses.clamp(-RAMP / 2, RAMP / 2).mean(dim=2) / RAMP  # the share less 1/2
    positive = F.relu(responses).mean(dim=2)
    numbers = [beyond_half * 12**0.5, responses.amax(dim=2), responses.amin(dim=2), 4 * positive, responses[:, :, -1]]
    return torch.cat(numbers, dim=1)
