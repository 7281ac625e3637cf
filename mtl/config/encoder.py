"""`encoder`: the shared network; a class a kind of encoder.

A class answers what is asked of its kind before any network is built: which samples it takes, how many stages it has,
how it is widened.
"""

from abc import ABC, abstractmethod
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field, JsonValue, field_validator, model_validator

from mtl.config.common import DropRate, Fraction, NonNegativeFloat, PositiveInt, Problem, Section
from mtl.config.inputs import IMAGES, ROWS, WINDOWS, InputKind, Sample


class ClassificationHead(Section):
    """Settings of the head that turns tokens into a class."""

    pool: Literal["max", "mean"] = "max"
    """Over time, per channel."""
    channels: Literal["concat", "mean"] = "concat"
    """Way of joining channels; `mean` keeps the head small for very many channels."""
    hidden: PositiveInt | None = 128
    """Width of the hidden layer; null is one linear layer."""
    amplitude: bool = True
    """Per-channel mean and log-std of the window, which instance normalisation takes away, in a branch of their own."""


class EncoderBase(Section, ABC):
    """Base of the sections of encoders, with the questions that every kind answers."""

    inputs: ClassVar[tuple[InputKind, ...]]
    """Kinds of input that it takes."""
    one_shape: ClassVar[bool] = False
    """All samples of a run should have one shape."""
    joins_channels: ClassVar[bool] = False
    """It reads the channels of a window together: all samples of a run should have as many."""
    normalises: ClassVar[bool] = False
    """It brings every window to mean 0 and standard deviation 1."""
    diffusion: ClassVar[bool] = False
    """It can be pretrained by diffusion of patches."""
    widens: ClassVar[bool] = True
    """Its widths are known here, so that a start may multiply them."""

    @property
    def stage_count(self) -> int | None:
        """Stages, which `branched` sharing counts; None where only the code tells."""
        return None

    @property
    def own_code(self) -> str | None:
        """Target of a user's own code that builds it; None without any."""
        return None

    def problem(self, sample: Sample) -> Problem | None:
        """Problem of the encoder with samples of a kind that it takes, or None."""
        return None

    @abstractmethod
    def widened(self, factor: float) -> "EncoderBase":
        """The encoder with its widths multiplied.

        Raises:
            ValueError: its widths are not known here.
        """


def _wide(width: int, factor: float, multiple: int = 1) -> int:
    return max(multiple, multiple * round(width * factor / multiple))


class TimeDartEncoder(EncoderBase):
    """Channel-independent patches through a Transformer (TimeDART, arXiv 2410.05711)."""

    inputs: ClassVar[tuple[InputKind, ...]] = (WINDOWS,)
    normalises: ClassVar[bool] = True
    diffusion: ClassVar[bool] = True

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

    def problem(self, sample: Sample) -> Problem | None:
        rows = sample.shape[1]
        if rows is None or self.patch_len <= rows:
            return None
        message = f"should be at most the window of {sample.whose} ({rows} rows), found {self.patch_len}."
        return "encoder.patch_len", message

    def widened(self, factor: float) -> "TimeDartEncoder":
        """A multiple of what heads and positions need."""
        least = self.heads * (8 if self.recipe == "default" else 2)
        width = max(least, _wide(self.d_model, factor, 2 * self.heads))
        return self.model_copy(update={"d_model": width, "d_ff": _wide(self.d_ff, factor)})


class ActivationForgetting(Section):
    """Features × (1 − rate · gate), gate = sigmoid(MLP D→D/2→D); fine-tuning only."""

    kind: Literal["activation"] = "activation"
    rate: Fraction = 0.1


class LinearEncoder(EncoderBase):
    """Two linear layers over each channel's whole window."""

    inputs: ClassVar[tuple[InputKind, ...]] = (WINDOWS,)
    normalises: ClassVar[bool] = True

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
        return self.model_copy(update={"width": max(16, _wide(self.width, factor))})


class RecurrentEncoder(EncoderBase):
    """Gated recurrent units (GRU, Cho et al. 2014, arXiv 1406.1078) over all channels of a window together, which are
    not instance-normalised."""

    inputs: ClassVar[tuple[InputKind, ...]] = (WINDOWS,)
    joins_channels: ClassVar[bool] = True

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
        return self.model_copy(update={"width": _wide(self.width, factor)})


