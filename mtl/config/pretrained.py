"""Section of the encoders that were trained elsewhere, of the package transformers."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from mtl.config.common import DropRate, PositiveFloat, PositiveInt, Section
from mtl.config.encoder_base import EncoderBase
from mtl.config.inputs import IMAGES, TOKENS, InputKind

DIGEST = r"^[0-9a-f]{64}$"
FOLDER = "data/models"
"""Folder below which `mtl model get` puts pretrained networks."""


class Lora(Section):
    """Two thin matrices beside each linear layer of the blocks, whose product is added to it (Hu et al. 2021, arXiv
    2106.09685)."""

    rank: Annotated[int, Field(ge=1, le=1024, strict=True)] = 8
    alpha: PositiveFloat | None = None
    """The product counts alpha / rank times; null: twice."""


class PartTrained(Section):
    """The part of a pretrained network that is trained."""

    top: PositiveInt | None = None
    """Number of its last blocks."""
    lora: Lora | None = None

    @model_validator(mode="after")
    def _either(self) -> "PartTrained":
        if (self.top is None) == (self.lora is None):
            raise ValueError("train should be all, none, {top: BLOCKS} or {lora: {rank: 8}}")
        return self


class FrozenNetwork(Section):
    """A pretrained network of texts that nothing trains; its members mean what they mean in section `encoder`."""

    model: Annotated[str, Field(min_length=1)]
    revision: str | None = None
    digest: Annotated[str, Field(pattern=DIGEST)]
    blocks: PositiveInt | None = Field(default=None, exclude_if=lambda blocks: blocks is None)
    pool: Literal["mean", "cls"] = "mean"
    pool_words: Literal["first", "mean"] = "first"

    @property
    def encoder(self) -> "PretrainedEncoder":
        """The section of an encoder that is this network and nothing above it."""
        return PretrainedEncoder(
            kind="huggingface", train="none", sizes=[], dropout=0.0, **self.model_dump()
        )  # fmt: skip


class PretrainedEncoder(EncoderBase):
    """A network that was trained elsewhere, from a folder that the package transformers reads; the mean over the tokens
    of its last block, or the first of them."""

    inputs: ClassVar[tuple[InputKind, ...]] = (TOKENS, IMAGES)
    one_shape: ClassVar[bool] = True
    reads_codes: ClassVar[bool] = True
    widens: ClassVar[bool] = False

    kind: Literal["huggingface"]
    model: Annotated[str, Field(min_length=1)]
    """Its folder, relative to the project's, or its name below data/models/, where `mtl model get` puts it."""
    revision: str | None = None
    """Revision that `mtl model get` was asked for; null: any."""
    digest: Annotated[str, Field(pattern=DIGEST)] | None = None
    """Hash of its files, without which nothing is trained: other weights are other results. `mtl validate` tells it."""
    blocks: PositiveInt | None = Field(default=None, exclude_if=lambda blocks: blocks is None)
    """Its first blocks that are used, of networks like BERT; null: all. What words are stands in the middle of a
    network rather than at its end (Tenney et al. 2019, arXiv 1905.05950). Left out where it is null, so that what is
    derived from the section stays as it was before there was a choice."""
    train: Literal["all", "none"] | PartTrained = "all"
    """The part of it that is trained; the rest is as it was, in training too."""
    backbone_rate: Annotated[float, Field(gt=0, le=1, strict=True)] = 0.1
    """Factor on the learning rate of what is trained of it; layers above it and heads have the whole rate."""
    checkpointing: bool = False
    """Blocks are computed again on the way back, which takes a third more time and keeps little of them in memory."""
    pool: Literal["mean", "cls"] = "mean"
    """Vector that stands for a sample: the mean over its tokens, or that of the first."""
    pool_words: Literal["first", "mean"] = "first"
    """Vector that stands for a word that has a tag: that of its first token (Devlin et al. 2019, section 5.3), or the
    mean over its tokens."""
    sizes: list[PositiveInt] = []
    """Widths of layers above the vector, each with ReLU, which the tasks share."""
    dropout: DropRate = 0.1

    def widened(self, factor: float) -> "PretrainedEncoder":
        if factor != 1:
            raise ValueError("width should be 1 for an encoder of kind huggingface, whose widths are its files'")
        return self
