"""Section of the encoder of the rows of a table."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from mtl.config.common import DropRate, PositiveFloat, PositiveInt
from mtl.config.encoder_base import EncoderBase, wide
from mtl.config.inputs import ROWS, InputKind


class TabularEncoder(EncoderBase):
    """Rows of a table: each number and category embedded, then residual blocks, of several members that share their
    matrices (after Gorishniy et al. 2022, arXiv 2203.05556, and 2025, arXiv 2410.24210)."""

    inputs: ClassVar[tuple[InputKind, ...]] = (ROWS,)
    one_shape: ClassVar[bool] = True
    reads_codes: ClassVar[bool] = True

    kind: Literal["tabular"]
    numbers: Literal["piecewise", "periodic", "linear"] = "periodic"
    """Embedding of a number: linear between the quantiles of its training rows, sines and cosines of learnt
    frequencies, or the number itself."""
    number_width: PositiveInt = 16
    """Numbers of the embedding of a number."""
    bins: Annotated[int, Field(ge=2, le=256, strict=True)] = 16
    """Pieces of `numbers: piecewise`, at most."""
    frequencies: PositiveInt = 32
    """Frequencies of `numbers: periodic`."""
    frequency: PositiveFloat = 0.1
    """Standard deviation of the first frequencies of `numbers: periodic`."""
    category_width: PositiveInt = 16
    """Numbers of the embedding of a category, at most; of few categories half as many as there are."""
    width: PositiveInt = 128
    layers: Annotated[int, Field(ge=0, le=100, strict=True)] = 2
    """Residual blocks above the embedding; each of them is a stage, as that is."""
    members: Annotated[int, Field(ge=1, le=64, strict=True)] = 4
    """Networks that share all matrices and differ by factors of inputs and outputs; predictions are their mean."""
    dropout: DropRate = 0.1

    @property
    def stage_count(self) -> int:
        return self.layers + 1

    def widened(self, factor: float) -> "TabularEncoder":
        return self.model_copy(update={"width": wide(self.width, factor)})
