"""The contract of an encoder: windows, images or rows in, tokens and the windows' statistics out.

B samples, C channels, L rows of a window, N tokens of a channel, D width of a token. An image or a row is one token.
"""

from abc import abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mtl.config.encoder_base import ClassificationHead
from mtl.config.inputs import RowLayout
from mtl.config.linear_map import Channels, Level
from mtl.errors import SettingError
from mtl.models.features import Features
from mtl.models.heads import FlatForecastHead, JointForecastHead, LinearHead, PooledClassifier, PositionHead
from mtl.models.linear_map import ForecastMap, KernelMap, RowMap
from mtl.models.simple.forecasts import RidgeForecast
from mtl.tasks.context import Heads


class Encoder(nn.Module, Heads):
    """A network that any number of tasks share, for any number of channels."""

    width: int
    """D."""
    dropout: float
    """Rate in training when the caller names none."""
    pretraining: bool = False
    """True inside a pretrainer: what belongs to fine-tuning alone must then be the identity."""
    fine_tuning_only: tuple[str, ...] = ()
    """Prefixes of state names that pretraining does not train and so does not hand over."""
    classification: ClassificationHead = ClassificationHead()
    """Settings of the head that turns tokens of windows into a class or a number."""
    at_steps: bool = False
    """A task of its network learns a class at every row of a window, and reads features of each (`Features.places`)."""

    base: frozenset[str] = frozenset()
    """Names of the state that files of a pretrained network hold and no run changes, so that none stores them."""

    @property
    def slow(self) -> tuple[float, list[nn.Parameter]]:
        """Factor on the learning rate of some of the weights, and these."""
        return 1.0, []

    @abstractmethod
    def count_tokens(self, input_len: int) -> int:
        """N for windows of `input_len` rows.

        Raises:
            UserError: The encoder cannot take windows of that length.
        """

    def fit(self, samples: Float[Tensor, "n *S"]) -> None:
        """Fits to training samples what is not learnt in steps, before the first of these; nothing unless an encoder
        says so.

        Args:
            samples: of the source of the tasks, as batches hold them.
        """

    @property
    def fits(self) -> bool:
        """`fit` has something to do."""
        return False

    @abstractmethod
    def forward(self, x: Float[Tensor, "B C *S"], dropout: float | None = None) -> Features:
        """Encodes z-scored samples; `dropout` replaces the encoder's own rate, and none applies in eval mode."""

    def sketch(self, shape: tuple[int, ...]) -> Features:
        """Features of one sample of zeros, without gradients: heads are chosen by what they hold, and by their shapes.

        Args:
            shape: of a sample, without the batch.
        """
        training = self.training
        self.eval()
        with torch.no_grad():
            features: Features = self(torch.zeros(1, *shape))
        self.train(training)
        return features

    def forecast_head(self, shape: tuple[int, ...], targets: list[int], numbers: int, rate: float) -> nn.Module:
        """A head that predicts `numbers` for each of the channels `targets` of windows (C, L)."""
        _, channels, tokens, width = self.sketch(shape).tokens.shape
        if channels == shape[0]:
            return FlatForecastHead(tokens, width, numbers, targets, channels, rate)
        return JointForecastHead(channels * tokens * width, numbers, targets, shape[0], rate)

    def linear_map(
        self, linear: tuple[Level, Channels], shape: tuple[int, ...], targets: list[int], horizon: int, repeats: int
    ) -> ForecastMap:
        """A linear map of windows (C, L) that a forecast head is added to."""
        (channels, length), (level, inputs) = shape, linear
        ridge = RidgeForecast(targets, (channels, length), horizon, level, inputs)
        return ForecastMap(ridge, repeats, self.sketch(shape).mean is not None)

    def kernel_map(self, kernels: int, shape: tuple[int, ...], classes: int) -> KernelMap:
        """A linear map of random kernels of windows (C, L) that the head of a label is added to."""
        channels, length = shape
        return KernelMap(kernels, (channels, length), classes)

    def row_map(self, width: int, layout: RowLayout | None, outputs: int) -> RowMap:
        """A linear map of rows of `width` numbers that the head of a label or a number is added to."""
        return RowMap(width, layout, outputs)

    def vector_head(self, shape: tuple[int, ...], numbers: int, rate: float) -> nn.Module:
        """A head that predicts `numbers` a sample: of windows (C, L) from pooled tokens, else one linear layer."""
        if len(shape) != 2:
            return LinearHead(self.width, numbers)
        features = self.sketch(shape)
        measured = 0 if features.mean is None else features.mean.shape[1]
        return PooledClassifier(self.classification, features.tokens.shape[1], self.width, numbers, rate, measured)

    def position_head(self, shape: tuple[int, ...], numbers: int, rate: float) -> nn.Module:
        """A head that predicts `numbers` for each word of a text, or for each row of a window (C, L)."""
        places = self.sketch(shape).places
        if len(shape) == 2 and (places is None or places.shape[1] != shape[1]):
            raise SettingError(
                "encoder.kind",
                "should give features of each row of a window (`Features.places`, [B, L, D]) for tasks of kind tagging "
                "on a series, as `recurrent` does.",
            )
        if places is None:
            raise SettingError(
                "encoder.kind",
                "should give features of each token of a text for tasks of kind tagging, as `text` does.",
            )
        return PositionHead(self.width, numbers, rate)

    def rate(self, dropout: float | None) -> float:
        """The dropout rate in effect now."""
        if not self.training:
            return 0.0
        return self.dropout if dropout is None else dropout

    def transferable(self) -> dict[str, Tensor]:
        """Name → tensor of what pretraining hands over (detached, not copied)."""
        return {k: v for k, v in self.state_dict().items() if not k.startswith(self.fine_tuning_only)}


