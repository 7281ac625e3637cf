"""Section of the encoder of texts."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from mtl.config.common import DropRate, PositiveInt
from mtl.config.encoder_base import EncoderBase, wide
from mtl.config.inputs import TOKENS, InputKind


class TextEncoder(EncoderBase):
    """Texts: an embedding of each token and its place, then the blocks of a Transformer (Vaswani et al. 2017, arXiv
    1706.03762), each normalised first (Xiong et al. 2020, arXiv 2002.04745)."""

    inputs: ClassVar[tuple[InputKind, ...]] = (TOKENS,)
    one_shape: ClassVar[bool] = True
    reads_codes: ClassVar[bool] = True

    kind: Literal["text"]
    width: PositiveInt = 96
    """Numbers that stand for a token."""
    layers: Annotated[int, Field(ge=0, le=100, strict=True)] = 2
    """Blocks above the embedding; each of them is a stage, as that is. 0: the mean of the tokens alone."""
    heads: PositiveInt = 4
    """Heads of the attention, which divide `width`."""
    d_ff: PositiveInt = 192
    """Numbers of the hidden layer of a block."""
    pool: Literal["mean", "first"] = "mean"
    """Vector that stands for a text: the mean over its tokens, or that of the token in front of it."""
    dropout: DropRate = 0.1

    @model_validator(mode="after")
    def _heads_divide(self) -> "TextEncoder":
        if self.width % self.heads or self.width % 2:
            raise ValueError(f"width should be even and a multiple of heads ({self.heads}), found {self.width}")
        return self

    @property
    def stage_count(self) -> int:
        return self.layers + 1

    def widened(self, factor: float) -> "TextEncoder":
        multiple = 2 * self.heads
        update = {"width": wide(self.width, factor, multiple), "d_ff": wide(self.d_ff, factor)}
        return self.model_copy(update=update)
