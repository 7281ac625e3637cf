"""The contract of an encoder: windows in, tokens and the windows' statistics out.

B samples, C channels, L rows of a window, N tokens of a channel, D width of a token.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn


@dataclass(frozen=True)
class Features:
    """What heads read: tokens of the normalised window, and what normalisation took away."""

    tokens: Float[Tensor, "B C N D"]
    mean: Float[Tensor, "B C"]
    """Mean of each channel over the window, z-scored units, no gradient."""
    std: Float[Tensor, "B C"]
    """Standard deviation of each channel over the window (positive), z-scored units, no gradient."""


class Encoder(nn.Module, ABC):
    """A network that any number of tasks share, for any number of channels."""

    width: int
    """D."""
    dropout: float
    """Rate in training when the caller names none."""
    pretraining: bool = False
    """True inside a pretrainer: what belongs to fine-tuning alone must then be the identity."""
    fine_tuning_only: tuple[str, ...] = ()
    """Prefixes of state names that pretraining does not train and so does not hand over."""

    @abstractmethod
    def count_tokens(self, input_len: int) -> int:
        """N for windows of `input_len` rows.

        Raises:
            UserError: The encoder cannot take windows of that length.
        """

    @abstractmethod
    def forward(self, x: Float[Tensor, "B C L"], dropout: float | None = None) -> Features:
        """Encodes z-scored windows; `dropout` replaces the encoder's own rate, and none applies in eval mode."""

    def rate(self, dropout: float | None) -> float:
        """The dropout rate in effect now."""
        if not self.training:
            return 0.0
        return self.dropout if dropout is None else dropout

    def transferable(self) -> dict[str, Tensor]:
        """Name → tensor of what pretraining hands over (detached, not copied)."""
        return {k: v for k, v in self.state_dict().items() if not k.startswith(self.fine_tuning_only)}
