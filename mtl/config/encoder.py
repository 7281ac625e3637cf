"""`encoder`: the shared network; one class a kind of encoder."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mtl.config.common import DropRate, Fraction, PositiveInt, Section


class ClassificationHead(Section):
    """How tokens become a class."""

    pool: Literal["max", "mean"] = "max"
    """Over time, per channel."""
    channels: Literal["concat", "mean"] = "concat"
    """How channels are joined; `mean` keeps the head small for very many channels."""
    hidden: PositiveInt | None = 128
    """Width of the hidden layer; null is one linear layer."""
    amplitude: bool = True
    """Per-channel mean and log-std of the window, which instance normalisation takes away, in a branch of their own."""


class TimeDartEncoder(Section):
    """Channel-independent patches through a Transformer (TimeDART, arXiv 2410.05711)."""

    kind: Literal["timedart"]
    patch_len: PositiveInt = 8
    d_model: PositiveInt = 32
    heads: PositiveInt = 4
    layers: PositiveInt = 2
    d_ff: PositiveInt = 64
    dropout: DropRate = 0.1
    attention: Literal["bidirectional", "causal"] = "bidirectional"
    """In fine-tuning; pretraining is always causal."""
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


class ActivationForgetting(Section):
    """Features × (1 − rate · gate), gate = sigmoid(MLP D→D/2→D); fine-tuning only."""

    kind: Literal["activation"] = "activation"
    rate: Fraction = 0.1


class LinearEncoder(Section):
    """Two linear layers over each channel's whole window (methods 1.1)."""

    kind: Literal["linear"]
    input_len: PositiveInt = 336
    """The one window length of the network."""
    resize: Literal["error", "resample", "left_pad"] = "error"
    """What happens to a source whose windows have another length."""
    width: Annotated[int, Field(ge=16, strict=True)] = 512
    dropout: DropRate = 0.2
    """After the first layer; half of it after the second."""
    forgetting: ActivationForgetting | None = None
    classification: ClassificationHead = ClassificationHead()
    """Only `amplitude` applies: the linear encoder's head is a small convolutional network."""


class ImageEncoder(Section):
    """What the encoders of images share."""

    in_channels: PositiveInt | None = None
    """Channels of an image (1 grey, 3 red, green and blue); null takes them from the data."""
    dropout: DropRate = 0.0


class MlpEncoder(ImageEncoder):
    """Linear layers over all pixels of an image, each with ReLU and dropout."""

    kind: Literal["mlp"]
    sizes: Annotated[list[PositiveInt], Field(min_length=1)] = [64, 32]
    """Widths of the hidden layers; each is a stage."""


class CnnEncoder(ImageEncoder):
    """3×3 convolutions with batch norm; a stage for each width, halved by a pool, averaged at the end."""

    kind: Literal["cnn"]
    widths: Annotated[list[PositiveInt], Field(min_length=1)] = [32, 64, 128]
    depth: PositiveInt = 1
    """Convolutions in a stage."""


class PythonEncoder(Section):
    """A user's own encoder under plugins/: `target: module:callable` returns an `mtl.models.base.Encoder`."""

    kind: Literal["python"]
    target: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
    dropout: DropRate = 0.1
    classification: ClassificationHead = ClassificationHead()
    options: dict[str, str | int | float | bool | None] = {}


EncoderConfig = Annotated[
    TimeDartEncoder | LinearEncoder | MlpEncoder | CnnEncoder | PythonEncoder, Field(discriminator="kind")
]


def widened(encoder: EncoderConfig, factor: float) -> EncoderConfig:
    """The encoder with its widths multiplied; a Transformer's stay multiples of what its heads and positions need.

    Raises:
        ValueError: a user's own encoder, whose widths are not known here.
    """
    if factor == 1:
        return encoder

    def wide(width: int, multiple: int = 1) -> int:
        return max(multiple, multiple * round(width * factor / multiple))

    match encoder:
        case TimeDartEncoder():
            least = encoder.heads * (8 if encoder.recipe == "default" else 2)
            width = max(least, wide(encoder.d_model, 2 * encoder.heads))
            return encoder.model_copy(update={"d_model": width, "d_ff": wide(encoder.d_ff)})
        case LinearEncoder():
            return encoder.model_copy(update={"width": max(16, wide(encoder.width))})
        case MlpEncoder():
            return encoder.model_copy(update={"sizes": [wide(size) for size in encoder.sizes]})
        case CnnEncoder():
            return encoder.model_copy(update={"widths": [wide(width) for width in encoder.widths]})
        case PythonEncoder():
            raise ValueError("width should be 1 for an encoder of kind python, whose sizes stand in its options")
