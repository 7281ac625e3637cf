"""Heads, which turn an encoder's features into a task's numbers.

B samples, C channels, T target channels, N tokens of a channel, D width, H horizon, k outputs (classes, or 1).
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from mtl.config.encoder_base import ClassificationHead
from mtl.models.dropout import drop
from mtl.models.features import Features
from mtl.models.normalisation import denormalise

AMPLITUDE_WIDTH = 32
"""Width of the amplitude branch: small, whatever the number of channels."""


def _undone(
    normalised: Float[Tensor, "B T H"], features: Features, targets: list[int] | None
) -> Float[Tensor, "B T H"]:
    """A forecast of the channels `targets` (None: of all) in the units of the window, if it was normalised."""
    mean, std = features.mean, features.std
    if mean is None or std is None:
        return normalised
    if targets is not None:
        mean, std = mean[:, targets], std[:, targets]
    return denormalise(normalised, mean, std)


class ForecastHead(nn.Module, ABC):
    """Predicts the target channels in the normalised space and undoes the normalisation."""

    def __init__(self, targets: list[int], channels: int, rate: float) -> None:
        super().__init__()
        self.targets = None if targets == list(range(channels)) else targets
        self.dropout = rate

    @abstractmethod
    def predict(self, tokens: Float[Tensor, "B T N D"]) -> Float[Tensor, "B T H"]:
        """Normalised forecast of the target channels."""

    def forward(self, features: Features) -> Float[Tensor, "B T H"]:
        tokens = features.tokens if self.targets is None else features.tokens[:, self.targets]
        return _undone(self.predict(tokens), features, self.targets)


class FlatForecastHead(ForecastHead):
    """All tokens of a channel → dropout → Linear → H; the same weights for every channel."""

    def __init__(self, tokens: int, width: int, horizon: int, targets: list[int], channels: int, rate: float) -> None:
        super().__init__(targets, channels, rate)
        self.linear = nn.Linear(tokens * width, horizon)

    def predict(self, tokens: Float[Tensor, "B T N D"]) -> Float[Tensor, "B T H"]:
        ahead: Tensor = self.linear(drop(tokens.flatten(-2), self.dropout if self.training else 0.0))
        return ahead


class JointForecastHead(nn.Module):
    """All tokens of all channels together → dropout → Linear → T · H: for features that join the channels."""

    def __init__(self, numbers: int, horizon: int, targets: list[int], channels: int, rate: float) -> None:
        super().__init__()
        self.targets = None if targets == list(range(channels)) else targets
        self.shape = (len(targets), horizon)
        self.dropout = rate
        self.linear = nn.Linear(numbers, len(targets) * horizon)

    def forward(self, features: Features) -> Float[Tensor, "B T H"]:
        flat = drop(features.tokens.flatten(1), self.dropout if self.training else 0.0)
        return _undone(self.linear(flat).unflatten(1, self.shape), features, self.targets)


class WideForecastHead(ForecastHead):
    """The linear encoder's: Linear(D→w) → ReLU → dropout at half the encoder's rate → Linear(w→H)."""

    def __init__(self, width: int, horizon: int, targets: list[int], channels: int, rate: float) -> None:
        super().__init__(targets, channels, rate / 2)
        hidden = min(max(4 * horizon, 64), 2048)
        self.up = nn.Linear(width, hidden)
        self.out = nn.Linear(hidden, horizon)

    def predict(self, tokens: Float[Tensor, "B T N D"]) -> Float[Tensor, "B T H"]:
        hidden = drop(F.relu(self.up(tokens.squeeze(2))), self.dropout if self.training else 0.0)
        ahead: Tensor = self.out(hidden)
        return ahead


def start_at_zero(head: nn.Module) -> bool:
    """Makes a forecast head predict the window's level alone, and the head of a label nothing; False for a head whose
    last layer is not known."""
    match head:
        case FlatForecastHead() | JointForecastHead() | LinearHead():
            last = head.linear
        case WideForecastHead() | PooledClassifier() | ConvClassifier():
            last = head.out
        case _:
            return False
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return True


class Amplitude(nn.Module):
    """Mean and log standard deviation of each channel: BatchNorm → Linear → GELU → Linear."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(2 * channels)
        self.first = nn.Linear(2 * channels, AMPLITUDE_WIDTH)
        self.second = nn.Linear(AMPLITUDE_WIDTH, AMPLITUDE_WIDTH)

    def forward(self, features: Features) -> Float[Tensor, "B A"]:
        assert features.mean is not None and features.std is not None, "the head was built for windows with statistics"
        x = torch.cat([features.mean, features.std.log()], dim=-1)
        norm = self.norm
        if self.training and len(x) == 1:  # one sample has no variance: the running statistics stand in
            x = F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, False, 0.0, norm.eps)
        else:
            x = norm(x)
        sizes: Tensor = self.second(F.gelu(self.first(x)))
        return sizes


