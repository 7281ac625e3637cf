"""Sections of the encoders of windows."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from mtl.config.common import DropRate, Fraction, Name, NonNegativeFloat, PositiveInt, Problem, Section
from mtl.config.encoder_base import ClassificationHead, EncoderBase, wide
from mtl.config.inputs import WINDOWS, InputKind, Sample
from mtl.errors import shown


class TimeDartEncoder(EncoderBase):
    """Channel-independent patches through a Transformer (TimeDART, arXiv 2410.05711)."""

    inputs: ClassVar[tuple[InputKind, ...]] = (WINDOWS,)
    diffusion: ClassVar[bool] = True
    keeps_steps: ClassVar[bool] = True

    kind: Literal["timedart"]
    patch_len: PositiveInt = 8
    d_model: PositiveInt = 32
    heads: PositiveInt = 4
    layers: PositiveInt = 2
    d_ff: PositiveInt = 64
    dropout: DropRate = 0.1
    attention: Literal["bidirectional", "causal"] = "bidirectional"
    """Attention in fine-tuning; pretraining is always causal."""
    attention_dropout: DropRate = 0.0
    recipe: Literal["default", "published"] = "default"
    """`published` admits head widths below 8, as the published settings have (16 heads at width 32)."""
    classification: ClassificationHead = ClassificationHead()

    @model_validator(mode="after")
    def _widths(self) -> "TimeDartEncoder":
        if self.d_model % self.heads:
            raise ValueError(f"heads should divide d_model, found {self.heads} heads for a width of {self.d_model}")
        if self.d_model % 2:
            raise ValueError(f"d_model should be even for the sinusoidal positions, found {self.d_model}")
        if self.recipe == "default" and self.d_model // self.heads < 8:
            raise ValueError(
                f"heads should leave a width of at least 8 each, found {self.d_model // self.heads}; "
                "`recipe: published` admits it"
            )
        return self

    @property
    def stage_count(self) -> int:
        return self.layers + 1  # the embedding

    def normalises(self, source: str | None) -> bool:
        del source
        return True

    def problem(self, sample: Sample) -> Problem | None:
        rows = sample.shape[1]
        if rows is not None and sample.steps and rows % self.patch_len:
            message = f"should divide the window of {sample.whose} ({rows} rows), of which each row has a class, found "
            return "encoder.patch_len", f"{message}{self.patch_len}."
        if rows is None or self.patch_len <= rows:
            return None
        message = f"should be at most the window of {sample.whose} ({rows} rows), found {self.patch_len}."
        return "encoder.patch_len", message

    def widened(self, factor: float) -> "TimeDartEncoder":
        """A multiple of what heads and positions need."""
        least = self.heads * (8 if self.recipe == "default" else 2)
        width = max(least, wide(self.d_model, factor, 2 * self.heads))
        return self.model_copy(update={"d_model": width, "d_ff": wide(self.d_ff, factor)})


class ActivationForgetting(Section):
    """Features × (1 − rate · gate), gate = sigmoid(MLP D→D/2→D); fine-tuning only."""

    kind: Literal["activation"] = "activation"
    rate: Fraction = 0.1


class LinearEncoder(EncoderBase):
    """Two linear layers over each channel's whole window."""

    inputs: ClassVar[tuple[InputKind, ...]] = (WINDOWS,)

    kind: Literal["linear"]
    input_len: PositiveInt = 336
    """The one window length of the network."""
    resize: Literal["error", "resample", "left_pad"] = "error"
    """Treatment of a source whose windows have another length."""
    width: Annotated[int, Field(ge=16, strict=True)] = 512
    dropout: DropRate = 0.2
    """After the first layer; half of it after the second."""
    forgetting: ActivationForgetting | None = None
    classification: ClassificationHead = ClassificationHead()
    """Only `amplitude` applies: the linear encoder's head is a small convolutional network."""

    @property
    def stage_count(self) -> int:
        return 2

    def normalises(self, source: str | None) -> bool:
        del source
        return True

    def problem(self, sample: Sample) -> Problem | None:
        rows, whose = sample.shape[1], sample.whose
        if rows is None:
            return None
        if self.resize == "error" and rows != self.input_len:
            message = f"should be {rows}, the rows in a window of {whose}, or `encoder.resize` not error, found "
            return "encoder.input_len", f"{message}{self.input_len}."
        if self.resize == "left_pad" and rows > self.input_len:
            message = f"should be at least {rows}, the rows in a window of {whose}, for `resize: left_pad`, found "
            return "encoder.input_len", f"{message}{self.input_len}."
        return None

    def widened(self, factor: float) -> "LinearEncoder":
        return self.model_copy(update={"width": max(16, wide(self.width, factor))})


