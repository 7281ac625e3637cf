"""`encoder`: the shared network; a class a kind of encoder."""

from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field, JsonValue

from mtl.config.common import TARGET_PATTERN, DropRate, PositiveInt, Problem, Section
from mtl.config.encoder_base import ClassificationHead, EncoderBase, wide
from mtl.config.inputs import IMAGES, MIXED, PART_KINDS, ROWS, WINDOWS, InputKind, PartName, Sample
from mtl.config.pretrained import PretrainedEncoder
from mtl.config.tabular import TabularEncoder
from mtl.config.text_encoder import TextEncoder
from mtl.config.window_encoders import LinearEncoder, RecurrentEncoder, RocketEncoder, TimeDartEncoder


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
        return self.model_copy(update={"sizes": [wide(size, factor) for size in self.sizes]})


class ConvolutionalEncoder(ImageEncoder):
    """Stages of convolutions, whose last one's pixels become the features."""

    pool: Literal["mean", "flatten"] = "mean"
    """Features from the pixels of the last stage: `mean` forgets where something lies; `flatten` keeps each of them,
    for labels that ask for a place, such as the left one of two digits."""


class CnnEncoder(ConvolutionalEncoder):
    """3×3 convolutions with batch norm; a stage for each width, halved by a pool."""

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
        return self.model_copy(update={"widths": [wide(width, factor) for width in self.widths]})


class ResNetEncoder(ConvolutionalEncoder):
    """Residual blocks of 3×3 convolutions with batch norm (He et al. 2016, arXiv 1512.03385, section 4.2); a stage for
    each width, of which all but the first halve the image."""

    kind: Literal["resnet"]
    widths: Annotated[list[PositiveInt], Field(min_length=1)] = [16, 32, 64]
    depth: Annotated[int, Field(gt=0, le=100, strict=True)] = 1
    """Blocks of two convolutions in a stage."""
    stride: Annotated[int, Field(ge=1, le=4, strict=True)] = 1
    """Step of the first convolution: 2 halves the image at once, which makes images of 64 pixels and more four times
    cheaper."""

    @property
    def stage_count(self) -> int:
        return len(self.widths)

    def problem(self, sample: Sample) -> Problem | None:
        _, height, width = sample.shape
        if (known := super().problem(sample)) is not None or height is None or width is None:
            return known
        most = max(1, (min(height, width) // self.stride).bit_length())
        if len(self.widths) <= most:
            return None
        message = f"should be {most} at most for {sample.whose}, since each but the first halves images of "
        return "encoder.widths", f"{message}{height} × {width} pixels, found {len(self.widths)}: {self.widths}."

    def widened(self, factor: float) -> "ResNetEncoder":
        return self.model_copy(update={"widths": [wide(width, factor) for width in self.widths]})


RowsPart = Annotated[MlpEncoder | TabularEncoder, Field(discriminator="kind")]
ImagePart = Annotated[MlpEncoder | CnnEncoder | ResNetEncoder, Field(discriminator="kind")]


PartEncoder = MlpEncoder | TabularEncoder | CnnEncoder | ResNetEncoder | TextEncoder


class FusionParts(Section):
    """Encoder of each part of a mixture; null: the usual one of its kind."""

    rows: RowsPart | None = None
    """Numbers and categories; null: `mlp`."""
    image: ImagePart | None = None
    """Null: `resnet`."""
    text: TextEncoder | None = None
    """Null: `text`."""

    def of(self, name: PartName) -> PartEncoder:
        """The encoder of a part."""
        given: PartEncoder | None = getattr(self, name)
        return USUAL[name] if given is None else given


USUAL: dict[PartName, PartEncoder] = {
    "rows": MlpEncoder(kind="mlp"), "image": ResNetEncoder(kind="resnet"), "text": TextEncoder(kind="text"),
}  # fmt: skip
"""Encoders of the parts that a section leaves out."""


class FusionEncoder(EncoderBase):
    """Rows of a table with an image, a text or both: an encoder for each part, whose features stand side by side below
    layers that all parts share."""

    inputs: ClassVar[tuple[InputKind, ...]] = (MIXED,)
    one_shape: ClassVar[bool] = True
    reads_codes: ClassVar[bool] = True
    fuses: ClassVar[bool] = True

    kind: Literal["fusion"]
    parts: FusionParts = FusionParts()
    """Encoder of each part, with its own sizes and dropout."""
    sizes: Annotated[list[PositiveInt], Field(min_length=1)] = [64]
    """Widths of the layers above the features, each with ReLU; each is a stage, as the parts together are the first."""
    dropout: DropRate = 0.0
    """Rate behind each of these layers."""
    part_dropout: DropRate = 0.0
    """Share of the training samples in which the features of a part are left out, drawn for each part, so that the
    network does not lean on one of them alone (Neverova et al. 2016, arXiv 1501.00102)."""

    @property
    def stage_count(self) -> int:
        return 1 + len(self.sizes)

    def problem(self, sample: Sample) -> Problem | None:
        there = {part.name: part for part in sample.parts}
        for name in PART_KINDS:
            path, section = f"encoder.parts.{name}", getattr(self.parts, name)
            if there and name not in there and section is not None:
                told = " and ".join(there)
                return path, f"should be left out for {sample.whose}, whose inputs are {told}, found {section.kind!r}."
            if name in there:
                part = there[name]
                own = self.parts.of(name).problem(Sample(sample.whose, part.kind, part.shape, sample.source))
                if own is not None:
                    return own[0].replace("encoder", path, 1), own[1]
        return None

    def widened(self, factor: float) -> "FusionEncoder":
        if factor == 1:
            return self
        parts = {str(name): self.parts.of(name).widened(factor) for name in PART_KINDS}
        sizes = [wide(size, factor) for size in self.sizes]
        return self.model_copy(update={"sizes": sizes, "parts": self.parts.model_copy(update=parts)})


class PythonEncoder(EncoderBase):
    """A user's own network under plugins/: `target: module:callable` returns a `torch.nn.Module` from a batch to
    [B, D], or a whole `mtl.models.base.Encoder`."""

    inputs: ClassVar[tuple[InputKind, ...]] = (WINDOWS, IMAGES, ROWS)
    widens: ClassVar[bool] = False
    keeps_steps: ClassVar[bool] = True  # only the code tells

    kind: Literal["python"]
    target: Annotated[str, Field(pattern=TARGET_PATTERN)]
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
    TimeDartEncoder
    | LinearEncoder
    | RecurrentEncoder
    | RocketEncoder
    | MlpEncoder
    | CnnEncoder
    | ResNetEncoder
    | TabularEncoder
    | TextEncoder
    | PretrainedEncoder
    | FusionEncoder
    | PythonEncoder,
    Field(discriminator="kind"),
]


def kinds_for(kind: InputKind, steps: bool = False) -> list[str]:
    """Kinds of encoder that take samples of a kind, and of which some may have features of every step of one."""
    sections: tuple[type[EncoderBase], ...] = get_args(get_args(EncoderConfig)[0])
    able = [part for part in sections if kind in part.inputs and (part.keeps_steps or not steps)]
    return [str(get_args(part.model_fields["kind"].annotation)[0]) for part in able]