class PooledClassifier(nn.Module):
    """Tokens pooled over time, joined over channels → dropout → with the amplitude branch → one or two layers.

    Args:
        config: how tokens become a class or a number.
        channels: of the features.
        width: D.
        outputs: k.
        rate: of dropout.
        measured: channels whose mean and standard deviation the features hold; 0 where they hold none, and then there
            is no amplitude branch.
    """

    def __init__(
        self, config: ClassificationHead, channels: int, width: int, outputs: int, rate: float, measured: int
    ) -> None:
        super().__init__()
        self.pool, self.channels, self.dropout = config.pool, config.channels, rate
        self.amplitude = Amplitude(measured) if config.amplitude and measured else None
        joined = width * (channels if config.channels == "concat" else 1)
        joined += AMPLITUDE_WIDTH if self.amplitude is not None else 0
        self.hidden = nn.Linear(joined, config.hidden) if config.hidden else None
        self.out = nn.Linear(config.hidden or joined, outputs)

    def forward(self, features: Features) -> Float[Tensor, "B k"]:
        pooled = features.tokens.amax(dim=2) if self.pool == "max" else features.tokens.mean(dim=2)
        joined = pooled.flatten(1) if self.channels == "concat" else pooled.mean(dim=1)
        joined = drop(joined, self.dropout if self.training else 0.0)
        if self.amplitude is not None:
            joined = torch.cat([joined, self.amplitude(features)], dim=-1)
        if self.hidden is not None:
            joined = F.gelu(self.hidden(joined))
        scores: Tensor = self.out(joined)
        return scores


class ConvClassifier(nn.Module):
    """The linear encoder's: three convolutions along the width, with the channels as the first one's inputs.

    Padding keeps the length (the pools halve it), so that every width from 16 up passes.
    """

    FINAL_DROPOUT = 0.5
    """Published dropout rate; where the rate of the task is 0, this is 0 as well."""

    def __init__(self, config: ClassificationHead, channels: int, outputs: int, rate: float) -> None:
        super().__init__()
        self.dropout = rate
        self.conv1 = nn.Conv1d(channels, 64, 5, padding=2)
        self.conv2 = nn.Conv1d(64, 128, 3, padding=1)
        self.conv3 = nn.Conv1d(128, 256, 3, padding=1)
        self.hidden = nn.Linear(256, 128)
        self.amplitude = Amplitude(channels) if config.amplitude else None
        self.out = nn.Linear(128 + (AMPLITUDE_WIDTH if config.amplitude else 0), outputs)

    def forward(self, features: Features) -> Float[Tensor, "B k"]:
        rate = self.dropout if self.training else 0.0
        x = features.tokens.squeeze(2)
        x = drop(F.max_pool1d(F.relu(self.conv1(x)), 2), rate)
        x = drop(F.max_pool1d(F.relu(self.conv2(x)), 2), rate)
        x = F.relu(self.conv3(x)).mean(dim=-1)
        x = drop(F.relu(self.hidden(x)), self.FINAL_DROPOUT if rate else 0.0)
        if self.amplitude is not None:
            x = torch.cat([x, self.amplitude(features)], dim=-1)
        scores: Tensor = self.out(x)
        return scores