@dataclass(frozen=True)
class Window:
    """Facts about a batch that an encoder with stages keeps while its stages run."""

    shape: tuple[int | torch.SymInt, ...]
    """Shape of the batch: (B, C, …); while a network is traced for batches of any size, B is a symbol."""
    mean: Tensor | None = None
    std: Tensor | None = None
    firsts: Bool[Tensor, "B N"] | None = None
    """Mask of the places where a position begins that may have a target; None where places have none."""
    inside: Bool[Tensor, "B N"] | None = None
    """Mask of the places that continue a position; None where only its first counts."""


class StagedEncoder(Encoder):
    """An encoder that is a row of stages, each a module that turns one tensor into the next.

    Sharing architectures work on the tensors between stages: they run stages of several copies of the encoder side by
    side, mix what they give, or share the lower ones.
    """

    channel_dim: int = -1
    """Dimension of the channels in the tensors between stages."""

    @property
    @abstractmethod
    def stage_widths(self) -> tuple[int, ...]:
        """Number of channels that each stage gives."""

    def count_tokens(self, input_len: int) -> int:
        """One token a channel, unless an encoder says otherwise: its end pools what the last stage gave."""
        del input_len
        return 1

    def begin(self, x: Float[Tensor, "B C *S"]) -> tuple[Tensor, Window]:
        """Input of the first stage, computed without weights, and what is kept of the batch (here: all of it)."""
        return x, Window(tuple(x.shape))

    @property
    @abstractmethod
    def stages(self) -> tuple[str, ...]:
        """Names of the submodules that hold the weights of each stage, in order; other weights belong to the end."""

    @abstractmethod
    def stage(self, number: int, tensor: Tensor, rate: float) -> Tensor:
        """One stage, from 0, with the dropout rate in effect."""

    @abstractmethod
    def end(self, tensor: Tensor, window: Window) -> Features:
        """Features of what the last stage gave."""

    def forward(self, x: Float[Tensor, "B C *S"], dropout: float | None = None) -> Features:
        rate = self.rate(dropout)
        tensor, window = self.begin(x)
        for number in range(len(self.stages)):
            tensor = self.stage(number, tensor, rate)
        return self.end(tensor, window)


def stored(model: nn.Module) -> dict[str, Tensor]:
    """The state of a network that a run stores: all but what the files of a pretrained network hold."""
    base = {
        f"{place}.{name}" if place else name
        for place, module in model.named_modules()
        if isinstance(module, Encoder)
        for name in module.base
    }
    return {name: tensor for name, tensor in model.state_dict().items() if name not in base}
