"""Things that a task of a run meets: its source, the encoder that its head reads, the best predictor that is known.

B samples of a batch, n samples of a part, m rows that an oracle knows, C channels, H horizon.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from mtl.config.inputs import InputKind, PartLayout, RowLayout
from mtl.config.linear_map import Channels, Level


class Heads(ABC):
    """Heads that an encoder offers, each of which reads its features."""

    @abstractmethod
    def forecast_head(self, shape: tuple[int, ...], targets: list[int], numbers: int, rate: float) -> nn.Module:
        """Predicts `numbers` for each of the channels `targets`, [B, T, numbers], on the scale of the input."""

    @abstractmethod
    def linear_map(
        self, linear: tuple[Level, Channels], shape: tuple[int, ...], targets: list[int], horizon: int, repeats: int
    ) -> nn.Module:
        """Linear map of the raw window, [B, C, L] → [B, T, horizon · repeats], for a head that starts at zero."""

    @abstractmethod
    def kernel_map(self, kernels: int, shape: tuple[int, ...], classes: int) -> nn.Module:
        """Ridge regression on random kernels of the raw window, [B, C, L] → [B, k], for a head that starts at zero."""

    @abstractmethod
    def row_map(self, width: int, layout: RowLayout | None, outputs: int) -> nn.Module:
        """Linear map of a row of a table, [B, W] → [B, outputs], for a head that starts at zero."""

    @abstractmethod
    def vector_head(self, shape: tuple[int, ...], numbers: int, rate: float) -> nn.Module:
        """Predicts `numbers` a sample, [B, numbers]."""

    @abstractmethod
    def position_head(self, shape: tuple[int, ...], numbers: int, rate: float) -> nn.Module:
        """Predicts `numbers` at every position, [B, P, numbers]; NaN behind the last position of a sample.

        Raises:
            UserError: the encoder has no features of positions.
        """


@dataclass(frozen=True)
class Oracle:
    """Predictions of the best possible predictor, where a source knows it; entry i belongs to the row `first` + i."""

    first: int
    ahead: Float[Tensor, "m Hmax C"] | None
    """E[next rows | rows so far], original units."""
    labels: Mapping[str, Float[Tensor, "m _"]]
    """Label → P(class | rows so far)."""
    numbers: Mapping[str, Float[Tensor, " m"]]
    """Numeric target → E[target | rows so far], original units."""

    @property
    def rows(self) -> int:
        """m, the rows that it knows."""
        entries = [self.ahead, *self.labels.values(), *self.numbers.values()]
        return next(len(part) for part in entries if part is not None)


@dataclass(frozen=True)
class AtSource:
    """A task's source, as far as the resolving of the task needs it."""

    name: str
    """Name of the task."""
    source: str
    input: InputKind
    shape: tuple[int, ...]
    """Shape of one sample."""
    columns: list[str]
    layout: RowLayout | None
    """Meaning of the numbers of a row; None where each is a number, and of other samples."""
    parts: tuple[PartLayout, ...]
    """Parts of a mixed sample, in order; none of others."""
    mean: Float[Tensor, " C"]
    std: Float[Tensor, " C"]
    """Scaler of the inputs, fitted on training samples; original units."""
    units: Mapping[str, str]
    learns: str | None
    """The label or numeric target that the task learns; None for what follows a sample."""
    classes: list[str]
    """Classes of that label; empty without a label."""
    channels: list[str]
    """Columns whose next rows are predicted if the task names none."""
    gaps: bool
    """Some of the next rows were not measured."""
    values: Tensor | None
    """[n] targets of the task's training samples; None for what follows a sample."""