class LinearHead(nn.Module):
    """One linear layer on the features of an image."""

    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, outputs)

    def forward(self, features: Features) -> Float[Tensor, "B k"]:
        scores: Tensor = self.linear(features.tokens.flatten(1))
        return scores


class PositionHead(nn.Module):
    """Dropout and one linear layer on the features of each place; a position has the numbers of its first place.

    Args:
        width: D.
        outputs: k.
        rate: of dropout.
    """

    def __init__(self, width: int, outputs: int, rate: float) -> None:
        super().__init__()
        self.dropout = rate
        self.linear = nn.Linear(width, outputs)

    def forward(self, features: Features) -> Float[Tensor, "B N k"]:
        assert features.places is not None
        numbers: Tensor = self.linear(drop(features.places, self.dropout if self.training else 0.0))
        return numbers if features.firsts is None else at_positions(numbers, features.firsts)


class PatchHead(nn.Module):
    """Numbers of every row of a window from the tokens of its patches, joined over channels → dropout → with the
    amplitude branch → one linear layer for the rows of a patch.

    Args:
        channels: C.
        width: D.
        patch: P rows.
        outputs: k.
        rate: of dropout.
    """

    def __init__(self, channels: int, width: int, patch: int, outputs: int, rate: float) -> None:
        super().__init__()
        self.dropout = rate
        self.shape = (patch, outputs)
        self.amplitude = Amplitude(channels)
        self.linear = nn.Linear(channels * width + AMPLITUDE_WIDTH, patch * outputs)

    def forward(self, features: Features) -> Float[Tensor, "B L k"]:
        joined = drop(features.tokens.transpose(1, 2).flatten(2), self.dropout if self.training else 0.0)
        sizes = self.amplitude(features)[:, None].expand(-1, joined.shape[1], -1)
        numbers: Tensor = self.linear(torch.cat([joined, sizes], dim=-1))
        return torch.unflatten(numbers, 2, self.shape).flatten(1, 2)


def at_positions(numbers: Float[Tensor, "B N k"], firsts: Bool[Tensor, "B N"]) -> Float[Tensor, "B N k"]:
    """Numbers of the places where positions begin, moved to the front in their order; NaN behind the last of each
    sample."""
    order = torch.argsort(~firsts, dim=1, stable=True)
    moved = numbers.gather(1, order[..., None].expand_as(numbers))
    return moved.masked_fill(~firsts.gather(1, order)[..., None], math.nan)


class StackedHeads(nn.Module):
    """The heads of J tasks of one number a sample as one linear layer: a row of weights and a bias each.

    Args:
        heads: task → its layer, whose first weights become the task's row.
    """

    def __init__(self, heads: Mapping[str, nn.Linear]) -> None:
        super().__init__()
        self.tasks = tuple(heads)
        self.weight = nn.Parameter(torch.cat([head.weight.detach() for head in heads.values()]))
        self.bias = nn.Parameter(torch.cat([head.bias.detach() for head in heads.values()]))

    def forward(self, features: Sequence[Features], rows: Int[Tensor, " j"] | None) -> Float[Tensor, "B j"]:
        """Numbers of some of the tasks.

        Args:
            features: of each of them; one and the same where they share a trunk.
            rows: theirs; None for all of them in order.
        """
        weight = self.weight if rows is None else self.weight.index_select(0, rows)
        bias = self.bias if rows is None else self.bias.index_select(0, rows)
        first = features[0].tokens
        if all(part.tokens is first for part in features):
            return F.linear(first.flatten(1), weight, bias)
        tokens = torch.stack([part.tokens.flatten(1) for part in features])
        return torch.einsum("jbd,jd->bj", tokens, weight) + bias