class RecurrentEncoder(EncoderBase):
    """Gated recurrent units (GRU, Cho et al. 2014, arXiv 1406.1078) over all channels of a window together, which are
    not instance-normalised."""

    inputs: ClassVar[tuple[InputKind, ...]] = (WINDOWS,)
    joins_channels: ClassVar[bool] = True
    keeps_steps: ClassVar[bool] = True

    kind: Literal["recurrent"]
    width: PositiveInt = 48
    """Numbers of the state."""
    layers: Annotated[int, Field(gt=0, le=100, strict=True)] = 1
    """Each is a stage."""
    dropout: DropRate = 0.2
    """Behind every layer, and so on the state that heads read."""

    @property
    def stage_count(self) -> int:
        return self.layers

    def widened(self, factor: float) -> "RecurrentEncoder":
        return self.model_copy(update={"width": wide(self.width, factor)})


def _normalise(section: Any) -> Any:
    """Checks the form of one view or of all, so that one message covers both."""
    values = list(section.values()) if isinstance(section, dict) else [section]
    if any(value not in ("none", "instance") for value in values):
        form = "none or instance, or one of them for each of some sources such as {etth1: instance}"
        raise ValueError(f"should be {form}, found {shown(section)}")
    return section


View = Literal["none", "instance"]
Normalise = Annotated[View | dict[Name, View], BeforeValidator(_normalise)]
"""Windows of every source as they are, or each channel of a window brought to mean 0 and standard deviation 1; or
source → either, and `none` for sources that are left out."""


class RocketEncoder(EncoderBase):
    """Random convolution kernels that stay as they are, pooled over each channel's whole window (after ROCKET, Dempster
    et al. 2020, arXiv 1910.13051), below a trained network."""

    inputs: ClassVar[tuple[InputKind, ...]] = (WINDOWS,)

    kind: Literal["rocket"]
    kernels: PositiveInt = 24
    """Kernels of each dilation; a channel passes all of them alone."""
    kernel_len: Annotated[int, Field(ge=3, le=99, strict=True)] = 9
    """Rows that a kernel reads, an odd number."""
    dilations: Annotated[list[PositiveInt], Field(min_length=1)] = [1, 2, 4, 8]
    """Rows from one that a kernel reads to the next."""
    width: PositiveInt = 32
    layers: Annotated[int, Field(ge=0, le=100, strict=True)] = 1
    """Residual blocks above the linear layer; each of them is a stage, as that layer is."""
    dropout: DropRate = 0.0
    """Inside the blocks, and of heads."""
    normalise: Normalise = "none"
    """View of a window that kernels have; heads get the mean and standard deviation of each channel either way. Levels
    tell classes apart, and mislead the forecast of a series whose level drifts."""
    level_noise: NonNegativeFloat = 0.0
    """Standard deviation, in z-scored units, of a number that is added to a whole channel of a window in training, so
    that classes are not told apart by small differences of level between those who were measured."""
    classification: ClassificationHead = ClassificationHead()

    @field_validator("kernel_len")
    @classmethod
    def _centred(cls, length: int) -> int:
        if length % 2 == 0:
            raise ValueError(f"should be odd, so that a kernel has a middle, found {length}")
        return length

    @property
    def stage_count(self) -> int:
        return self.layers + 1

    def normalises(self, source: str | None) -> bool:
        if isinstance(self.normalise, dict):
            return source is not None and self.normalise.get(source) == "instance"
        return self.normalise == "instance"

    def problem(self, sample: Sample) -> Problem | None:
        rows, largest = sample.shape[1], max(self.dilations)
        if rows is None or (reach := (self.kernel_len - 1) * largest + 1) <= rows:
            return None
        windows = f"the windows of {sample.whose} ({rows} rows)"
        if self.kernel_len > rows:
            least = f"should be an odd number of at most {rows} for {windows}"
            return "encoder.kernel_len", f"{least}, and `encoder.dilations` small enough, found {self.kernel_len}."
        most = (rows - 1) // (self.kernel_len - 1)
        message = f"should be at most {most} for {windows}, since {self.kernel_len} values {largest} rows apart reach "
        return "encoder.dilations", f"{message}over {reach}, found {self.dilations}."

    def widened(self, factor: float) -> "RocketEncoder":
        """Trained widths alone: the kernels are what all of them read."""
        return self.model_copy(update={"width": wide(self.width, factor)})
