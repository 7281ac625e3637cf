"""Facts on what models were trained on, as a deployment keeps them to compare new data with."""

from typing import Annotated

from pydantic import Field, FiniteFloat, model_validator

from mtl.results.content import Part

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]


class NumberCounts(Part):
    """Values of an input of numbers."""

    edges: list[FiniteFloat]
    """Upper ends of all bins but the last, ascending: deciles of the values."""
    counts: list[Count]
    """Values in each bin, which holds its upper end."""
    missing: Count = 0
    low: FiniteFloat | None
    """The least value; None where all are missing."""
    high: FiniteFloat | None

    @model_validator(mode="after")
    def _bins(self) -> "NumberCounts":
        if len(self.counts) != len(self.edges) + 1 or sorted(set(self.edges)) != self.edges:
            raise ValueError("should have ascending edges, and one count more than these")
        return self


class CategoryCounts(Part):
    """Values of an input of categories."""

    counts: dict[str, Count]
    """The most frequent names."""
    rest: Count = 0
    """Values of other names that the model knows."""
    unknown: Count = 0
    """Values that were too rare for a name of their own."""
    missing: Count = 0


class TrainedSamples(Part):
    """Samples that members were trained or validated on, as hashes in a file beside deployment.json."""

    task: str
    """A task that reads them."""
    member: str
    """Member by whose scales they were hashed: a network sees z-scores, and they differ from fold to fold."""
    samples: Count
    """Different ones."""
    kept: Count
    """Hashes that are kept: the smallest ones, where there are more."""
    tested: Count
    """Samples of the test part whose hash is at most the largest that is kept."""
    repeated: Count
    """Tested samples that equal one of training or validation."""
    sha256: Sha256
    """Hash of the hashes, 8 bytes each, ascending."""


class TrainedInputs(Part):
    """The inputs of a source in the training part of one seed."""

    seed: int
    values: Annotated[int, Field(ge=1)]
    """Values of each input: rows, rows of windows, or pixels."""
    numbers: dict[str, NumberCounts]
    categories: dict[str, CategoryCounts]
