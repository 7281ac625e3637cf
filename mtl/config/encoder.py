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


class PythonEncoder(Section):
    """A user's own encoder under plugins/: `target: module:callable` returns an `mtl.models.base.Encoder`."""

    kind: Literal["python"]
    target: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
    dropout: DropRate = 0.1
    classification: ClassificationHead = ClassificationHead()
    options: dict[str, str | int | float | bool | None] = {}


EncoderConfig = Annotated[TimeDartEncoder | LinearEncoder | PythonEncoder, Field(discriminator="kind")]
