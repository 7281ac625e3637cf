"""Scores of a finished model on new samples, beside its test figures and another model: the file of `mtl score -o`."""

from typing import ClassVar

from pydantic import Field

from mtl.results.content import Part, ResultFile, absent
from mtl.results.statistics import Ends, Interval


class Value(Part):
    """A metric."""

    here: float
    """Value on the new samples."""
    ends: Ends
    """Ends of its interval over blocks of new samples; None where there is none."""
    test: float | None
    """Value on the test part, where the model was measured there."""


class Against(Part):
    """The model of a task against another, on the samples that both have, by the primary metric."""

    model: str
    """Label of the other model."""
    samples: int
    blocks: int
    here: float
    other: float
    change: Interval
    """Change from the other model to this one in percent of the other; positive is better. Its interval is that of
    paired blocks of samples; `n` is the number of these."""
    adjusted: Ends
    """The interval, widened by Holm's method for all tasks that are compared."""
    reason: str | None = None
    """Reason why there is no interval."""

    @property
    def word(self) -> str:
        """Better, worse, or that no difference is shown, by the adjusted interval."""
        if self.adjusted.low is None or self.adjusted.high is None:
            return "not known"
        return "better" if self.adjusted.low > 0 else "worse" if self.adjusted.high < 0 else "no difference shown"


class TaskScores(Part):
    """A task on the new samples."""

    label: str
    """The model in words."""
    primary: str
    """Name of the primary metric."""
    samples: int
    missing: int
    """Samples that have no target and do not count."""
    blocks: int
    metrics: dict[str, Value]
    undefined: dict[str, str]
    """Metric → reason why these samples leave it undefined."""
    against: Against | None = None
    fresh: float | None = Field(default=None, exclude_if=absent)
    """The primary metric without the samples that are copies; None where there are none, or nothing else."""


class Copied(Part):
    """New samples that equal, in all that the model sees of them, one that it was trained or validated on."""

    noun: str
    """Samples in words."""
    copies: int
    asked: int
    """Samples that were looked up: all, or where very many were trained on a part of them."""
    test_copies: int
    """Copies in the test part."""
    test_asked: int

    @property
    def sentence(self) -> str:
        """The counts in words."""
        test = f"{self.test_copies:,} of {self.test_asked:,} of the test part do" if self.test_asked else ""
        return (
            f"{self.copies:,} of {self.asked:,} {self.noun} equal one that the model was trained or validated on, in "
            f"all that it sees of them{f' ({test})' if test else ''}"
        )


class Scores(ResultFile):
    """The content of the file."""

    data: str
    model: str
    against: str | None
    unit: str
    """Blocks in words: what counts as independent."""
    confidence: float
    tasks: dict[str, TaskScores]
    notes: list[str]
    copies: Copied | None = Field(default=None, exclude_if=absent)
    """Copies of what the model was trained on; None where that is not known."""

    escaped: ClassVar[bool] = False
