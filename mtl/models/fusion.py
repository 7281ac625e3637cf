"""Mixtures of inputs: an encoder for each part of a sample, whose features stand side by side, then joint layers.

What a part gives to a prediction is told by leaving it out: `PartFeatures.instead` puts one vector in the place of a
part's features of every sample, such as their mean over training samples, and nothing is trained anew.

B samples, P numbers of all parts of a sample, E numbers of the features of all parts, D width of the last layer.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float, Float64
from torch import Tensor, nn

from mtl.config.encoder import FusionEncoder
from mtl.config.inputs import PartLayout, PartName
from mtl.models.base import Encoder, StagedEncoder, Window
from mtl.models.dropout import drop
from mtl.models.features import Features
from mtl.models.rows import one_hot

Means = dict[str, Float64[Tensor, " _"]]
"""Part → mean of its features over some samples."""


class Part(nn.Module):
    """The encoder of one part, and where the part lies in a sample.

    Args:
        layout: of the part.
        encoder: of the part alone.
        begin: place of its first number.
        last: it is the last part, which takes what is left of a batch.
        expands: the encoder reads numbers alone, and is shown a column for each category.
    """

    def __init__(self, layout: PartLayout, encoder: Encoder, begin: int, last: bool, expands: bool) -> None:
        super().__init__()
        self.encoder = encoder
        self.expand = one_hot(layout.layout) if expands else None
        self.begin, self.end = begin, None if last else begin + layout.numbers
        self.shape = tuple(number for number in layout.shape if number is not None)

    def forward(self, x: Float[Tensor, "B P"]) -> Float[Tensor, "B E"]:
        own = x[:, self.begin : self.end]
        if len(self.shape) > 1:
            own = own.reshape(-1, *self.shape)
        if self.expand is not None:
            own = self.expand(own)
        features: Features = self.encoder(own)
        return features.tokens.flatten(1)


class PartFeatures(nn.Module):
    """Features of all parts, side by side.

    Args:
        parts: by name, in order.
        rate: share of the training samples in which those of a part are left out.
    """

    def __init__(self, parts: Mapping[PartName, Part], rate: float) -> None:
        super().__init__()
        self.parts = nn.ModuleDict({str(name): part for name, part in parts.items()})
        self.rate = rate
        self._instead: dict[str, Tensor] = {}

    def forward(self, x: Float[Tensor, "B P"]) -> Float[Tensor, "B E"]:
        return torch.cat([self._given(name, features) for name, features in self.of_parts(x).items()], dim=1)

    def of_parts(self, x: Float[Tensor, "B P"]) -> dict[str, Float[Tensor, "B _"]]:
        """Part → its features, none of which is left out."""
        return {name: part(x) for name, part in self.parts.items()}

    def _given(self, name: str, features: Float[Tensor, "B _"]) -> Float[Tensor, "B _"]:
        """Features of a part that the joint layers are given."""
        if name in self._instead:
            return self._instead[name].to(features).expand_as(features)
        if not self.training or not self.rate:
            return features
        return features * drop(features.new_ones(len(features), 1), self.rate)

    @contextmanager
    def instead(self, vectors: Mapping[str, Float[Tensor, " _"]]) -> Iterator[None]:
        """Context in which one vector stands for the features of a part, whatever the sample: part → vector."""
        self._instead = dict(vectors)
        try:
            yield
        finally:
            self._instead = {}


class Fusion(StagedEncoder):
    """All parts together are the first stage, and each joint layer is one.

    Args:
        config: sizes and dropout.
        parts: layout and encoder of each part, in order.
    """

    def __init__(self, config: FusionEncoder, parts: Mapping[PartName, tuple[PartLayout, Encoder]]) -> None:
        super().__init__()
        self.width = config.sizes[-1]
        self.sizes = tuple(config.sizes)
        self.dropout = config.dropout
        made: dict[PartName, Part] = {}
        begin, wide = 0, 0
        for place, (name, (layout, encoder)) in enumerate(parts.items(), start=1):
            made[name] = Part(layout, encoder, begin, place == len(parts), not config.parts.of(name).reads_codes)
            begin, wide = begin + layout.numbers, wide + encoder.width
        self.features = PartFeatures(made, config.part_dropout)
        self.joined = wide
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise([wide, *config.sizes]))

    @property
    def stages(self) -> tuple[str, ...]:
        """The parts, then the joint layers."""
        return ("features", *(f"layers.{number}" for number in range(len(self.layers))))

    @property
    def stage_widths(self) -> tuple[int, ...]:
        return (self.joined, *self.sizes)

    @property
    def fits(self) -> bool:
        return bool(self._fitted)

    def fit(self, samples: Float[Tensor, "n W"]) -> None:
        """Fits the encoder of the rows, which are all that `samples` hold."""
        for part in self._fitted:
            part.encoder.fit(samples if part.expand is None else part.expand(samples))

    @property
    def _fitted(self) -> list[Part]:
        """Parts with an encoder that is fitted before the first step; none in a branch of the upper stages alone."""
        parts = self.features.parts.values() if isinstance(self.features, PartFeatures) else []
        return [part for part in parts if isinstance(part, Part) and part.encoder.fits]

    def stage(self, number: int, tensor: Float[Tensor, "B _"], rate: float) -> Float[Tensor, "B _"]:
        if number == 0:
            return torch.as_tensor(self.features(tensor))
        return drop(F.relu(self.layers[number - 1](tensor)), rate)

    def end(self, tensor: Float[Tensor, "B D"], window: Window) -> Features:
        del window
        return Features(tensor[:, None, None])


def part_features(model: nn.Module) -> list[PartFeatures]:
    """The first stages of all copies of an encoder in a network: one, or one for each column or branch."""
    return [module for module in model.modules() if isinstance(module, PartFeatures)]


@torch.no_grad()
def mean_features(stages: Sequence[PartFeatures], batches: Iterable[Float[Tensor, "B P"]]) -> list[Means]:
    """Mean features of each part over all samples of some batches, for each copy of the first stage.

    Args:
        stages: in eval mode.
        batches: on their device; at least one sample.
    """
    sums: list[dict[str, Tensor]] = [{} for _ in stages]
    count = 0
    for x in batches:
        count += len(x)
        for stage, summed in zip(stages, sums, strict=True):
            for name, features in stage.of_parts(x).items():
                added = features.double().sum(dim=0)
                summed[name] = summed[name] + added if name in summed else added
    return [{name: total / count for name, total in summed.items()} for summed in sums]


@contextmanager
def without(stages: Sequence[PartFeatures], part: str, means: Sequence[Means]) -> Iterator[None]:
    """Context in which the features of a part are their mean, whatever the sample.

    Args:
        stages: of a network.
        part: name of the part.
        means: of each stage.
    """
    with ExitStack() as entered:
        for stage, own in zip(stages, means, strict=True):
            entered.enter_context(stage.instead({part: own[part]}))
        yield
