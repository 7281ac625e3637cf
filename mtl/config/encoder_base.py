"""The questions that the section of every encoder answers before any network is built: which samples it takes, how many
stages it has, how it is widened.
"""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

from mtl.config.common import PositiveInt, Problem, Section
from mtl.config.inputs import InputKind, Sample


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
    reads_codes: ClassVar[bool] = False
    """It reads the categories of rows as codes; other encoders are shown a column for each category."""
    joins_channels: ClassVar[bool] = False
    """It reads the channels of a window together: all samples of a run should have as many."""
    keeps_steps: ClassVar[bool] = False
    """It may have features of every row of a window, so that each can have a class."""
    diffusion: ClassVar[bool] = False
    """It can be pretrained by diffusion of patches."""
    fuses: ClassVar[bool] = False
    """It joins the features of several parts of a sample, so that what each of them gives can be told."""
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

    def normalises(self, source: str | None) -> bool:
        """True where every channel of a window of a source is brought to mean 0 and standard deviation 1.

        Args:
            source: its name; None for any source that no setting names.
        """
        del source
        return False

    def problem(self, sample: Sample) -> Problem | None:
        """Problem of the encoder with samples of a kind that it takes, or None."""
        return None

    @abstractmethod
    def widened(self, factor: float) -> "EncoderBase":
        """The encoder with its widths multiplied.

        Raises:
            ValueError: its widths are not known here.
        """


def wide(width: int, factor: float, multiple: int = 1) -> int:
    """A width times a factor, rounded to a multiple, of which it is at least one."""
    return max(multiple, multiple * round(width * factor / multiple))
