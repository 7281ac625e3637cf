"""Simple models in files: what one is beside its arrays, and which one validation data chose among which."""

from typing import Annotated, Literal

from pydantic import Field

from mtl.config.inputs import RowLayout
from mtl.config.pretrained import FrozenNetwork
from mtl.results.content import Part
from mtl.results.numbers import Number

MAX_KERNEL_GROUPS = 10_000
MAX_DEPTH = 1_000
MAX_CODES = 1 << 16
MAX_TERMS, MAX_BYTES = 1 << 20, 1 << 26
Whole = Annotated[int, Field(ge=1, le=2**31 - 1)]


class FlatFeatures(Part):
    """The numbers of a sample as they are."""

    kind: Literal["flat"] = "flat"


class SummaryFeatures(Part):
    """Last rows of a window, means and spreads of its tails, and how they differ."""

    kind: Literal["summary"] = "summary"


class KernelGroup(Part):
    """Random kernels of one length, dilation and padding."""

    length: Whole
    dilation: Whole
    padding: Annotated[int, Field(ge=0, le=2**31 - 1)]
    count: Whole


class KernelFeatures(Part):
    """Share of positive values and maximum of random convolutions (Dempster et al. 2020, arXiv 1910.13051)."""

    kind: Literal["kernels"] = "kernels"
    groups: Annotated[list[KernelGroup], Field(min_length=1, max_length=MAX_KERNEL_GROUPS)]


class RowFeatures(Part):
    """Base of features of rows of a table; what the numbers of a row mean is written down."""

    numbers: Annotated[int, Field(ge=0, le=2**31 - 1)]
    flags: list[Annotated[int, Field(ge=0, le=2**31 - 1)]]
    """Places of the numbers that have a flag for being missing."""
    codes: list[Annotated[int, Field(ge=2, le=2**31 - 1)]]
    """Number of codes of each category."""

    @property
    def layout(self) -> RowLayout:
        """Meaning of the numbers of a row."""
        return RowLayout(self.numbers, tuple(self.flags), tuple(self.codes))


class OneHotFeatures(RowFeatures):
    """Numbers of a row, flags of missing ones, and a column for each category."""

    kind: Literal["one_hot"] = "one_hot"


class CellFeatures(RowFeatures):
    """Numbers of a row that may be missing, and codes of its categories that may be."""

    kind: Literal["cells"] = "cells"


class JoinedFeatures(RowFeatures):
    """Features of all parts of a mixed sample: those of its row as of `OneHotFeatures`, pixels, and for each token of
    the vocabulary 1 + log of its count in the text, over the length of these."""

    kind: Literal["joined"] = "joined"
    pixels: Annotated[int, Field(ge=0, le=2**31 - 1)]
    tokens: Annotated[int, Field(ge=0, le=MAX_TERMS)]
    """Codes of the text, that of a place behind its end among them; 0 without a text."""


class FrozenFeatures(Part):
    """The vector that a pretrained network gives of a text, or of each word of it that may have a tag."""

    kind: Literal["frozen"] = "frozen"
    network: FrozenNetwork
    width: Whole
    """Numbers of a vector."""


Formula = FlatFeatures | SummaryFeatures | KernelFeatures | OneHotFeatures | CellFeatures | JoinedFeatures
"""Features that follow from a sample by a formula."""
Features = Formula | FrozenFeatures


class ConstantFit(Part):
    """One prediction for every sample, from the training targets alone."""

    kind: Literal["constant"] = "constant"


class PersistenceFit(Part):
    """The last row, repeated."""

    kind: Literal["persistence"] = "persistence"


class SeasonalFit(Part):
    """The last rows, repeated period by period."""

    kind: Literal["seasonal"] = "seasonal"
    period: Whole


class RidgeForecastFit(Part):
    """A linear map of the window, less a level of it, to the rows ahead less the same level."""

    kind: Literal["ridge_forecast"] = "ridge_forecast"
    level: Literal["last", "mean", "zero"]
    channels: Literal["one", "own", "all"]
    """One map for all channels, a map for each, or one from all channels at once."""
    penalty: Number
    """λ over the mean diagonal element of the Gram matrix."""


class LinearFit(Part):
    """A linear map of features."""

    kind: Literal["linear"] = "linear"
    features: Annotated[Features, Field(discriminator="kind")]
    penalty: Number


class TreesFit(Part):
    """Sums of decision trees on features."""

    kind: Literal["trees"] = "trees"
    features: Annotated[Formula, Field(discriminator="kind")]
    sums: Whole
    """Numbers that trees add up to: k of a label of k > 2 classes, else 1."""
    rounds: Whole
    """Trees of each sum."""
    nodes: Whole
    """Nodes of all trees."""
    depth: Annotated[int, Field(ge=1, le=MAX_DEPTH)]
    """Questions from a root to the deepest leaf, at least 1."""
    sets: Annotated[int, Field(ge=0, le=2**31 - 1)] = Field(default=0, exclude_if=lambda sets: sets == 0)
    """Nodes that ask for a category."""
    codes: Annotated[int, Field(ge=0, le=MAX_CODES)] = Field(default=0, exclude_if=lambda codes: codes == 0)
    """Codes of the category with the most of them that a node asks for."""


class NgramFit(Part):
    """A linear map of the tf-idf of a text's words, pairs of words and runs of letters."""

    kind: Literal["ngrams"] = "ngrams"
    penalty: Number
    words: Annotated[int, Field(ge=0, le=MAX_TERMS)]
    """Words and pairs of them."""
    letters: Annotated[int, Field(ge=0, le=MAX_TERMS)]
    """Runs of letters."""
    token_bytes: Annotated[int, Field(ge=0, le=MAX_BYTES)]
    """Bytes of the tokens by which texts are read."""
    term_bytes: Annotated[int, Field(ge=0, le=MAX_BYTES)]
    """Bytes of all terms."""


class WordFit(Part):
    """A linear map of features of each word of a text and of its neighbours."""

    kind: Literal["words"] = "words"
    penalty: Number
    token_bytes: Annotated[int, Field(ge=0, le=MAX_BYTES)]
    """Bytes of the tokens by which texts are read."""


class StepFit(Part):
    """A model of the class of the last of some rows, for every row of a window."""

    kind: Literal["steps"] = "steps"
    rows: Whole
    """Rows that the model reads."""
    fit: Annotated[LinearFit | TreesFit, Field(discriminator="kind")]


SimpleFit = Annotated[
    ConstantFit | PersistenceFit | SeasonalFit | RidgeForecastFit | LinearFit | TreesFit | NgramFit | WordFit | StepFit,
    Field(discriminator="kind"),
]


class SavedSimple(Part):
    """A simple model in model.json."""

    model: str
    """Its name as readers are shown it."""
    fit: SimpleFit


class SimpleChoice(Part):
    """Choice among the simple models of a task, by its primary metric on the validation part."""

    model: str
    """Name of the one that was kept."""
    about: str = ""
    """Its settings in words."""
    candidates: dict[str, float]
    """Model → validation value of the task's primary metric, of all that were fitted."""
    skipped: dict[str, str] = {}
    """Model → reason why it was not fitted though it was to be tried, or was fitted on a part of the samples."""