class RocketEncoder(EncoderBase):
    """Random convolution kernels that stay as they are, pooled over each channel's whole window (after ROCKET, Dempster
    et al. 2020, arXiv 1910.13051), below a trained network; windows are not instance-normalised."""

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
        return self.model_copy(update={"width": _wide(self.width, factor)})


class ImageEncoder(EncoderBase):
    """Base of the sections of encoders of images."""

    inputs: ClassVar[tuple[InputKind, ...]] = (IMAGES,)
    one_shape: ClassVar[bool] = True

    in_channels: PositiveInt | None = None
    """Channels of an image (1 grey, 3 red, green and blue); null takes them from the data."""
    dropout: DropRate = 0.0

    def problem(self, sample: Sample) -> Problem | None:
        channels = sample.shape[0]
        if None in (channels, self.in_channels) or self.in_channels == channels:
            return None
        message = f"should be {channels} for {sample.whose} ({sample.kind.words(sample.shape)}), or null, found "
        return "encoder.in_channels", f"{message}{self.in_channels}."


class MlpEncoder(ImageEncoder):
    """Linear layers over all pixels of an image, or over all numbers of a row, each with ReLU and dropout."""

    inputs: ClassVar[tuple[InputKind, ...]] = (IMAGES, ROWS)

    kind: Literal["mlp"]
    sizes: Annotated[list[PositiveInt], Field(min_length=1)] = [64, 32]
    """Widths of the hidden layers; each is a stage."""
    activation: Literal["relu", "identity"] = "relu"
    """After every layer; `identity` makes the whole network linear."""

    @property
    def stage_count(self) -> int:
        return len(self.sizes)

    def widened(self, factor: float) -> "MlpEncoder":
        return self.model_copy(update={"sizes": [_wide(size, factor) for size in self.sizes]})


class CnnEncoder(ImageEncoder):
    """3×3 convolutions with batch norm; a stage for each width, halved by a pool, averaged at the end."""

    kind: Literal["cnn"]
    widths: Annotated[list[PositiveInt], Field(min_length=1)] = [32, 64, 128]
    depth: Annotated[int, Field(gt=0, le=100, strict=True)] = 1
    """Convolutions in a stage."""

    @property
    def stage_count(self) -> int:
        return len(self.widths)

    def problem(self, sample: Sample) -> Problem | None:
        _, height, width = sample.shape
        if (known := super().problem(sample)) is not None or height is None or width is None:
            return known
        most = min(height, width).bit_length() - 1
        if len(self.widths) <= most:
            return None
        message = (
            f"should be {most} at most for {sample.whose}, since each halves images of {height} × {width} pixels, "
        )
        return "encoder.widths", f"{message}found {len(self.widths)}: {self.widths}."

    def widened(self, factor: float) -> "CnnEncoder":
        return self.model_copy(update={"widths": [_wide(width, factor) for width in self.widths]})


class PythonEncoder(EncoderBase):
    """A user's own network under plugins/: `target: module:callable` returns a `torch.nn.Module` from a batch to
    [B, D], or a whole `mtl.models.base.Encoder`."""

    inputs: ClassVar[tuple[InputKind, ...]] = (WINDOWS, IMAGES, ROWS)
    widens: ClassVar[bool] = False

    kind: Literal["python"]
    target: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
    width: PositiveInt | None = None
    """Numbers D that a plain network returns for a sample; null finds them out by a trial. Given to the target if it
    has a parameter of this name."""
    dropout: DropRate = 0.1
    """Rate of the heads on windows. Given to the target if it has a parameter of this name."""
    classification: ClassificationHead = ClassificationHead()
    options: dict[str, JsonValue] = {}
    """Given to the target by name; plain values, lists and maps."""

    @property
    def own_code(self) -> str:
        return self.target

    def widened(self, factor: float) -> "PythonEncoder":
        if factor != 1:
            raise ValueError("width should be 1 for an encoder of kind python, whose sizes stand in its options")
        return self


EncoderConfig = Annotated[
    TimeDartEncoder | LinearEncoder | RecurrentEncoder | RocketEncoder | MlpEncoder | CnnEncoder | PythonEncoder,
    Field(discriminator="kind"),
]


def kinds_for(kind: InputKind) -> list[str]:
    """Kinds of encoder that take samples of a kind."""
    sections: tuple[type[EncoderBase], ...] = get_args(get_args(EncoderConfig)[0])
    return [str(get_args(part.model_fields["kind"].annotation)[0]) for part in sections if kind in part.inputs]
